// The occurrences of recurrences. A recurrence is one row that carries its present occurrence; the
// next is planned only in the commit that acks, kills or skips this one, so that at most one waits
// or runs. An occurrence becomes a message of its own only when it needs what a recurrence has not:
// a redelivery, a defer, another time, or a lease.

import { now as clockNow } from "./clock.ts";
import type { Core } from "./core.ts";
import type { Envelope } from "./envelope.ts";
import { occurrenceId } from "./ids.ts";
import { type Bounds, missedBetween, newestPlanned, nextPlanned, periodMs, type Rule } from "./recurrence.ts";
import type { RecurrenceRow } from "./store-recurrences.ts";

/** The rule column. */
export interface StoredRule {
  readonly rule: Rule;
  readonly bounds: Bounds;
}

export function parseRule(row: RecurrenceRow): StoredRule {
  return JSON.parse(row.rule) as StoredRule;
}

const LATE_MS = 5 * 60 * 1000;
const CAUGHT_UP = 1_000;

/** How the present occurrence ended. */
type End = "delivered" | "dead" | "skipped";

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

/** Plans the next occurrence in the commit that ends this one. Does nothing when the recurrence has moved on or is gone. */
export function advance(core: Core, id: string, planned: number, end: End): void {
  const row = core.recurrences.byId(id);
  if (row === undefined || row.planned !== planned || row.ended === 1) return;
  const { rule } = parseRule(row);
  moveTo(core, row, nextPlanned(rule, planned), end, 1);
}

/**
 * Looks at a due occurrence before it is taken up. When it is late, or later planned times have
 * passed too, the recurrence's `missed` says which are delivered; the others are skipped, with one event.
 *
 * @returns the occurrence to deliver now, or undefined when there is none for now
 */
export function takeUp(core: Core, row: RecurrenceRow): RecurrenceRow | undefined {
  const now = clockNow();
  const { rule, bounds } = parseRule(row);
  const missed = missedBetween(rule, row.planned, Math.min(now, bounds.until ?? now), CAUGHT_UP);
  const isLate = now - row.planned > Math.min(periodMs(rule, row.planned), LATE_MS);
  if (missed.count === 0 && !isLate) return row;
  switch (bounds.missed) {
    case "latest": {
      if (missed.count === 0) return row;
      skip(core, row, missed.latest, missed.count);
      return core.recurrences.byId(row.id);
    }
    case "skip": {
      const next = nextPlanned(rule, Math.max(now, missed.latest));
      skip(core, row, next, missed.count + 1);
      return undefined;
    }
    case "all": {
      if (missed.count < CAUGHT_UP) return row;
      const oldest = newestPlanned(rule, Math.min(now, bounds.until ?? now), CAUGHT_UP)[0];
      if (oldest === undefined || oldest <= row.planned) return row;
      skip(core, row, oldest, missed.count + 1 - CAUGHT_UP);
      return core.recurrences.byId(row.id);
    }
  }
}

/** Skips the present occurrence because a person asked for it. */
export function skipPresent(core: Core, row: RecurrenceRow): void {
  const { rule } = parseRule(row);
  skip(core, row, nextPlanned(rule, row.planned), 1);
  core.generation += 1;
}

function skip(core: Core, row: RecurrenceRow, to: number | undefined, count: number): void {
  core.raise({
    event: "skipped",
    id: row.id,
    type: row.type,
    count,
    from: row.planned,
    to: to === undefined ? row.planned : lastBefore(row, to),
  });
  moveTo(core, row, to, "skipped", count);
}

function lastBefore(row: RecurrenceRow, to: number): number {
  const { rule } = parseRule(row);
  return newestPlanned(rule, to - 1, 1)[0] ?? row.planned;
}

function moveTo(core: Core, row: RecurrenceRow, next: number | undefined, end: End, count: number): void {
  const { bounds } = parseRule(row);
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
    ended: isOver ? 1 : 0,
  });
  if (isMoved) core.step();
  if (isOver) return;
  // A time that has passed already is delivered by the drain that runs now.
  if (next <= core.selectedUntil) core.generation += 1;
  // The present occurrence may have waited for longer than until this one, as when it was deferred.
  if (!core.paused) core.wake.arm(next);
}
