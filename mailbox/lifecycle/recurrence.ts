// Declaring recurrences. A recurrence is known by its type and key, so declaring it again, from
// anywhere and on every wake, finds the one that is there: the same rule writes nothing.

import { now as clockNow } from "../time/clock.ts";
import { formatOptions, readOptions } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import type { Accepting, Declaration } from "../message/envelope.ts";
import type { Attempt } from "../host/attempt.ts";
import { cancelRunning } from "../host/attempt-scope.ts";
import { occurrenceId } from "../message/id.ts";
import { Backlogs, CAUGHT_UP } from "./backlogs.ts";
import { letGo, readRule, takeUp } from "./occurrence.ts";
import {
  type Bounds,
  describeRule,
  firstPlanned,
  missedBetween,
  nextPlanned,
  parseEvery,
  type Rule,
  sameRule,
  type StoredRule,
} from "../time/rule.ts";
import type { RecurrenceRow } from "../store/recurrences.ts";

/** A recurrence, as `recurrences()` gives it. */
export interface Recurrence {
  readonly id: string;
  readonly type: string;
  readonly key?: string;
  /** For a person: `every 5 min`, `0 9 * * 1 Europe/Berlin`; `unreadable` when something else has written its row. */
  readonly rule: string;
  /** The planned time of the next occurrence, or of the one that waits or runs; none when it has ended. */
  readonly nextAt?: number;
  /** The planned time of the last occurrence that was delivered or died. */
  readonly lastAt?: number;
  readonly delivered: number;
  readonly dead: number;
  readonly skipped: number;
  /** That many were skipped, or more: a long backlog of a cron rule is counted up to a thousand. */
  readonly atLeast?: true;
  readonly ended: boolean;
}

/** The rule of a declaration, by this mailbox' settings. @throws {InvalidRecurrenceError} */
export function ruleOf(core: Core, made: Declaration): Rule {
  return parseEvery(made.every, {
    now: clockNow(),
    minIntervalMs: core.config.minIntervalMs,
    startAt: made.startAt,
  });
}

/** Declares a recurrence in the present commit, where `row` is what its id has by now; answers the id. */
export function declare(
  core: Core,
  message: Accepting,
  made: Declaration,
  row: RecurrenceRow | undefined,
): string {
  const now = clockNow();
  const { id } = message;
  // One that cannot be read is declared as if it were new.
  const before = row === undefined ? undefined : readRule(row);
  const asked = ruleOf(core, made);
  // Declared again without a start, an interval keeps the anchor that it got the first time.
  const rule = before !== undefined && sameRule(asked, before.rule) ? before.rule : asked;
  const bounds: Bounds = {
    missed: made.missed,
    ...(made.startAt === undefined ? {} : { startAt: made.startAt }),
    ...(made.until === undefined ? {} : { until: made.until }),
    ...(made.times === undefined ? {} : { times: made.times }),
  };
  const options = formatOptions({
    ...(made.policy === undefined ? {} : { policy: made.policy }),
    ...(message.options?.from === undefined ? {} : { from: message.options.from }),
  });
  if (row !== undefined && before !== undefined && rule === before.rule && sameTimes(bounds, before.bounds)) {
    // Who declared it is not part of the rule, so that declaring it from everywhere writes nothing.
    if (
      row.payload === message.payload &&
      policyText(row.options) === policyText(options) &&
      bounds.missed === before.bounds.missed
    )
      return id;
    // Another payload, policy or way with missed times, and the same times: the planned time stands.
    core.recurrences.put({ ...row, payload: message.payload, options, rule: ruleText(rule, bounds) });
    core.generation += 1;
    return id;
  }
  if (row !== undefined) endPresent(core, row, before, now);
  const first = firstFree(
    core,
    id,
    rule,
    firstPlanned(rule, { now, ...(made.startAt === undefined ? {} : { startAt: made.startAt }) }),
  );
  const isOver = first === undefined || (made.until !== undefined && first > made.until);
  core.recurrences.put({
    id,
    type: message.type,
    key: made.key,
    payload: message.payload,
    rule: ruleText(rule, bounds),
    options,
    next_due: isOver ? null : first,
    planned: first ?? now,
    last: row?.last ?? null,
    delivered: 0,
    dead: 0,
    skipped: 0,
    inexact: 0,
    ended: isOver ? 1 : 0,
  });
  core.generation += 1;
  if (!isOver && !core.paused) core.wake.arm(first);
  return id;
}

