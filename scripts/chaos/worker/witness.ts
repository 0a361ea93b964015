// Tells the harness what happens, by the runtime's output.

import type { Mailbox, MailboxEvent } from "../../../actors/index.ts";
import { placed } from "../parcel.ts";
import type { Line, Told } from "../testimony.ts";

/** Printed before it returns: whatever dies next, the line is out. */
export function witness(line: Line): void {
  console.log(JSON.stringify(line));
}

/** Of an event, what the books look at. */
export function toldOf(actor: number, event: MailboxEvent): Told {
  return {
    actor,
    at: Date.now(),
    event: event.event,
    ...("id" in event ? { id: placed(actor, event.id) } : {}),
    ...(event.event === "replaced" ? { by: event.by } : {}),
    ...(event.event === "notEnqueued" ? { keptId: event.keptId } : {}),
    ...(event.event === "skipped" ? { count: event.count } : {}),
    ...(event.event === "attemptFailed" ? { outcome: event.outcome } : {}),
    ...(event.event === "deadLettered" ? { reason: event.reason } : {}),
    ...(event.event === "outboxFailed" ? { target: event.target } : {}),
    ...(event.event === "healed" ? { alarm: event.alarm } : {}),
  };
}

/** Tells of every wake that is rejected, which the platform would repeat a few times, and then never again. */
export function watchWake<M extends object>(actor: number, mailbox: Mailbox<M>): void {
  const wake = mailbox.wake.bind(mailbox);
  mailbox.wake = async (info) => {
    try {
      await wake(info);
    } catch (error) {
      witness({ rejected: actor, error: String(error), at: Date.now() });
      throw error;
    }
  };
}
