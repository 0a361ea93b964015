// What a mailbox counts, and its end.

import type { Attempt } from "../host/attempt.ts";
import { now as clockNow } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import { rest } from "../host/rest.ts";
import { cancelRunning } from "../host/attempt-scope.ts";
import type { Outbox } from "../outbox/outbox.ts";

/** The state of a mailbox in numbers. */
export interface MailboxStats {
  /** In the mailbox, whatever their state. */
  readonly pending: number;
  /** Could begin now. */
  readonly due: number;
  /** How long the oldest of those has been due; 0 when none is. */
  readonly overdueMs: number;
  /** 1 while a leased attempt runs, or when the object died in one. */
  readonly leased: number;
  readonly parked: number;
  readonly outbox: number;
  readonly deadLetters: number;
  /** When the mailbox next has something to do, in epoch milliseconds. */
  readonly nextWake: number | undefined;
  readonly paused: boolean;
  /** Since this instance of the object started. */
  readonly delivered: number;
  /** Attempts that failed, since this instance of the object started. */
  readonly failed: number;
  /** How often the alarm had to be set right, since this instance of the object started. */
  readonly healed: number;
  /** How often `settings.onEvent` threw, since this instance of the object started. */
  readonly listenerFailures: number;
}

export function statsOf(core: Core): MailboxStats {
  const now = clockNow();
  const messages = core.envelopes.counts(now);
  const recurrences = core.recurrences.counts(now);
  const lease = core.meta.get("lease");
  const isLeasedDue =
    lease?.kind === "message" &&
    lease.due <= now &&
    core.envelopes.at({ parked: 0, due: lease.due, id: lease.id }) !== undefined;
  const due = Math.max(0, messages.due + recurrences.due - (isLeasedDue ? 1 : 0));
  const oldest = Math.min(messages.oldest ?? now, recurrences.oldest ?? now);
  const head = core.head();
  return {
    pending: messages.pending + recurrences.waiting,
    due,
    overdueMs: due === 0 ? 0 : Math.max(0, now - oldest),
    leased: lease === undefined ? 0 : 1,
    parked: messages.parked,
    outbox: core.outbox.count(),
    deadLetters: core.letters.count(),
    nextWake: Number.isFinite(head) ? head : undefined,
    paused: core.paused,
    delivered: core.delivered,
    failed: core.failed,
    healed: core.healed,
    listenerFailures: core.events.failures,
  };
}

const PAGE = 1_000;

/** Empties the mailbox in pages; what it remembers of its senders stays, and so do the user's tables. */
export async function destroy(core: Core, outbox: Outbox, attempt: Attempt | undefined): Promise<void> {
  const counts = { pending: 0, recurrences: 0, deadLetters: 0, outbox: 0 };
  // What the attempt that asks for it has sent so far is pending too.
  attempt?.buffer.dropAll();
  cancelRunning(core, attempt, "The mailbox was destroyed.");
  for (;;) {
    const recurrences = core.recurrences.deleteSome(PAGE);
    const pending = core.envelopes.deleteSome(PAGE);
    const deadLetters = core.letters.deleteOldest(Number.MAX_SAFE_INTEGER, PAGE);
    const sent = outbox.deleteSome(PAGE);
    core.changed(pending);
    core.letterCount = undefined;
    counts.recurrences += recurrences;
    counts.pending += pending;
    counts.deadLetters += deadLetters;
    counts.outbox += sent;
    await rest(core);
    if (recurrences + pending + deadLetters + sent === 0) break;
  }
  core.raise({ event: "destroyed", ...counts });
}
