// The occurrences of recurrences. A recurrence is one row that carries its present occurrence; the
// next is planned only in the commit that acks, kills or skips this one, so that at most one waits
// or runs. An occurrence becomes a message of its own only when it needs what a recurrence has not:
// a redelivery, a defer, another time, or a lease.

import { now as clockNow } from "../time/clock.ts";
import { unreadable, wrongOf } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import { type Backlogs, CAUGHT_UP } from "./backlogs.ts";
import { die } from "./die.ts";
import type { Envelope, StoredError } from "../message/envelope.ts";
import { occurrenceId } from "../message/id.ts";
import {
  type Bounds,
  isStoredRule,
  missedBetween,
  newestPlanned,
  nextPlanned,
  periodMs,
  type Rule,
  type StoredRule,
} from "../time/rule.ts";
import { readColumn } from "../json.ts";
import type { RecurrenceRow } from "../store/recurrences.ts";

/** Parses the rule column; undefined when it cannot be read. */
export function readRule({ rule }: RecurrenceRow): StoredRule | undefined {
  return readColumn(rule, isStoredRule);
}

const LATE_MS = 5 * 60 * 1000;

const NO_BOUNDS: Bounds = { missed: "latest" };

/** How the present occurrence ended. */
type End = "delivered" | "dead" | "skipped";

/** How many ended so, or no fewer than so many. */
interface Counted {
  readonly count: number;
  readonly isExact: boolean;
}

const ONE: Counted = { count: 1, isExact: true };

/** The present occurrence, as a message. */
export function presentEnvelope(row: RecurrenceRow, due: number): Envelope {
  return {
    parked: 0,
    due,
    id: occurrenceId(row.id, row.planned),
    type: row.type,
    payload: row.payload,
    attempt: 0,
    moved: due === row.planned ? 0 : 1,
    key: null,
    recurrence: row.id,
    options: row.options,
    history: null,
  };
}

/** Makes the present occurrence a message of its own, in the present commit; undefined if it is gone. */
export function detach(core: Core, row: RecurrenceRow): Envelope | undefined {
  if (row.next_due === null || !core.recurrences.detach(row.id, row.planned)) return undefined;
  const envelope = presentEnvelope(row, row.next_due);
  core.envelopes.insert(envelope);
  core.added(envelope.due);
  return envelope;
}

/**
 * Makes the present occurrence, which runs, a message that its recurrence knows nothing of any more: it
 * keeps its own end while other times take its place. A crash after this commit leaves it to be redelivered.
 */
export function letGo(core: Core, row: RecurrenceRow): void {
  const id = occurrenceId(row.id, row.planned);
  const own = core.envelopes.byId(id, row.planned);
  if (own !== undefined) {
    core.envelopes.move(own, { ...own, recurrence: null });
  } else if (row.next_due !== null) {
    core.envelopes.insert({ ...presentEnvelope(row, row.next_due), recurrence: null });
    core.added(row.next_due);
  }
}

/**
 * Plans the next occurrence in the commit that ends this one.
 *
 * @returns whether it was the present one still: not when its recurrence has moved on, or is gone
 */
export function advance(core: Core, id: string, planned: number, end: End): boolean {
  const row = core.recurrences.byId(id);
  if (row === undefined || row.planned !== planned || row.ended === 1) return false;
  const stored = readRule(row);
  if (stored === undefined) breakOff(core, row, end, endedError(row));
  else moveTo(core, row, stored.bounds, nextPlanned(stored.rule, planned), end, ONE);
  return true;
}

/**
 * Looks at a due occurrence before it is taken up. When it is late, or later planned times have
 * passed too, the recurrence's `missed` says which are delivered; the others are skipped, with one event.
 *
 * @returns the occurrence to deliver now, or undefined when there is none for now
 */
export function takeUp(core: Core, row: RecurrenceRow, backlogs: Backlogs): RecurrenceRow | undefined {
  const now = clockNow();
  const stored = readRule(row);
  if (stored === undefined) {
    core.commit(() => killUnreadable(core, row, now));
    return undefined;
  }
  const { rule, bounds } = stored;
  const until = Math.min(now, bounds.until ?? now);
  switch (bounds.missed) {
    case "latest": {
      const { count, latest, countIsExact } = missedBetween(rule, row.planned, until, CAUGHT_UP);
      if (count === 0) return row;
      skip(core, row, stored, latest, { count, isExact: countIsExact });
      return core.recurrences.byId(row.id);
    }
    case "skip": {
      const { count, latest, countIsExact } = missedBetween(rule, row.planned, until, CAUGHT_UP);
      const isLate = now - row.planned > Math.min(periodMs(rule, row.planned), LATE_MS);
      if (count === 0 && !isLate) return row;
      const next = nextPlanned(rule, Math.max(now, latest));
      skip(core, row, stored, next, { count: count + 1, isExact: countIsExact });
      return undefined;
    }
    case "all": {
      if (!backlogs.isTooMany(row, rule, until)) return row;
      const oldest = newestPlanned(rule, until, CAUGHT_UP)[0];
      if (oldest === undefined || oldest <= row.planned) return row;
      const { count, countIsExact } = missedBetween(rule, row.planned, oldest - 1, CAUGHT_UP);
      skip(core, row, stored, oldest, { count: count + 1, isExact: countIsExact });
      return core.recurrences.byId(row.id);
    }
  }
}

