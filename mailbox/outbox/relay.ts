// Carries the outbox to its targets: one batch in flight per target, four targets at once, beside the
// drain. Whatever a target does (nothing, errors, nonsense), only its own rows wait.

import { stubOf } from "./address.ts";
import { now as clockNow } from "../time/clock.ts";
import { type Answered, Carrier } from "./batch.ts";
import type { Core } from "../host/context.ts";
import type { Route, Outbox } from "./outbox.ts";
import { NEVER } from "../host/wake.ts";

const TARGETS_AT_ONCE = 4;
/** Targets that did not answer before never take every place: one is kept for those that do. */
const DOUBTFUL_AT_ONCE = 3;
/** In the alarm's reckoning a batch in flight is looked at again after its timeout. */
const HOLD_MS = 20_000;
const POSTPONED_MS = 5_000;

interface Flight {
  readonly until: number;
  readonly isDoubtful: boolean;
}

export class Relay {
  readonly #core: Core;
  readonly #outbox: Outbox;
  readonly #carrier: Carrier;
  readonly #inFlight = new Map<string, Flight>();
  /** How many batches have come to an end. */
  rounds = 0;

  constructor(core: Core, outbox: Outbox) {
    this.#core = core;
    this.#outbox = outbox;
    this.#carrier = new Carrier(core, outbox);
    core.outboxHead = () => this.head();
    core.onForget(() => {
      // All storage was deleted: what is on its way is of an earlier life, and holds up nothing of this one.
      if (this.isBusy && !core.exists()) this.#inFlight.clear();
    });
  }

  get isBusy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** When a target wants its next batch, and there is a place for it. */
  head(): number {
    let head = NEVER;
    for (const [target, route] of this.#outbox.waiting("later")) {
      head = Math.min(head, Math.max(route.nextTry, this.#notBefore(target, route)));
    }
    for (const [target, route] of this.#outbox.waiting("ready")) {
      if (this.#inFlight.has(target)) continue;
      // The others are no sooner.
      return Math.min(head, Math.max(route.nextTry, this.#notBefore(target, route)));
    }
    return head;
  }

  /** Starts what may be started: those that answer first. Nothing that follows from it is thrown. */
  start(): void {
    if (!this.#core.isReadable()) return;
    const now = clockNow();
    this.#outbox.promote(now);
    for (const [target, route] of this.#front()) this.#start(target, route);
    if (this.#inFlight.size >= TARGETS_AT_ONCE) return;
    const due = [...this.#outbox.waiting("later")].filter(([, route]) => route.nextTry <= now);
    due.sort(([, a], [, b]) => a.tries - b.tries || a.nextTry - b.nextTry);
    for (const [target, route] of due) if (this.#hasPlace(target, route)) this.#start(target, route);
  }

  /** The drain ends and leaves the batches in flight to themselves: a later life looks at them when they have timed out. */
  leave(): void {
    for (const [target, { until }] of this.#inFlight) {
      const state = this.#core.outbox.target(target);
      if (state !== undefined) this.#outbox.put({ ...state, next_try: until });
    }
  }

  /** Of the targets that are ready, as many as there are places. */
  *#front(): Iterable<[string, Route]> {
    let places = TARGETS_AT_ONCE - this.#inFlight.size;
    for (const [target, route] of this.#outbox.waiting("ready")) {
      if (places <= 0) return;
      if (this.#inFlight.has(target)) continue;
      places -= 1;
      yield [target, route];
    }
  }

  #start(target: string, route: Route): void {
    const flight = { until: clockNow() + HOLD_MS, isDoubtful: route.tries > 0 };
    this.#inFlight.set(target, flight);
    // Outside the drain that waits for it, it must not end with the event that began it.
    this.#core.ctx.waitUntil(this.#carry(target).then(() => this.#landed(target, flight)));
  }

  /** One batch. Never rejects: what the platform has against us it tells the drain as well. */
  async #carry(target: string): Promise<void> {
    const core = this.#core;
    try {
      const stub = this.#stub(target);
      const sent = core.commit(() => this.#carrier.prepare(target, stub !== undefined));
      if (sent === undefined || stub === undefined) return;
      let answered: Answered;
      try {
        answered = await this.#carrier.call(stub, sent);
      } catch (error) {
        answered = { error };
      }
      await core.transactions.over();
      if (core.isReadable()) core.commit(() => this.#carrier.settle(sent, answered));
    } catch {
      // Storage is broken, or a row is: nothing was written, and the target is tried again.
      if (core.isReadable()) this.#outbox.postpone(target, clockNow() + POSTPONED_MS);
    }
  }

  #landed(target: string, flight: Flight): void {
    if (this.#inFlight.get(target) === flight) this.#inFlight.delete(target);
    this.rounds += 1;
    // In a drain this only says that something has changed.
    const head = this.#core.isReadable() ? this.head() : NEVER;
    if (this.#core.wake.draining) this.#core.wake.poke();
    else if (head !== NEVER) this.#core.wake.arm(head);
  }

  /** A stub, if the code that runs has a namespace of that name that made the target's id. */
  #stub(target: string): ReturnType<typeof stubOf> {
    try {
      return stubOf(this.#core.ctx, this.#core.env, target);
    } catch {
      return undefined;
    }
  }

  #hasPlace(target: string, route: Route): boolean {
    if (this.#inFlight.has(target) || this.#inFlight.size >= TARGETS_AT_ONCE) return false;
    return route.tries === 0 || this.#doubtful().length < DOUBTFUL_AT_ONCE;
  }

  #doubtful(): Flight[] {
    return [...this.#inFlight.values()].filter((flight) => flight.isDoubtful);
  }

  /** While all places are taken, the earliest moment at which one is free for sure. */
  #notBefore(target: string, route: Route): number {
    const own = this.#inFlight.get(target);
    if (own !== undefined) return own.until;
    if (this.#hasPlace(target, route)) return 0;
    const flights = this.#inFlight.size >= TARGETS_AT_ONCE ? [...this.#inFlight.values()] : this.#doubtful();
    return Math.min(...flights.map((flight) => flight.until));
  }
}
