// Applies what was decided of a message: acks it, moves it, or makes it a dead letter, and moves its
// recurrence on, in the present transaction. Every write asks for the row first: a message that was
// cancelled while it ran has none, and then nothing follows.

import type { Attempt } from "../host/attempt.ts";
import { addToHistory, formatOptions, parseOptions } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import { die } from "./die.ts";
import { decide, type Outcome, type Result } from "../message/decide.ts";
import type { AttemptRecord, Envelope, EnvelopeOptions } from "../message/envelope.ts";
import { dueOfId, movedFlag } from "../message/id.ts";
import { advance, detach } from "./occurrence.ts";
import type { ResolvedPolicy } from "../message/policy.ts";
import type { RecurrenceRow } from "../store/recurrences.ts";

/** What a drain delivers: a message, or the present occurrence of a recurrence that is not one yet. */
export interface Item {
  readonly row: Envelope;
  readonly present: RecurrenceRow | undefined;
}

/** Acknowledges: the row is gone, or the recurrence has moved on. A row that is gone already is a success too. */
export function ack(core: Core, { row, present }: Item): void {
  if (present !== undefined && advance(core, present.id, present.planned, "delivered")) return;
  if (core.envelopes.delete(row)) core.removed(1);
  if (present === undefined) advanceOccurrence(core, row, "delivered");
}

/** Applies the outcome of an attempt that did not ack. Sends of the attempt are written already, if they are to be. */
export function settle(
  core: Core,
  item: Item,
  attempt: number,
  result: Result,
  policy: ResolvedPolicy,
  startedAt: number,
  now: number,
): void {
  const outcome = decide({ id: item.row.id, attempt }, result, policy, now);
  const record = recordOf(result, attempt, startedAt, now);
  switch (outcome.kind) {
    case "ack":
      ack(core, item);
      return;
    case "defer":
      defer(core, item, outcome.due);
      return;
    case "redeliver":
      redeliver(core, item, attempt, outcome, record, result, policy);
      return;
    case "die":
      kill(core, item, outcome, record, attempt, now);
      return;
  }
}

function defer(core: Core, item: Item, due: number): void {
  const row = asMessage(core, item);
  if (row === undefined) return;
  const options = parseOptions(row.options);
  const moved = move(
    core,
    row,
    due,
    row.attempt,
    { ...options, defers: (options.defers ?? 0) + 1 },
    row.history,
  );
  if (moved) core.raise({ event: "deferred", id: row.id, type: row.type, until: due });
}

function redeliver(
  core: Core,
  item: Item,
  attempt: number,
  outcome: Extract<Outcome, { kind: "redeliver" }>,
  record: AttemptRecord | undefined,
  result: Result,
  policy: ResolvedPolicy,
): void {
  const row = asMessage(core, item);
  if (row === undefined || record === undefined || result.kind !== "failed") return;
  const history = addToHistory(row.history, record);
  if (!move(core, row, outcome.due, attempt, parseOptions(row.options), history)) return;
  core.failed += 1;
  core.raise({
    event: "attemptFailed",
    id: row.id,
    type: row.type,
    attempt,
    maxAttempts: policy.maxAttempts,
    outcome: result.outcome,
    error: result.error,
    nextAt: outcome.due,
  });
}

function kill(
  core: Core,
  item: Item,
  outcome: Extract<Outcome, { kind: "die" }>,
  record: AttemptRecord | undefined,
  attempt: number,
  now: number,
): void {
  const { row, present } = item;
  const isPart = present !== undefined && advance(core, present.id, present.planned, "dead");
  if (!isPart) {
    if (!core.envelopes.delete(row)) return;
    core.removed(1);
  }
  core.failed += 1;
  die(
    core,
    row,
    { reason: outcome.reason, attempts: record === undefined ? row.attempt : attempt, record },
    now,
  );
  if (present === undefined) advanceOccurrence(core, row, "dead");
}

/**
 * An occurrence that is to be kept becomes a message of its own. It is one already, and none of its
 * recurrence's any more, when that was declared with other times while it ran.
 */
function asMessage(core: Core, { row, present }: Item): Envelope | undefined {
  if (row.recurrence === null) return row;
  return (present === undefined ? undefined : detach(core, present)) ?? core.envelopes.at(row);
}

/** Moves a row to a later time, with its key if that is still free; whether the row was there. */
function move(
  core: Core,
  row: Envelope,
  due: number,
  attempt: number,
  options: EnvelopeOptions,
  history: string | null,
): boolean {
  const wasThere = core.envelopes.move(row, {
    parked: 0,
    due,
    attempt,
    moved: movedFlag(row.id, due),
    key: freeKey(core, row),
    recurrence: row.recurrence,
    options: formatOptions(options),
    history,
  });
  if (wasThere) core.movedTo(due);
  return wasThere;
}

/** The key that a message takes back: its own, unless another message has it now. */
export function freeKey(core: Core, row: Envelope): string | null {
  if (row.key === null) return null;
  const holder = core.envelopes.byKey(row.type, row.key);
  return holder === undefined || holder.id === row.id ? row.key : null;
}

/** Moves the recurrence of an occurrence on that has become a message of its own. */
export function advanceOccurrence(core: Core, row: Envelope, end: "delivered" | "dead"): void {
  if (row.recurrence === null) return;
  const planned = dueOfId(row.id);
  if (planned !== undefined) advance(core, row.recurrence, planned, end);
}

function recordOf(
  result: Result,
  attempt: number,
  startedAt: number,
  now: number,
): AttemptRecord | undefined {
  const times = { attempt, startedAt, durationMs: Math.max(0, now - startedAt) };
  switch (result.kind) {
    case "completed":
    case "expired":
      return undefined;
    case "failed":
      return { ...times, outcome: result.outcome, ...result.error };
    case "rejected":
    case "unreadable":
      return { ...times, outcome: result.kind, ...result.error };
  }
}

/** Clears the lease of an attempt, in the commit of its outcome. */
export function clearLease(core: Core, attempt: Attempt): void {
  if (attempt.leased) core.meta.clear("lease");
}
