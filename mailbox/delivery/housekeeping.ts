// What a wake does beside delivering: releases parked messages whose type is known again, gives up
// those parked for too long, and deletes dead letters past their retention. All in pages.

import { now as clockNow } from "../time/clock.ts";
import { deliverableOptions, unreadableError } from "../message/columns.ts";
import { type Core, PARKED_AGE_MS } from "../host/context.ts";
import { die } from "../lifecycle/die.ts";
import type { AttemptRecord, Envelope, StoredError } from "../message/envelope.ts";
import { movedFlag } from "../message/id.ts";
import { advanceOccurrence } from "../lifecycle/settle.ts";

const PAGE = 100;
const PAGE_UNITS = 1024 * 1024;
const FORGET_EVERY_MS = 60 * 60 * 1000;
/** How many known senders and targets are looked at for each new one. */
const LOOKED_AT_FOR_EACH = 4;
const FORGET_PAGES = 10;

export class Housekeeping {
  readonly #core: Core;
  /** The types to release. A code version releases once: what it parks later it does not know. */
  #releasing: string[] | undefined;
  readonly #released = new Map<string, number>();
  #forgetAt = 0;
  #forgottenUpTo: string | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Before the first delivery. */
  start(): void {
    const core = this.#core;
    if (core.envelopes.oldestParked() === undefined) return;
    this.#releasing ??= core.envelopes.parkedTypes().filter((type) => core.config.handlers.has(type));
    core.isReleasing = this.#releasing.length > 0;
    this.#giveUp();
  }

  /**
   * Releases a page of parked messages whose type is known; whether there were any. The drain delivers in
   * between, so that who is due waits for no more than a page of them.
   */
  release(): boolean {
    const core = this.#core;
    const type = this.#releasing?.[0];
    if (type === undefined) return false;
    const page = core.envelopes.parkedOf(type, PAGE);
    for (const place of page) {
      core.envelopes.unpark(place, movedFlag(place.id, place.due));
      core.movedTo(place.due);
    }
    this.#released.set(type, (this.#released.get(type) ?? 0) + page.length);
    if (page.length < PAGE) {
      this.#releasing?.shift();
      this.#tellReleased();
    }
    core.isReleasing = this.#releasing?.[0] !== undefined;
    return true;
  }

  /** Once a type, before its last messages are delivered, and once more for what a wake that ends has left. */
  #tellReleased(): void {
    for (const [type, count] of this.#released) {
      if (count > 0) this.#core.raise({ event: "released", type, count });
    }
    this.#released.clear();
  }

  /** After the last delivery: letters by age, and, when there may be too many, by count. */
  end(): void {
    const core = this.#core;
    const now = clockNow();
    this.#tellReleased();
    this.#forget(now);
    const oldest = core.letters.oldest();
    if (oldest === undefined) return;
    let deleted = 0;
    if (core.retentionAt(oldest) <= now)
      deleted += core.letters.deleteOldest(now - core.config.retentionMs, PAGE * 10);
    core.letterCount ??= core.letters.count() + deleted;
    const tooMany = core.letterCount - deleted - core.config.retentionCount;
    if (tooMany > 0)
      deleted += core.letters.deleteOldest(Number.MAX_SAFE_INTEGER, Math.min(tooMany, PAGE * 10));
    if (deleted === 0) return;
    core.step();
    core.letterCount -= deleted;
    core.raise({ event: "retentionDeleted", count: deleted });
  }

  /**
   * Forgets senders that nothing more can come of, and routes that were not used for so long that their
   * target has forgotten them. A few at a time: every new instance looks at some, then as many as come, and at least some every hour.
   */
  #forget(now: number): void {
    const { outbox } = this.#core;
    // So many are looked at for each that is new that they are forgotten as fast as they come.
    const isOwed = outbox.grown * LOOKED_AT_FOR_EACH >= PAGE;
    if (now < this.#forgetAt && !isOwed) return;
    this.#forgetAt = now + FORGET_EVERY_MS;
    outbox.grown = 0;
    for (let page = 0; page < FORGET_PAGES; page += 1) {
      const gone = this.#forgetSenders(now) + this.#forgetTargets(now);
      if (gone < PAGE / LOOKED_AT_FOR_EACH) return;
    }
    // There are more: the next wake goes on.
    this.#forgetAt = now;
  }

  #forgetSenders(now: number): number {
    const { outbox } = this.#core;
    // Ids are as good as random, so a random place finds others each time.
    const place = Math.floor(Math.random() * 0x10000).toString(16);
    const senders = outbox.sendersFrom(place, PAGE);
    if (senders.length < PAGE) senders.push(...outbox.sendersFrom("", PAGE));
    const gone = senders.filter(({ keep_until }) => keep_until <= now);
    for (const { sender, epoch } of gone) outbox.forgetSender(sender, epoch);
    return gone.length;
  }

  #forgetTargets(now: number): number {
    const { outbox, config } = this.#core;
    // A route that begins anew has another epoch, so its numbers are not mistaken for the old ones.
    const unusedSince = now - config.outboxMaxAgeMs * 2;
    // A new instance begins at the newest: where names are as good as random, that is another place each time.
    const targets = outbox.targetsFrom(this.#forgottenUpTo ?? outbox.newest, PAGE);
    if (targets.length < PAGE) targets.push(...outbox.targetsFrom("", PAGE));
    this.#forgottenUpTo = targets.at(-1)?.target ?? "";
    const gone = targets.filter(({ next_try, has_rows }) => has_rows === 0 && next_try < unusedSince);
    for (const { target } of gone) outbox.forgetTarget(target);
    return gone.length;
  }

  #giveUp(): void {
    const core = this.#core;
    const now = clockNow();
    const oldest = core.envelopes.oldestParked();
    if (oldest === undefined || oldest + PARKED_AGE_MS > now) return;
    const page = core.envelopes.parkedPage({ parked: 0, due: 0, id: "" }, undefined, PAGE, PAGE_UNITS);
    for (const row of page) {
      if (row.parked + PARKED_AGE_MS > now) return;
      core.commit(() => {
        if (!core.envelopes.delete(row)) return;
        core.removed(1);
        const record: AttemptRecord = {
          attempt: row.attempt,
          startedAt: now,
          durationMs: 0,
          outcome: "unreadable",
          ...(deliverableOptions(row) === undefined ? unreadableError(row) : unknownType(row)),
        };
        die(core, row, { reason: "unreadable", attempts: row.attempt, record }, now);
        advanceOccurrence(core, row, "dead");
      });
    }
  }
}

function unknownType({ type }: Envelope): StoredError {
  return {
    name: "UnknownTypeError",
    message: `No code version that knows the type ${type} has woken this object for 30 days.`,
  };
}
