// The delivery of one page: item after item, those of sync handlers in savepoints that they share, up to
// one that has to be awaited, or to anything that makes the rest of the page stale.

import { now as clockNow } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import type { Deliverer } from "./deliver.ts";
import type { Item } from "../lifecycle/settle.ts";

/** The page was chosen before it was slow: others get in between, and the wake counts its time. */
export const SLOW_PAGE_MS = 50;

export class PageRun {
  readonly #core: Core;
  readonly #deliverer: Deliverer;
  readonly #page: readonly Item[];
  readonly #suspiciousUntil: number;
  readonly #generation: number;
  readonly #startedAt: number = clockNow();
  #now: number = this.#startedAt;
  #index = 0;

  constructor(core: Core, deliverer: Deliverer, page: readonly Item[], suspiciousUntil: number) {
    this.#core = core;
    this.#deliverer = deliverer;
    this.#page = page;
    this.#suspiciousUntil = suspiciousUntil;
    this.#generation = core.generation;
  }

  get next(): Item | undefined {
    return this.#page[this.#index];
  }

  /** Delivers what is done synchronously. Answers a promise for one that is not. */
  deliver(): Promise<void> | undefined {
    const core = this.#core;
    for (let item = this.#due(); item !== undefined; item = this.#due()) {
      const done = this.#isJoinable(item)
        ? this.#deliverer.savepoint.around(() => this.#deliverJoined(item))
        : this.#deliverNext(item);
      // Something else than an ack has changed the rows: what was selected may no longer be next.
      if (done !== undefined || core.generation !== this.#generation) return done;
    }
    return undefined;
  }

  /** Delivers an item and those behind it that share its savepoint. */
  #deliverJoined(first: Item): void {
    let item: Item | undefined = first;
    do {
      void this.#deliverNext(item);
      item = this.#deliverer.savepoint.isShared ? this.#due() : undefined;
    } while (item !== undefined && this.#isJoinable(item));
  }

  #deliverNext(item: Item): Promise<void> | undefined {
    this.#index += 1;
    return this.#deliverer.deliver(item, this.#isSuspicious(item), this.#now);
  }

  /** The next item, if it may be delivered now. */
  #due(): Item | undefined {
    const item = this.next;
    if (item === undefined) return undefined;
    this.#now = clockNow();
    const isSlow = this.#now - this.#startedAt > SLOW_PAGE_MS;
    return isSlow || this.#deliverer.mustSyncBefore(item, this.#isSuspicious(item)) ? undefined : item;
  }

  #isSuspicious({ row }: Item): boolean {
    return row.due <= this.#suspiciousUntil;
  }

  #isJoinable(item: Item): boolean {
    return this.#deliverer.isJoinable(item, this.#isSuspicious(item));
  }
}
