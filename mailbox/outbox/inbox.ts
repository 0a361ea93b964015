// The receiving half of the outbox. One row for each sender and epoch says how far it has come; rows
// and mark move in one commit, so a batch that comes again, whole or in part, is skipped where it is known.
//
// The mark covers what was taken, and nothing else. A message that this mailbox never takes is refused by
// its number, and again as often as it is asked for: a sender that lost the answer gets it once more.

import { acceptFromOutbox } from "../lifecycle/accept.ts";
import { now as clockNow } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import { isNotYet, MailboxError } from "../errors.ts";
import type { Accepting } from "../message/envelope.ts";
import { sentOfId } from "../message/id.ts";
import { checkBatch, checkIncoming, type Limits, type UncheckedBatch } from "../message/incoming.ts";
import type { BatchAnswer, RefusedMessage } from "../message/wire.ts";
import type { SenderRow } from "../store/outbox.ts";

/** A message of a batch: to be taken, or never to be. */
type Checked =
  | { readonly n: number; readonly accepting: Accepting }
  | { readonly n: number; readonly refusal: RefusedMessage };

/**
 * Takes what is new of a batch, up to the first message that is never to be taken, or to the room there is.
 *
 * @throws {UnsupportedVersionError} when something in it is of a later version: then nothing of it is taken
 */
export function takeBatch(core: Core, batch: unknown): BatchAnswer {
  const checked = checkBatch(batch);
  return core.commit(() => take(core, checked));
}

function take(core: Core, batch: UncheckedBatch): BatchAnswer {
  // Settings that are wrong are none of the messages' fault: the whole batch waits for better ones.
  const { config } = core;
  const now = clockNow();
  const known = core.outbox.sender(batch.sender, batch.epoch, now);
  const reached = known?.last_n ?? 0;
  if (known !== undefined && isForked(batch, known)) return { kind: "fork" };
  if (isGap(batch, known, now)) {
    // This object was put back: what it had confirmed is gone from it, and from the sender too.
    const expected = batch.confirmed?.n ?? 0;
    core.raise({ event: "outboxGap", sender: batch.sender, expected, received: reached });
  }
  const fresh = batch.messages
    .filter(({ n }) => n > reached)
    .map(({ n, content }) => check(config, n, content));
  let room =
    config.maxPending === Number.POSITIVE_INFINITY
      ? config.maxPending
      : config.maxPending - core.pendingCount();
  let upTo = reached;
  let full = false;
  const refused: RefusedMessage[] = [];
  for (const one of fresh) {
    if ("refusal" in one) {
      refused.push(one.refusal);
      continue;
    }
    // What is behind a refusal comes in the next batch: the mark cannot be behind it and before it.
    if (refused.length > 0) break;
    full = room <= 0;
    if (full) break;
    const { n, accepting } = one;
    try {
      acceptFromOutbox(core, { ...accepting, options: { ...accepting.options, from: batch.from } });
      room -= 1;
      upTo = n;
    } catch (error) {
      // A recurrence that no calendar can follow; nothing of it was written.
      refused.push(refusalOf(n, error));
    }
  }
  const last = batch.messages.find(({ n }) => n === upTo);
  if (upTo > reached && last !== undefined) {
    if (known === undefined) core.outbox.grown += 1;
    core.outbox.putSender(batch.sender, batch.epoch, upTo, last.id, now + batch.keepMs);
  }
  return { kind: "taken", upTo, full, refused };
}

function check(limits: Limits, n: number, content: unknown): Checked {
  try {
    return { n, accepting: checkIncoming(limits, content) };
  } catch (error) {
    return { n, refusal: refusalOf(n, error) };
  }
}

/** One message that is never taken must not hold up the others. @throws what is no refusal of this message alone */
function refusalOf(n: number, error: unknown): RefusedMessage {
  if (!(error instanceof MailboxError) || isNotYet(error)) throw error;
  return { n, code: error.code, message: error.message };
}

/** Whether a number that we have has another id: the sender was put back, and uses its numbers again. */
function isForked({ messages, confirmed }: UncheckedBatch, known: SenderRow): boolean {
  const same = messages.find(({ n }) => n === known.last_n);
  if (same !== undefined) return same.id !== known.last_id;
  if (confirmed !== null && confirmed.n === known.last_n) return confirmed.id !== known.last_id;
  // A true repeat has the last that was taken of it, because what may be on its way cannot be cancelled.
  return (messages[0]?.n ?? Number.POSITIVE_INFINITY) <= known.last_n;
}

/** Whether something is missing here that the sender knows to have arrived. */
function isGap({ confirmed, keepMs }: UncheckedBatch, known: SenderRow | undefined, now: number): boolean {
  if (confirmed === null || confirmed.n <= (known?.last_n ?? 0)) return false;
  if (known !== undefined) return true;
  // Nothing is known of the sender any more. That is a loss only if it is too early to have been forgotten,
  // which the id of a declaration does not tell.
  const sentAt = sentOfId(confirmed.id);
  return sentAt !== undefined && sentAt > now - keepMs;
}
