// What a person passes to sendEvery, parsed: a declaration on its way.

import { InvalidOptionError } from "../errors.ts";
import { encodePayload, VOID_PAYLOAD } from "../payload/codec.ts";
import { now as clockNow } from "../time/clock.ts";
import { type Moment, parseMoment } from "../time/duration.ts";
import { type Every, type Missed, parseEvery, SMALLEST_INTERVAL_MS } from "../time/rule.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { checkKey, checkTypeName, integer } from "./check.ts";
import type { Accepting, Declaration } from "./envelope.ts";
import { recurrenceId } from "./id.ts";
import { parsePolicy, type Policy, POLICY_NAMES } from "./policy.ts";

/** The options of `sendEvery`. */
export interface RecurrenceOptions extends Policy {
  /** Tells recurrences of one type apart: one recurrence per type and key. @default none */
  readonly key?: string;
  /**
   * No occurrence is planned before this moment; for an interval it is the first, if it is not past. It is part
   * of the times: another moment plans anew, so one that follows the clock moves the first occurrence each time
   * it is declared, and it comes only when it is due before the next declaration.
   */
  readonly startAt?: Moment;
  /** No occurrence is planned after this moment; one at it is. */
  readonly until?: Moment;
  /** How many occurrences are delivered, or die, before the recurrence ends. 1 or more. */
  readonly times?: number;
  /**
   * Which of the occurrences are delivered that are late: whose time passed while the object was paused, busy or
   * away. The newest (`latest`), none (`skip`), or each in order, up to the newest 1,000 (`all`). To `skip`, late
   * is more than five minutes, or than the time to the next occurrence if that is less, or when that has passed
   * too; within this grace it is delivered, whatever it was that held it up, a slow handler of the mailbox too.
   * @default "latest"
   */
  readonly missed?: Missed;
}

const OPTION_NAMES: Names<RecurrenceOptions> = {
  key: true,
  startAt: true,
  until: true,
  times: true,
  missed: true,
  ...POLICY_NAMES,
};

/**
 * Makes the declaration of one `sendEvery`: everything is checked where it was asked for, but the
 * smallest interval, which is the receiving mailbox' own.
 *
 * @throws typed errors
 */
export function outgoingEvery(
  every: unknown,
  type: unknown,
  payload: unknown,
  options: RecurrenceOptions | undefined,
): Accepting {
  const now = clockNow();
  const checkedType = checkTypeName(type);
  const declaration = parseOptions(every, options ?? {}, now);
  parseEvery(every, { now, minIntervalMs: SMALLEST_INTERVAL_MS, startAt: declaration.startAt });
  return {
    id: recurrenceId(checkedType, declaration.key),
    due: now,
    type: checkedType,
    payload: payload === undefined ? VOID_PAYLOAD : encodePayload(payload),
    immediate: true,
    declaration,
  };
}

function parseOptions(every: unknown, options: RecurrenceOptions, now: number): Declaration {
  checkNames(options, OPTION_NAMES, "the options");
  const { key, startAt, until, times, missed = "latest", ...rest } = options;
  if (missed !== "latest" && missed !== "skip" && missed !== "all") {
    throw new InvalidOptionError(`missed is ${quote(missed)}; expected "latest", "skip" or "all".`);
  }
  const policy = parsePolicy(rest, "the options");
  return {
    // Whatever else it is, parseEvery refuses it in its own words.
    every: every as Every,
    key: key === undefined ? "" : checkKey(key),
    missed,
    ...(startAt === undefined ? {} : { startAt: parseMoment(startAt, "startAt", now) }),
    ...(until === undefined ? {} : { until: parseMoment(until, "until", now) }),
    ...(times === undefined ? {} : { times: integer(times, "times", 1, Number.MAX_SAFE_INTEGER) }),
    ...(policy === undefined ? {} : { policy }),
  };
}
