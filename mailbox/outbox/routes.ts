// What memory knows of the routes: which targets have something waiting, and when each may have it. It is a
// hint, as all memory is. It is compared with the disk once a wake, because rows come and go also by
// handles that bypass the mailbox, and forgotten after a rollback.

import { now as clockNow } from "../time/clock.ts";
import type { OutboxStore, TargetRow } from "../store/outbox.ts";

/** One route: the numbers of one outbox to one target. Kept in memory while something waits for it. */
export interface Route {
  /** The last number given. */
  last: number;
  /** No fewer wait; just so many, once they were counted. */
  rows: number;
  isCounted: boolean;
  /** Not tried before. */
  nextTry: number;
  /** How often its batch was tried without an answer. */
  tries: number;
  /** Its target has answered the last batch. One that never got any has not. */
  isProven: boolean;
}

/** Which routes: those that may go now and whose targets answer, those never tried, and those that have to wait or have failed. */
export type Standing = "proven" | "fresh" | "later";

export class Routes {
  readonly #store: OutboxStore;
  readonly #known = new Map<string, Route>();
  /** Each target for which something waits is in one of them; first come, first served. */
  readonly #standing: Readonly<Record<Standing, Set<string>>> = {
    proven: new Set(),
    fresh: new Set(),
    later: new Set(),
  };
  #isCompared = false;
  /** Whether there may be anything to compare: who sends nothing to others is asked nothing. */
  #isUsed = true;

  constructor(store: OutboxStore) {
    this.#store = store;
  }

  /** The route to a target, read from disk where memory does not know it. */
  of(target: string): Route {
    let route = this.#known.get(target);
    if (route === undefined) {
      route = this.#read(target);
      this.#known.set(target, route);
    }
    return route;
  }

  /** Those that stand so, in their order. */
  *standing(which: Standing): Iterable<[target: string, route: Route]> {
    if (!this.#isCompared) this.#compare();
    for (const target of this.#standing[which]) yield [target, this.of(target)];
  }

  /** Something waits for it; it takes its place, which it keeps if it has one. */
  queue(target: string): void {
    this.#isUsed = true;
    const isQueued = Object.values(this.#standing).some((targets) => targets.has(target));
    if (!isQueued) this.sort(target);
  }

  /** It has another standing now: it is the last of those that have it. */
  sort(target: string, now: number = clockNow()): void {
    const route = this.of(target);
    for (const targets of Object.values(this.#standing)) targets.delete(target);
    const isReady = route.tries === 0 && route.nextTry <= now;
    this.#standing[isReady ? (route.isProven ? "proven" : "fresh") : "later"].add(target);
  }

  /** Its target's row was written. */
  told(state: TargetRow): void {
    const route = this.of(state.target);
    route.nextTry = state.next_try;
    route.tries = state.tries;
    route.isProven = isProven(state);
  }

  /** Rows have gone: nothing is kept in memory of a target for which nothing waits. */
  settle(target: string): void {
    if (this.of(target).rows <= 0 || !this.#store.hasRows(target)) this.forget(target);
    else this.sort(target);
  }

  /** Those that were told to wait, and have, are ready again: behind those that are already, and not behind all that come. */
  promote(now: number): void {
    for (const [target, route] of this.standing("later")) {
      if (route.tries === 0 && route.nextTry <= now) this.sort(target, now);
    }
  }

  /** Whether `more` rows would be more than `most`. Counts only where there may be too many. */
  isFull(target: string, more: number, most: number): boolean {
    const route = this.of(target);
    if (route.rows + more > most && !route.isCounted) {
      route.rows = this.#store.countOf(target);
      route.isCounted = true;
    }
    return route.rows + more > most;
  }

  /** The disk is looked at again, at the next question. */
  recheck(): void {
    if (this.#isUsed) this.#isCompared = false;
  }

  forget(target: string): void {
    this.#known.delete(target);
    for (const targets of Object.values(this.#standing)) targets.delete(target);
  }

  forgetAll(): void {
    this.#known.clear();
    for (const targets of Object.values(this.#standing)) targets.clear();
    this.#isCompared = false;
    this.#isUsed = true;
  }

  #compare(): void {
    this.#isCompared = true;
    const waiting = new Set(this.#store.targets());
    for (const target of this.#known.keys()) if (!waiting.has(target)) this.forget(target);
    for (const target of waiting) this.queue(target);
    this.#isUsed = waiting.size > 0;
  }

  #read(target: string): Route {
    const row = this.#store.target(target);
    const { first, last } = this.#store.numbers(target);
    return {
      last: Math.max(last, row?.last_n ?? 0),
      // Some numbers of between may be missing.
      rows: last === 0 ? 0 : last - first + 1,
      isCounted: last === 0,
      nextTry: row?.next_try ?? 0,
      tries: row?.tries ?? 0,
      isProven: row !== undefined && isProven(row),
    };
  }
}

/** Numbers have a life since their first batch, and a new one where a target did not answer in time. */
function isProven({ epoch, tries }: TargetRow): boolean {
  return epoch !== null && tries === 0;
}
