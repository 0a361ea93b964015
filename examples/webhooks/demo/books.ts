// The books of a run: what was sent, every POST that arrived, and what is wrong with them. A relay that
// loses, changes, hurries or forges a webhook is found here.

import type { Item } from "./plan.ts";

/** One POST, as the receiver saw it. */
export interface Post {
  readonly id: string;
  readonly endpoint: string;
  readonly body: string;
  /** When it arrived, in epoch milliseconds. */
  readonly at: number;
  /** What was wrong with the signature, if anything. */
  readonly forgery?: string;
  readonly status: number;
  /** Before when the receiver asked not to be called again for this webhook. */
  readonly notBefore?: number;
}

export interface Problem {
  readonly kind: "missing" | "altered" | "early" | "bad signature";
  readonly text: string;
}

export class Books {
  readonly #items = new Map<string, Item>();
  readonly #dueAt = new Map<string, number>();
  readonly #posts = new Map<string, Post[]>();

  constructor(plan: readonly Item[]) {
    for (const item of plan) this.#items.set(item.id, item);
  }

  /** Notes that a webhook is being sent, and when it is due. */
  sent(id: string, dueAt: number): void {
    this.#dueAt.set(id, dueAt);
  }

  posted(post: Post): void {
    this.#posts.set(post.id, [...this.postsOf(post.id), post]);
  }

  item(id: string): Item | undefined {
    return this.#items.get(id);
  }

  postsOf(id: string): readonly Post[] {
    return this.#posts.get(id) ?? [];
  }

  get sentCount(): number {
    return this.#dueAt.size;
  }

  get acceptedCount(): number {
    return this.#count((posts) => posts.some(isAccepted));
  }

  /** Webhooks that needed more than one POST. */
  get redeliveredCount(): number {
    return this.#count((posts) => posts.length > 1);
  }

  /** Webhooks that were accepted more than once, which at-least-once delivery allows. */
  get repeatedCount(): number {
    return this.#count((posts) => posts.filter(isAccepted).length > 1);
  }

  /** From due to the arrival of the first POST, in milliseconds, in ascending order. */
  lateness(): readonly number[] {
    return [...this.#dueAt]
      .flatMap(([id, dueAt]) =>
        this.postsOf(id)
          .slice(0, 1)
          .map((first) => first.at - dueAt),
      )
      .toSorted((a, b) => a - b);
  }

  /** Everything that must not be; empty after a good run. */
  problems(): readonly Problem[] {
    return [...this.#items.values()].flatMap((item) => [...this.#problemsOf(item)]);
  }

  *#problemsOf({ id, type, body, endpoint }: Item): Generator<Problem> {
    const posts = this.postsOf(id);
    const name = `${id} (${type})`;
    if (!posts.some(isAccepted)) {
      yield { kind: "missing", text: `${name} was never accepted, in ${posts.length} POSTs` };
    }
    let notBefore = this.#dueAt.get(id) ?? Number.POSITIVE_INFINITY;
    for (const [index, post] of posts.entries()) {
      const which = `POST ${index + 1} of ${name}`;
      if (post.body !== body) yield { kind: "altered", text: `${which} differs from its source` };
      if (post.endpoint !== endpoint) {
        yield { kind: "altered", text: `${which} came to ${post.endpoint}, not ${endpoint}` };
      }
      if (post.forgery !== undefined) yield { kind: "bad signature", text: `${which}: ${post.forgery}` };
      if (post.at < notBefore) {
        yield { kind: "early", text: `${which} came ${notBefore - post.at} ms too early` };
      }
      notBefore = post.notBefore ?? 0;
    }
  }

  #count(matches: (posts: readonly Post[]) => boolean): number {
    return [...this.#posts.values()].filter((posts) => matches(posts)).length;
  }
}

/** The value below which a share of the ascending numbers lies; NaN when there are none. */
export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

function isAccepted({ status }: Post): boolean {
  return status >= 200 && status < 300;
}
