// How a message gets into the mailbox: its key is resolved, its row is written, the wake is told.
// Everything a send needs to be checked for has been checked before.

import { now as clockNow } from "../time/clock.ts";
import { type Core, PARKED_AGE_MS } from "../host/context.ts";
import type { Accepting, Envelope } from "../message/envelope.ts";
import { MailboxFullError } from "../errors.ts";
import { declare } from "./recurrence.ts";
import { dueOfId } from "../message/id.ts";
import { acceptedRow } from "../store/envelopes.ts";
import { fitsBulk } from "../store/bulk.ts";

/** From so many messages on, one statement for all costs less. */
const BULK_LEAST = 8;

/**
 * Writes one message in the present commit.
 *
 * @param isLate the caller has its id already, so a message that `keep` drops raises an event
 * @returns the id of the message that waits: its own, or that of the one that was kept
 */
export function accept(core: Core, message: Accepting, isLate: boolean, now: number = clockNow()): string {
  if (message.declaration !== undefined) {
    return declare(core, message, message.declaration, core.recurrences.byId(message.id));
  }
  const due = dueOf(message, now);
  if (message.key !== undefined) {
    const kept = resolveKey(core, message, message.key);
    if (kept !== undefined) {
      if (isLate) core.raise({ event: "notEnqueued", id: message.id, type: message.type, keptId: kept });
      return kept;
    }
  }
  if (isPlain(message, due)) {
    core.envelopes.insertPlain(due, message.id, message.type, message.payload);
  } else {
    core.envelopes.insert(acceptedRow(message, due));
  }
  core.added(due);
  if (!core.paused) core.wake.arm(due, now);
  if (core.events.wanted) core.raise({ event: "accepted", id: message.id, type: message.type, dueAt: due });
  return message.id;
}

/** Writes messages in the present commit, as {@link accept} does; many plain ones in few statements. Answers their ids. */
export function acceptAll(core: Core, messages: readonly Accepting[], isLate: boolean): readonly string[] {
  const now = clockNow();
  if (
    messages.length < BULK_LEAST ||
    !messages.every((message) => isPlain(message, dueOf(message, now)) && fitsBulk(message))
  )
    return messages.map((message) => accept(core, message, isLate));
  const first = core.envelopes.insertMany(messages);
  for (const { id, type, due } of messages) {
    core.added(due);
    if (core.events.wanted) core.raise({ event: "accepted", id, type, dueAt: due });
  }
  if (!core.paused) core.wake.arm(first, now);
  return messages.map(({ id }) => id);
}

/** When a message is due here: a sender whose clock is ahead delays nobody. */
function dueOf({ immediate, due }: Accepting, now: number): number {
  return immediate ? Math.min(due, now) : due;
}

/** Whether its row, due then, has nothing but its payload. */
function isPlain(message: Accepting, due: number): boolean {
  return (
    message.key === undefined &&
    message.options === undefined &&
    message.declaration === undefined &&
    message.moved === undefined &&
    due === message.due
  );
}

/**
 * Writes messages that came from outside, all or none, with ids of their sender's making: a repeat of
 * one that is in the mailbox, moved or not, or that died, is answered and not written again.
 *
 * @throws {MailboxFullError}
 */
export function acceptFromOutside(core: Core, messages: readonly Accepting[]): readonly string[] {
  const known = knownAmong(core, messages);
  const fresh: Accepting[] = [];
  for (const message of messages) {
    if (message.declaration === undefined) {
      if (known.has(message.id)) continue;
      known.add(message.id);
    }
    fresh.push(message);
  }
  // A recurrence is no pending message, and declaring one again adds nothing.
  checkRoom(core, fresh.filter(({ declaration }) => declaration === undefined).length);
  const accepted = (): readonly string[] => {
    const ids = acceptAll(core, fresh, false);
    if (fresh.length === messages.length) return ids;
    const kept = new Map(fresh.map(({ id }, index) => [id, ids[index] ?? id]));
    return messages.map(({ id }) => kept.get(id) ?? id);
  };
  // One message is one statement, or one that no error can follow.
  return messages.length === 1 ? accepted() : core.commit(accepted);
}

/** Refuses what would fill the mailbox over its bound. @throws {MailboxFullError} */
export function checkRoom(core: Core, count: number): void {
  const { maxPending } = core.config;
  if (maxPending !== Number.POSITIVE_INFINITY && core.pendingCount() + count > maxPending) {
    throw new MailboxFullError(
      `The mailbox holds ${core.pendingCount()} pending messages of at most ${maxPending} (settings.maxPending); send again when some are done.`,
    );
  }
}

/** The ids among these of messages that are in the mailbox or dead. */
function knownAmong(core: Core, messages: readonly Accepting[]): Set<string> {
  const asked = messages.filter(({ declaration }) => declaration === undefined);
  if (asked.length < BULK_LEAST) return new Set(asked.map(({ id }) => id).filter((id) => isKnown(core, id)));
  const places = asked.map(({ id, due }) => ({ id, due: dueOfId(id) ?? due }));
  return new Set([
    ...core.envelopes.knownAmong(places),
    ...core.letters.knownAmong(places.map(({ id }) => id)),
  ]);
}

/** Whether a message of this id is in the mailbox or dead. */
function isKnown(core: Core, id: string): boolean {
  const due = dueOfId(id);
  return due !== undefined && (core.envelopes.byId(id, due) !== undefined || core.letters.has(id));
}

/** The message that waits under a key. One that runs holds none, though its row still has it. */
export function holderOf(core: Core, type: string, key: string): Envelope | undefined {
  const row = core.envelopes.byKey(type, key);
  return row === undefined || core.runs(row.id) ? undefined : row;
}

/** Makes the key free for a message, unless it keeps the one that has it: the id of that one. */
function resolveKey(core: Core, message: Accepting, key: string): string | undefined {
  const holder = core.envelopes.byKey(message.type, key);
  if (holder === undefined) return undefined;
  if (core.runs(holder.id)) {
    // A message that runs holds no key; its row gives it up when somebody wants it.
    core.envelopes.releaseKey(holder);
    return undefined;
  }
  if (message.ifPending !== "replace") return holder.id;
  core.envelopes.delete(holder);
  core.changed(1);
  core.raise({ event: "replaced", id: holder.id, type: holder.type, by: message.id });
  return undefined;
}

/** Writes a message that came by an outbox: whether it is a repeat was decided by its number. */
export function acceptFromOutbox(core: Core, message: Accepting): void {
  // Of an unknown type too: its occurrences are parked when their time comes.
  if (message.declaration !== undefined) {
    accept(core, message, true);
    return;
  }
  if (core.config.handlers.has(message.type)) {
    // The redrive of an undeliverable letter keeps its id, so a second copy may be here: at least once.
    if (!isKnown(core, message.id)) accept(core, message, true);
    return;
  }
  park(core, message);
}

/** Keeps a message whose type this code version does not know. Its key and place are kept too. */
function park(core: Core, message: Accepting): void {
  if (isKnown(core, message.id)) return;
  const now = clockNow();
  const kept = message.key === undefined ? undefined : resolveKey(core, message, message.key);
  if (kept !== undefined) {
    core.raise({ event: "notEnqueued", id: message.id, type: message.type, keptId: kept });
    return;
  }
  core.envelopes.insert({ ...acceptedRow(message, dueOf(message, now)), parked: now, moved: 1 });
  core.added(Number.POSITIVE_INFINITY);
  core.wake.arm(now + PARKED_AGE_MS);
  core.raise({ event: "parked", id: message.id, type: message.type });
}
