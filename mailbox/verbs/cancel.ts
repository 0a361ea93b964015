// The verbs that act on one message: by the id that its send gave, whatever happened to it since, or
// by type and key, which find the one that waits. What a running attempt has in memory is looked at first.

import type { Attempt } from "../host/attempt.ts";
import type { Core } from "../host/context.ts";
import type { Envelope } from "../message/envelope.ts";
import { cancelRunning } from "../host/attempt-scope.ts";
import { endRecurrence } from "../lifecycle/recurrence.ts";
import { movedFlag, isRecurrenceId, parseOccurrenceId } from "../message/id.ts";
import { detach, skipPresent } from "../lifecycle/occurrence.ts";
import { isTarget, type Target } from "../message/selector.ts";
import { holderOf } from "../lifecycle/accept.ts";
import { acceptedRow } from "../store/envelopes.ts";
import { findById, messageView, type StoredMessage } from "./lists.ts";

/** Cancels a message, a recurrence or an occurrence; whether there was one. */
export function cancel(core: Core, attempt: Attempt | undefined, target: Target): boolean {
  const dropped =
    attempt?.buffer.drop((outgoing) => outgoing.to === "self" && isTarget(outgoing.message, target)) ?? 0;
  if ("id" in target && isRecurrenceId(target.id))
    return endRecurrence(core, attempt, target.id) || dropped > 0;
  const row = find(core, target);
  if (row === undefined) return dropped > 0;
  if (isPresent(core, row)) {
    const recurrence = core.recurrences.byId(row.recurrence ?? "");
    if (recurrence !== undefined) skipPresent(core, recurrence);
  } else {
    core.envelopes.delete(row);
    core.changed(1);
    skipOccurrence(core, row);
  }
  if (core.runs(row.id)) cancelRunning(core, attempt, "The message was cancelled.");
  core.raise({ event: "cancelled", id: row.id, type: row.type });
  return true;
}

/** Gives a waiting message another due time; whether there was one. */
export function reschedule(core: Core, attempt: Attempt | undefined, target: Target, at: number): boolean {
  const changed = attempt?.buffer.change(
    (outgoing) =>
      outgoing.to === "self" &&
      outgoing.message.declaration === undefined &&
      isTarget(outgoing.message, target),
    (message) => ({ ...message, due: at, immediate: false, moved: true }),
  );
  if (changed === true) return true;
  const found = find(core, target);
  if (found === undefined || core.runs(found.id)) return false;
  const recurrence = isPresent(core, found) ? core.recurrences.byId(found.recurrence ?? "") : undefined;
  const row = recurrence === undefined ? found : detach(core, recurrence);
  if (row === undefined) return false;
  const moved = row.parked > 0 ? 1 : movedFlag(row.id, at);
  core.envelopes.move(row, { ...row, due: at, moved });
  core.generation += 1;
  if (!core.paused && row.parked === 0) core.wake.arm(at);
  return true;
}

/** A message as it is now. */
export function get(core: Core, attempt: Attempt | undefined, target: Target): StoredMessage | undefined {
  const waiting = attempt?.buffer.find(
    (outgoing) => outgoing.to === "self" && isTarget(outgoing.message, target),
  );
  if (waiting !== undefined && waiting.message.declaration === undefined) {
    return messageView(core, acceptedRow(waiting.message, waiting.message.due));
  }
  const row = find(core, target);
  return row === undefined ? undefined : messageView(core, row);
}

function find(core: Core, target: Target): Envelope | undefined {
  if ("id" in target) return findById(core, target.id);
  return holderOf(core, target.type, target.key);
}

/** Whether an occurrence is part of its recurrence still, and not a row of its own. */
function isPresent(core: Core, row: Envelope): boolean {
  return row.recurrence !== null && core.envelopes.at(row) === undefined;
}

/** A cancelled occurrence is skipped: its recurrence goes on. */
function skipOccurrence(core: Core, row: Envelope): void {
  const occurrence = row.recurrence === null ? undefined : parseOccurrenceId(row.id);
  if (occurrence === undefined) return;
  const recurrence = core.recurrences.byId(occurrence.recurrence);
  if (recurrence?.planned === occurrence.plannedAt && recurrence.ended === 0) skipPresent(core, recurrence);
}