/** Skips the present occurrence because a person asked for it. */
export function skipPresent(core: Core, row: RecurrenceRow): void {
  const stored = readRule(row);
  if (stored === undefined) breakOff(core, row, "skipped", endedError(row));
  else skip(core, row, stored, nextPlanned(stored.rule, row.planned), ONE);
  core.generation += 1;
}

/**
 * The present occurrence of a recurrence whose rule cannot be read dies before it is taken up: whether it
 * is late, and what comes after it, nobody knows. Its letter is what a person finds.
 */
function killUnreadable(core: Core, row: RecurrenceRow, now: number): void {
  const error = unreadable(
    `${whyOf(row)} So it has ended, with its planned occurrence as a dead letter: declare it again by sendEvery, then redrive the letter.`,
  );
  if (!breakOff(core, row, "dead", error)) return;
  const record = { attempt: 1, startedAt: now, durationMs: 0, outcome: "unreadable" as const, ...error };
  die(
    core,
    presentEnvelope(row, row.next_due ?? row.planned),
    { reason: "unreadable", attempts: 1, record },
    now,
  );
}

/** Ends a recurrence that cannot plan its next occurrence, with an event; whether it was still there. */
function breakOff(core: Core, row: RecurrenceRow, end: End, error: StoredError): boolean {
  if (!moveTo(core, row, NO_BOUNDS, undefined, end, ONE)) return false;
  core.raise({ event: "unreadable", table: "_mailbox_recurrences", id: row.id, column: "rule", error });
  return true;
}

function endedError(row: RecurrenceRow): StoredError {
  return unreadable(`${whyOf(row)} So it has ended: declare it again by sendEvery.`);
}

function whyOf({ id, rule }: RecurrenceRow): string {
  return `The column rule of the recurrence ${id} cannot be read, because ${wrongOf(rule)}.`;
}

function skip(
  core: Core,
  row: RecurrenceRow,
  { rule, bounds }: StoredRule,
  to: number | undefined,
  counted: Counted,
): void {
  if (!moveTo(core, row, bounds, to, "skipped", counted)) return;
  core.raise({
    event: "skipped",
    id: row.id,
    type: row.type,
    count: counted.count,
    ...(counted.isExact ? {} : { atLeast: true }),
    from: row.planned,
    to: to === undefined ? row.planned : lastBefore(row, rule, to),
  });
}

function lastBefore(row: RecurrenceRow, rule: Rule, to: number): number {
  return newestPlanned(rule, to - 1, 1)[0] ?? row.planned;
}

/** Whether the recurrence was still there, and at this occurrence. */
function moveTo(
  core: Core,
  row: RecurrenceRow,
  bounds: Bounds,
  next: number | undefined,
  end: End,
  { count, isExact }: Counted,
): boolean {
  const delivered = row.delivered + (end === "delivered" ? count : 0);
  const dead = row.dead + (end === "dead" ? count : 0);
  const isOver =
    next === undefined ||
    (bounds.until !== undefined && next > bounds.until) ||
    (bounds.times !== undefined && delivered + dead >= bounds.times);
  const isMoved = core.recurrences.advance(row.id, row.planned, {
    next_due: isOver ? null : next,
    planned: isOver ? row.planned : next,
    last: end === "skipped" ? row.last : row.planned,
    delivered,
    dead,
    skipped: row.skipped + (end === "skipped" ? count : 0),
    inexact: isExact ? row.inexact : 1,
    ended: isOver ? 1 : 0,
  });
  // Else nothing has changed, and a drain that took it for progress would never end.
  if (!isMoved) return false;
  core.step();
  if (isOver) return true;
  // A time that has passed already is delivered by the drain that runs now.
  if (next <= core.selectedUntil) core.generation += 1;
  // The present occurrence may have waited for longer than until this one, as when it was deferred.
  if (!core.paused) core.wake.arm(next);
  return true;
}
