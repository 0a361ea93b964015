// The only calls of the object's real alarm. The alarm is derived from the rows, never the other way
// round: whatever is lost, the next look at the rows makes it right again.
//
// Two rules carry the rest. While a drain runs nobody arms: a handler that had armed an earlier alarm
// and then died would be re-run for ever, uncounted. And a drain ends with one alarm that is later
// than the one that fired, because the platform drops `setAlarm(now)` inside `alarm()`.

import { now as clockNow } from "../time/clock.ts";

/** The storage's own methods, captured before the host's overrides take their names. */
export interface RealAlarm {
  get(): Promise<number | null>;
  set(at: number): Promise<void>;
  delete(): Promise<void>;
}

/** Captures the alarm methods of a storage. */
export function realAlarm(storage: DurableObjectStorage): RealAlarm {
  const get = storage.getAlarm.bind(storage);
  const set = storage.setAlarm.bind(storage);
  const drop = storage.deleteAlarm.bind(storage);
  return { get: () => get(), set: (at) => set(at), delete: () => drop() };
}

/** Nothing is to be done. */
export const NEVER: number = Number.POSITIVE_INFINITY;

/** An alarm so long past its time was lost: abandoned by the platform, or stuck. */
const STALE_MS = 1_000;

/** The time after which a leased run that died is looked at again. */
const GUARD_MS = 2_000;

/** A guard at least so far ahead need not be moved for the next leased run. */
const GUARD_ROOM_MS = 1_000;

export class Wake {
  readonly #alarm: RealAlarm;
  readonly #head: () => number;
  readonly #onHeal: (alarm: number | null, head: number) => void;
  /** What is known to be armed; a hint. Undefined after a rollback: the next arming asks the rows. */
  #armed: number | undefined;
  #draining = false;
  #guardAt: number | undefined;
  #poke: (() => void) | undefined;

  /**
   * @param head the earliest moment at which anything is to be done, from the rows; NEVER for nothing
   * @param onHeal told before an alarm that was wrong is set right
   */
  constructor(alarm: RealAlarm, head: () => number, onHeal: (alarm: number | null, head: number) => void) {
    this.#alarm = alarm;
    this.#head = head;
    this.#onHeal = onHeal;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Something is to be done at `at`. In the same tick as its row, so that row and alarm are one commit. */
  arm(at: number, now: number = clockNow()): void {
    if (this.#draining) {
      this.poke();
      return;
    }
    // What is overdue is woken for now: it is not earlier than an alarm that is set for now already.
    const wakeAt = Math.max(at, now);
    if (this.#armed === undefined) this.derive();
    else if (this.#armed < now - STALE_MS) this.#heal(this.#armed);
    else if (wakeAt < this.#armed) this.#set(wakeAt);
  }

  /** Looks whether what is known to be armed should have run by now. Costs nothing when all is well. */
  look(): void {
    if (this.#draining || this.#armed === undefined) return;
    if (this.#armed < clockNow() - STALE_MS) this.#heal(this.#armed);
  }

  /** Sets the alarm by the rows, without asking what is armed. */
  derive(): void {
    if (this.#draining) return;
    const head = this.#head();
    if (head !== NEVER) this.#set(Math.max(head, clockNow()));
    else this.#armed = NEVER;
  }

  /**
   * Compares what the platform has armed with the rows, and writes only if it is wrong. An alarm of
   * the recent past is left alone: it may be the one for which this instance was just started.
   *
   * @returns whether to look again, because the alarm is past and has not run yet
   */
  async check(): Promise<boolean> {
    if (this.#draining) return false;
    const alarm = await this.#alarm.get();
    if (this.#draining) return false;
    this.#armed = alarm ?? NEVER;
    const head = this.#head();
    if (head === NEVER) return false;
    const now = clockNow();
    if (alarm !== null && alarm < now) {
      if (alarm >= now - STALE_MS) return true;
      this.#heal(alarm);
    } else if (alarm === null || Math.max(head, now + 1) < alarm) {
      this.#heal(alarm);
    }
    return false;
  }

  /** What the platform has armed, before the mailbox has armed anything. */
  foreign(): Promise<number | null> {
    return this.#alarm.get();
  }

  /** Deletes it: the user said so before it was known whether there is one. */
  dropForeign(): void {
    void this.#alarm.delete();
  }

  /** A rollback may have taken an alarm with it. */
  forget(): void {
    this.#armed = undefined;
  }

  /** A drain begins: the alarm that fired is spent. */
  begin(): void {
    this.#draining = true;
    this.#armed = NEVER;
    this.#guardAt = undefined;
  }

  /** Arms the guard of a leased run. A crash from here on is looked at when it fires. */
  guard(): void {
    const now = clockNow();
    if (this.#guardAt !== undefined && this.#guardAt > now + GUARD_ROOM_MS) return;
    this.#guardAt = now + GUARD_MS;
    void this.#alarm.set(this.#guardAt);
  }

  /** Tells a drain that waits to look again. */
  poke(): void {
    this.#poke?.();
  }

  /** Resolves when a row was written while the drain waits, or a batch has landed. */
  poked(): Promise<void> {
    return new Promise((resolve) => {
      this.#poke = resolve;
    });
  }

  /**
   * The drain has ended, and not by an error of the platform.
   *
   * @param earliest the wake is not before it, to break a loop
   * @param head when something is to be done; the rows say so, but where they cannot be read
   */
  end(scheduledTime: number, earliest = 0, head: number = this.#head()): void {
    this.#draining = false;
    this.#poke = undefined;
    if (head !== NEVER) {
      this.#set(Math.max(head, scheduledTime + 1, clockNow() + 1, earliest));
    } else {
      // The alarm that fired is deleted by the platform; only a guard is still there.
      if (this.#guardAt !== undefined) void this.#alarm.delete();
      this.#armed = NEVER;
    }
    this.#guardAt = undefined;
  }

  /** The drain ended with an error of the platform: nothing more is written by this instance's drain. */
  fail(): void {
    this.#draining = false;
    this.#poke = undefined;
    this.#armed = undefined;
    this.#guardAt = undefined;
  }

  #heal(alarm: number | null): void {
    const head = this.#head();
    if (head === NEVER) {
      this.#armed = NEVER;
      return;
    }
    this.#onHeal(alarm === NEVER ? null : alarm, head);
    // One later than now: the platform takes a value that it already has for no change at all.
    this.#set(Math.max(head, clockNow() + 1));
  }

  #set(at: number): void {
    this.#armed = at;
    void this.#alarm.set(at);
  }
}
