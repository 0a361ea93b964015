// The user's own alarm: `setAlarm`, `getAlarm` and `deleteAlarm` as the platform documents them, on
// one row that rolls back with the user's transaction. The real alarm belongs to the wake; the drain
// runs this one when it is due. An object that never sets one has no such row.

import { currentAttempt } from "./attempt-scope.ts";
import { now as clockNow } from "../time/clock.ts";
import type { Core } from "./context.ts";
import type { StoredError } from "../message/envelope.ts";
import type { UserAlarm } from "../store/state.ts";
import { exponential } from "../time/duration.ts";

// As the platform retries: six times, the first after two seconds, each wait twice the one before.
const RETRIES = 6;
const BACKOFF_MS = 2_000;

/** The members that take the place of the storage's own, and of a transaction's. */
export interface AlarmMembers {
  readonly getAlarm: () => Promise<number | null>;
  readonly setAlarm: (time: number | Date) => Promise<void>;
  readonly deleteAlarm: () => Promise<void>;
  readonly [member: string | symbol]: unknown;
}

/** Makes the members. Async, as the platform's: what they write is written at once, what they refuse rejects. */
export function alarmMembers(core: Core): AlarmMembers {
  return {
    getAlarm: async () => {
      currentAttempt(core);
      // While the object starts, an alarm from before it had a mailbox may not be known yet.
      if (core.adoption.asked !== undefined) await core.adoption.asked;
      if (!core.exists()) return core.adoption.alarm ?? null;
      core.ready();
      const alarm = core.meta.get("alarm");
      // While it runs it is not set, unless it was set anew.
      if (alarm === undefined || isSame(alarm, core.runningAlarm)) return null;
      return alarm.askedFor ?? alarm.time;
    },
    setAlarm: async (time) => {
      currentAttempt(core);
      const at = Math.max(parseTime(time), clockNow());
      if (core.config.alarm === undefined) {
        throw new TypeError(
          "Your Durable Object class must have an alarm() handler in order to call setAlarm()",
        );
      }
      core.adoption.cut();
      core.ready();
      const { runningAlarm } = core;
      const anew = runningAlarm === undefined ? {} : { anew: (runningAlarm.anew ?? 0) + 1 };
      core.meta.set("alarm", { time: at, retry: 0, ...anew });
      core.wake.arm(at);
    },
    deleteAlarm: async () => {
      currentAttempt(core);
      // Adopted first, so that a rollback brings it back.
      if (core.exists() || core.adoption.alarm !== undefined) core.ready();
      const isOpen = core.adoption.cut();
      if (core.exists()) core.meta.clear("alarm");
      else if (isOpen) core.wake.dropForeign();
    },
  };
}

function parseTime(time: unknown): number {
  if (typeof time !== "number" && !(time instanceof Date)) {
    throw new TypeError(
      `setAlarm() takes a Date or a number of milliseconds, not ${time === null ? "null" : `a ${typeof time}`}`,
    );
  }
  const at = Math.ceil(Number(time));
  if (!Number.isFinite(at)) throw new TypeError("setAlarm() cannot be called with an invalid time");
  if (at <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
  return at;
}

/** Whether a row is still the one that was taken up, and was not set anew since. */
export function isSame(alarm: UserAlarm | undefined, taken: UserAlarm | undefined): boolean {
  return (
    alarm !== undefined &&
    taken !== undefined &&
    alarm.time === taken.time &&
    alarm.retry === taken.retry &&
    alarm.anew === taken.anew
  );
}

/** What an alarm handler is told. */
export function alarmInfo(alarm: UserAlarm): AlarmInvocationInfo {
  return {
    isRetry: alarm.retry > 0,
    retryCount: alarm.retry,
    scheduledTime: alarm.askedFor ?? alarm.time,
  };
}

/** Plans the retry of a run that failed, or drops the alarm after the last. One that was set anew wins. */
export function alarmFailed(core: Core, taken: UserAlarm, error: StoredError, now: number): void {
  if (!isSame(core.meta.get("alarm"), taken)) return;
  if (taken.retry >= RETRIES) {
    core.meta.clear("alarm");
    core.raise({ event: "alarmDropped", error });
    return;
  }
  const nextAt = now + exponential(BACKOFF_MS, Number.POSITIVE_INFINITY, taken.retry + 1);
  const askedFor = taken.askedFor ?? taken.time;
  core.meta.set("alarm", { ...taken, time: nextAt, retry: taken.retry + 1, askedFor });
  core.raise({ event: "alarmFailed", retry: taken.retry, error, nextAt });
}
