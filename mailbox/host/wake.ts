// The only calls of the object's real alarm. The alarm is derived from the rows, never the other way
// round: whatever is lost, the next look at the rows makes it right again.
//
// Two rules carry the rest. While a drain runs nobody arms: a handler that had armed an earlier alarm
// and then died would be re-run for ever, uncounted. And a drain ends with one alarm that is later
// than the one that fired, because the platform drops `setAlarm(now)` inside `alarm()`.

import { after, now as clockNow } from "../time/clock.ts";

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

/**
 * An alarm that is past and has not run may be late: the platform takes up to a minute. To set it again before would put
 * it behind all others, over and over for as long as somebody looks. Each time in vain, the wait is twice as long.
 */
const LATE_MS = 60_000;
const LATE_MAX_MS = 60 * 60 * 1000;

/** Where something is due and no alarm is set, it may be that it is just being delivered. */
const DELIVERY_MS = 1_000;

/** So much later is it looked at again, so that it is not yet right by a hair. */
const LOOK_SLACK_MS = 100;

/** How often a verb asks the platform what is set. */
const ASK_EVERY_MS = 10_000;

/** The time after which a leased run that died is looked at again. */
const GUARD_MS = 2_000;

/** A guard at least so far ahead need not be moved for the next leased run. */
const GUARD_ROOM_MS = 1_000;

export class Wake {
  readonly #alarm: RealAlarm;
  readonly #head: () => number;
  readonly #onHeal: (alarm: number | null, head: number) => void;
  readonly #onRefused: () => void;
  /** What is known to be armed; a hint. Undefined after a rollback: the next arming asks the rows. */
  #armed: number | undefined;
  /** Grows with everything that makes an answer of the platform old. */
  #version = 0;
  /** The platform is being told. */
  #arming: Promise<void> | undefined;
  /** No wake before it, though something is due: it cannot be done. */
  #notBefore = 0;
  #patienceMs = LATE_MS;
  #askedAt: number = clockNow();
  /** Stops the timer of the next look, if one runs. */
  #stopLooking: (() => void) | undefined;
  #draining = false;
  #guardAt: number | undefined;
  #poke: (() => void) | undefined;

  /**
   * @param head the earliest moment at which anything is to be done, from the rows; NEVER for nothing
   * @param onHeal told before an alarm that was wrong is set right
   * @param onRefused told when the platform sets none, because the class has no `alarm()`
   */
  constructor(
    alarm: RealAlarm,
    head: () => number,
    onHeal: (alarm: number | null, head: number) => void,
    onRefused: () => void,
  ) {
    this.#alarm = alarm;
    this.#head = head;
    this.#onHeal = onHeal;
    this.#onRefused = onRefused;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Resolves when the platform has answered what it was told last. Undefined when nothing is under way. */
  get arming(): Promise<void> | undefined {
    return this.#arming;
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
    else if (wakeAt < this.#armed) this.#set(wakeAt);
    else this.look(now);
  }

  /**
   * Looks whether what is known to be armed should have run long ago, and asks the platform now and then what is set.
   * Costs nothing when it was asked of late.
   */
  look(now: number = clockNow()): void {
    if (this.#draining || this.#armed === undefined) return;
    if (this.#armed < now - this.#patienceMs) this.#heal(this.#armed);
    else if (now >= this.#askedAt + ASK_EVERY_MS) {
      // One that is later by less than the platform may be is no matter for an object that lives.
      this.check(Math.max(this.#notBefore, now + LATE_MS)).catch(() => {
        // The object is being reset; its next instance looks again.
      });
    }
  }

  /** Sets the alarm by the rows, without asking what is armed. */
  derive(): void {
    if (this.#draining) return;
    const head = this.#head();
    if (head !== NEVER) this.#set(Math.max(head, clockNow()));
    else this.#armed = NEVER;
  }

  /** Rows were taken away, and that is committed: nobody is woken for nothing. */
  rest(): void {
    if (this.#draining || this.#armed === undefined || this.#armed === NEVER || this.#head() !== NEVER)
      return;
    this.#knows(NEVER);
    void this.#alarm.delete();
  }

  /**
   * Compares what the platform has armed with the rows, and writes only if it is wrong. An alarm of the past is left
   * alone for a while, and so is one that is not there for the present: it may be the one for which this instance was
   * just started. Then it is looked at again, unless a drain begins before.
   *
   * @param notBefore a wake up to then is right, though something is due before
   */
  async check(notBefore = 0): Promise<void> {
    if (this.#draining) return;
    this.#askedAt = clockNow();
    const version = this.#version;
    const alarm = await this.#alarm.get();
    if (this.#draining || version !== this.#version) return;
    this.#armed = alarm ?? NEVER;
    const head = this.#head();
    if (head === NEVER) return;
    const now = clockNow();
    if (alarm === null) {
      const isLost = head > now || head < now - DELIVERY_MS;
      if (isLost) this.#heal(null);
      else this.#lookAgain(DELIVERY_MS);
    } else if (alarm < now) {
      const wrongAt = alarm + this.#patienceMs;
      if (wrongAt < now) this.#heal(alarm);
      else this.#lookAgain(wrongAt - now);
    } else if (alarm > Math.max(head, now + 1, notBefore)) {
      this.#heal(alarm);
    }
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
    this.#knows(undefined);
  }

  /** A drain begins: the alarm that fired is spent. */
  begin(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
    this.#draining = true;
    this.#knows(NEVER);
    this.#patienceMs = LATE_MS;
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
    this.#notBefore = earliest;
    if (head !== NEVER) {
      this.#set(Math.max(head, scheduledTime + 1, clockNow() + 1, earliest));
    } else {
      // The alarm that fired is deleted by the platform; only a guard is still there.
      if (this.#guardAt !== undefined) void this.#alarm.delete();
      this.#knows(NEVER);
    }
    this.#guardAt = undefined;
  }

  /** The drain ended with an error of the platform: nothing more is written by this instance's drain. */
  fail(): void {
    this.#draining = false;
    this.#poke = undefined;
    this.#knows(undefined);
    this.#guardAt = undefined;
  }

  #heal(alarm: number | null): void {
    const head = this.#head();
    if (head === NEVER) {
      this.#knows(NEVER);
      return;
    }
    this.#patienceMs = Math.min(LATE_MAX_MS, this.#patienceMs * 2);
    this.#onHeal(alarm === NEVER ? null : alarm, head);
    // One later than now: the platform takes a value that it already has for no change at all.
    this.#set(Math.max(head, clockNow() + 1));
  }

  /** A drain that begins stops it: no timer is left that would keep the object awake, and be billed. */
  #lookAgain(ms: number): void {
    this.#stopLooking ??= after(ms + LOOK_SLACK_MS, () => {
      this.#stopLooking = undefined;
      this.check(this.#notBefore).catch(() => {
        // The object is being reset; its next instance looks again.
      });
    });
  }

  #set(at: number): void {
    this.#knows(at);
    const arming = this.#alarm
      .set(at)
      .catch((error: unknown) => {
        // The moment is right, so it is the class. Anything else is of storage, and the object is being reset.
        if (error instanceof TypeError) this.#onRefused();
      })
      .then(() => {
        if (this.#arming === arming) this.#arming = undefined;
      });
    this.#arming = arming;
  }

  #knows(armed: number | undefined): void {
    this.#armed = armed;
    this.#version += 1;
  }
}