/**
 * Other times take the place of the present occurrence. One that runs keeps its own end, one that is due is
 * delivered all the same, and one that waits for a redelivery is skipped. One that is not due was never owed.
 */
function endPresent(core: Core, row: RecurrenceRow, stored: StoredRule | undefined, now: number): void {
  const { id, type, planned } = row;
  if (core.runs(occurrenceId(id, planned))) {
    letGo(core, row);
  } else if (stored !== undefined && row.next_due !== null && row.next_due <= now) {
    letDueGo(core, row, stored, now);
  } else if (dropWaiting(core, row)) {
    core.raise({ event: "skipped", id, type, count: 1, from: planned, to: planned });
  }
}

/** Of what is due, the old times say which is delivered. What they would deliver after that is skipped. */
function letDueGo(core: Core, row: RecurrenceRow, { rule, bounds }: StoredRule, now: number): void {
  const due = takeUp(core, row, new Backlogs());
  if (due === undefined) return;
  letGo(core, due);
  const until = Math.min(now, bounds.until ?? now);
  const { count, latest, countIsExact } = missedBetween(rule, due.planned, until, CAUGHT_UP);
  const from = nextPlanned(rule, due.planned);
  if (count === 0 || from === undefined) return;
  const atLeast = countIsExact ? {} : { atLeast: true as const };
  core.raise({ event: "skipped", id: row.id, type: row.type, count, ...atLeast, from, to: latest });
}

/** The first of these planned times that no message or letter has already: of the old times one may be there that ran early. */
function firstFree(core: Core, id: string, rule: Rule, first: number | undefined): number | undefined {
  for (let planned = first; planned !== undefined; planned = nextPlanned(rule, planned)) {
    const occurrence = occurrenceId(id, planned);
    if (core.envelopes.byId(occurrence, planned) === undefined && !core.letters.has(occurrence))
      return planned;
  }
  return undefined;
}

/** What a row says, for a person. */
export function recurrenceView(row: RecurrenceRow): Recurrence {
  const stored = readRule(row);
  return {
    id: row.id,
    type: row.type,
    ...(row.key === "" ? {} : { key: row.key }),
    rule: stored === undefined ? "unreadable" : describeRule(stored.rule),
    ...(row.ended === 1 ? {} : { nextAt: row.planned }),
    ...(row.last === null ? {} : { lastAt: row.last }),
    delivered: row.delivered,
    dead: row.dead,
    skipped: row.skipped,
    ...(row.inexact === 1 ? { atLeast: true } : {}),
    ended: row.ended === 1,
  };
}

/** Ends a recurrence and its waiting occurrence; whether there was one. */
export function endRecurrence(core: Core, attempt: Attempt | undefined, id: string): boolean {
  const row = core.recurrences.byId(id);
  if (row === undefined) return false;
  core.recurrences.delete(id);
  dropWaiting(core, row);
  if (core.runs(occurrenceId(row.id, row.planned))) {
    cancelRunning(core, attempt, "The recurrence was cancelled.");
  }
  core.generation += 1;
  if (row.ended === 1) return false;
  core.raise({ event: "cancelled", id, type: row.type });
  return true;
}

/** Deletes the present occurrence, if it is a message of its own by now; whether it was. */
function dropWaiting(core: Core, row: RecurrenceRow): boolean {
  const envelope = core.envelopes.byId(occurrenceId(row.id, row.planned), row.planned);
  if (envelope === undefined || !core.envelopes.delete(envelope)) return false;
  core.changed(1);
  return true;
}

/** Equal for equal policies. What cannot be read is none, so that declaring it again writes it anew. */
function policyText(text: string | null): string | undefined {
  const options = readOptions(text);
  return options === undefined ? "unreadable" : JSON.stringify(options.policy);
}

function ruleText(rule: Rule, bounds: Bounds): string {
  return JSON.stringify({ rule, bounds } satisfies StoredRule);
}

function sameTimes(a: Bounds, b: Bounds): boolean {
  return a.startAt === b.startAt && a.until === b.until && a.times === b.times;
}
