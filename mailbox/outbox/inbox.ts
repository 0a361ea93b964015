// The receiving half of the outbox. One row for each sender and epoch says how far it has come; rows
// and mark move in one commit, so a batch that comes again, whole or in part, is skipped where it is known.

import { acceptFromOutbox } from "../lifecycle/accept.ts";
import { now as clockNow } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import { MailboxError } from "../errors.ts";
import { sentOfId } from "../message/id.ts";
import { checkBatch, checkIncoming, type UncheckedBatch } from "../message/incoming.ts";
import type { BatchAnswer } from "../message/wire.ts";

/** Takes what is new of a batch, up to the room there is. */
export function takeBatch(core: Core, batch: unknown): BatchAnswer {
  const checked = checkBatch(batch);
  return core.commit(() => take(core, checked));
}

function take(core: Core, batch: UncheckedBatch): BatchAnswer {
  const now = clockNow();
  const known = core.outbox.sender(batch.sender, batch.epoch, now);
  const first = batch.messages[0];
  if (first === undefined) return { kind: "taken", upTo: known?.last_n ?? 0, full: false, refused: [] };
  const reached = known?.last_n ?? 0;
  if (known !== undefined) {
    // A number that we have with another id: the sender was put back, and uses its numbers again.
    const same = batch.messages.find((message) => message.n === reached);
    const isForked =
      same !== undefined
        ? same.id !== known.last_id
        : batch.confirmed !== null && batch.confirmed.n === reached
          ? batch.confirmed.id !== known.last_id
          : first.n <= reached && (batch.messages.at(-1)?.n ?? 0) < reached;
    if (isForked) return { kind: "fork" };
  }
  if (batch.confirmed !== null && batch.confirmed.n > reached && isRecent(batch.confirmed.id, batch, now)) {
    // This object was put back: what it had confirmed is gone from it, and from the sender too.
    core.raise({ event: "outboxGap", sender: batch.sender, expected: batch.confirmed.n, received: reached });
  }
  const { maxPending } = core.config;
  let room = maxPending === Number.POSITIVE_INFINITY ? maxPending : maxPending - core.pendingCount();
  let last: { n: number; id: string } | undefined;
  let full = false;
  const refused: { n: number; code: string; message: string }[] = [];
  for (const message of batch.messages) {
    if (message.n <= reached) continue;
    if (room <= 0) {
      full = true;
      break;
    }
    try {
      const checked = checkIncoming(core.config, message.content);
      acceptFromOutbox(core, { ...checked, options: { ...checked.options, from: batch.from } });
      room -= 1;
    } catch (error) {
      // One message that this mailbox never takes must not hold up those behind it: its sender keeps it.
      if (!(error instanceof MailboxError)) throw error;
      refused.push({ n: message.n, code: error.code, message: error.message });
    }
    last = { n: message.n, id: message.id };
  }
  if (last !== undefined) {
    core.outbox.putSender(batch.sender, batch.epoch, last.n, last.id, now + batch.keepMs);
  }
  return { kind: "taken", upTo: last?.n ?? reached, full, refused };
}

/** Whether the sender is surely remembered still, if it was not for a restore: what it sent is not old enough to forget. */
function isRecent(id: string, { keepMs }: UncheckedBatch, now: number): boolean {
  return (sentOfId(id) ?? now) > now - keepMs;
}
