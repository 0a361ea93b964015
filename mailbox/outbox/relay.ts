// Carries the outbox to its targets: one batch in flight per target, four targets at once, beside the
// drain. Whatever a target does (nothing, errors, nonsense), only its own rows wait.

import { wayTo } from "./address.ts";
import { now as clockNow } from "../time/clock.ts";
import { type Answered, Carrier } from "./batch.ts";
import type { Core } from "../host/context.ts";
import type { Outbox } from "./outbox.ts";
import type { Route } from "./routes.ts";
import { NEVER } from "../host/wake.ts";

const TARGETS_AT_ONCE = 4;
/** Targets that have not answered their last batch never take every place: one is kept for those that have. */
const DOUBTFUL_AT_ONCE = 3;
/** In the alarm's reckoning a batch in flight is looked at again after its timeout. */
const HOLD_MS = 20_000;
const POSTPONED_MS = 5_000;

/** How a route stood when its batch left: only of a proven one it is known that its target answers. */
type Kind = "proven" | "fresh" | "failed";

interface Flight {
  readonly until: number;
  readonly kind: Kind;
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

  /** A wake begins: what memory knows of the routes is compared with the disk. */
  begin(): void {
    this.#outbox.routes.recheck();
  }

  /** When a target wants its next batch, and there is a place for it. */
  head(): number {
    let head = NEVER;
    for (const [target, route] of this.#outbox.waiting("later")) {
      head = Math.min(head, Math.max(route.nextTry, this.#notBefore(target, route)));
    }
    for (const which of ["proven", "fresh"] as const) {
      for (const [target, route] of this.#outbox.waiting(which)) {
        if (this.#inFlight.has(target)) continue;
        head = Math.min(head, Math.max(route.nextTry, this.#notBefore(target, route)));
        // The others of these are no sooner.
        break;
      }
    }
    return head;
  }

  /** Starts what may be started: those that answer first. Nothing that follows from it is thrown. */
  start(): void {
    if (!this.#core.isReadable()) return;
    const now = clockNow();
    this.#outbox.routes.promote(now);
    this.#startFrom(this.#outbox.waiting("proven"));
    this.#startFrom(this.#doubtful(now));
  }

  /**
   * Those that may not answer: one of those that did not, then those that were never tried, then the others. So
   * neither kind keeps the other from its places for good.
   */
  *#doubtful(now: number): Iterable<[string, Route]> {
    const failed = [...this.#outbox.waiting("later")].filter(([, route]) => route.nextTry <= now);
    failed.sort(([, a], [, b]) => a.tries - b.tries || a.nextTry - b.nextTry);
    const isOneOut = [...this.#inFlight.values()].some(({ kind }) => kind === "failed");
    if (!isOneOut) yield* failed.splice(0, 1);
    yield* this.#outbox.waiting("fresh");
    yield* failed;
  }

  #startFrom(routes: Iterable<[string, Route]>): void {
    for (const [target, route] of routes) {
      if (this.#inFlight.has(target)) continue;
      if (!this.#hasPlace(route)) return;
      this.#start(target, route);
    }
  }

  /** The drain ends and leaves the batches in flight to themselves: a later life looks at them when they have timed out. */
  leave(): void {
    for (const [target, { until }] of this.#inFlight) {
      const state = this.#core.outbox.target(target);
      if (state !== undefined) this.#outbox.put({ ...state, next_try: until });
    }
  }

  #start(target: string, route: Route): void {
    const flight = { until: clockNow() + HOLD_MS, kind: kindOf(route) };
    this.#inFlight.set(target, flight);
    // Outside the drain that waits for it, it must not end with the event that began it.
    this.#core.ctx.waitUntil(this.#carry(target).then(() => this.#landed(target, flight)));
  }

  /** One batch. Never rejects: what the platform has against us it tells the drain as well. */
  async #carry(target: string): Promise<void> {
    const core = this.#core;
    try {
      const way = wayTo(core.ctx, core.env, target);
      const sent = core.commit(() => this.#carrier.prepare(target, way.unbound));
      if (sent === undefined || way.unbound !== undefined) return;
      let answered: Answered;
      try {
        answered = await this.#carrier.call(way.stub(sent.locationHint), sent);
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

  #hasPlace(route: Route): boolean {
    if (this.#inFlight.size >= TARGETS_AT_ONCE) return false;
    return kindOf(route) === "proven" || this.#doubtfulOut().length < DOUBTFUL_AT_ONCE;
  }

  #doubtfulOut(): Flight[] {
    return [...this.#inFlight.values()].filter(({ kind }) => kind !== "proven");
  }

  /** While all places are taken, the earliest moment at which one is free for sure. */
  #notBefore(target: string, route: Route): number {
    const own = this.#inFlight.get(target);
    if (own !== undefined) return own.until;
    if (this.#hasPlace(route)) return 0;
    const isFull = this.#inFlight.size >= TARGETS_AT_ONCE;
    const flights = isFull ? [...this.#inFlight.values()] : this.#doubtfulOut();
    return Math.min(...flights.map((flight) => flight.until));
  }
}

function kindOf({ tries, isProven }: Route): Kind {
  if (tries > 0) return "failed";
  return isProven ? "proven" : "fresh";
}
