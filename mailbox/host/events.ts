// What a mailbox tells of itself. Every end of a message that is not an ack raises an event, so that
// nothing ends in silence.

import type { DeadLetterReason, StoredError } from "../message/envelope.ts";

/** What an event says of the message it is about. */
export interface EventMessage {
  readonly id: string;
  readonly type: string;
}

/** Whose event it is. */
export interface EventActor {
  readonly className: string;
  /** Undefined for an object without a name, and for one that was first reached by its id. */
  readonly name: string | undefined;
  readonly id: string;
}

/** Everything that can happen in a mailbox. Times are epoch milliseconds. */
export type Happening =
  | ({ readonly event: "accepted"; readonly dueAt: number } & EventMessage)
  | ({
      readonly event: "delivered";
      readonly attempt: number;
      readonly latenessMs: number;
      readonly durationMs: number;
    } & EventMessage)
  | ({
      readonly event: "attemptFailed";
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly outcome: "threw" | "timedOut" | "crashed";
      readonly error: StoredError;
      readonly nextAt: number;
    } & EventMessage)
  | ({ readonly event: "deferred"; readonly until: number } & EventMessage)
  | ({
      readonly event: "deadLettered";
      readonly reason: DeadLetterReason;
      readonly attempts: number;
      readonly error: StoredError | undefined;
    } & EventMessage)
  | ({ readonly event: "redriven" } & EventMessage)
  | ({ readonly event: "cancelled" } & EventMessage)
  | ({ readonly event: "replaced"; readonly by: string } & EventMessage)
  | ({ readonly event: "notEnqueued"; readonly keptId: string } & EventMessage)
  | ({
      readonly event: "skipped";
      readonly count: number;
      /** So many, or more: a long backlog of a cron rule is counted up to a thousand. */
      readonly atLeast?: true;
      readonly from: number;
      readonly to: number;
    } & EventMessage)
  | ({ readonly event: "parked" } & EventMessage)
  | { readonly event: "released"; readonly type: string; readonly count: number }
  | { readonly event: "healed"; readonly alarm: number | null; readonly head: number }
  | {
      /** A row that something else than the mailbox has written, and what follows from it. A message becomes a dead letter instead. */
      readonly event: "unreadable";
      readonly table: string;
      /** The key of the row. */
      readonly id: string;
      readonly column: string;
      readonly error: StoredError;
    }
  | {
      /**
       * Something is due and cannot be done, so the next wakes wait, longer and longer up to five minutes.
       * Raised when an instance begins to wait, and once an hour while it goes on.
       */
      readonly event: "looping";
      /** How many wakes in a row could do nothing. */
      readonly wakes: number;
      readonly nextAt: number;
    }
  | {
      /** A wake found the class wrong, or too old for the rows: it has touched no message, and tries again. */
      readonly event: "misconfigured";
      readonly error: StoredError;
      /** Undefined when nothing waits. */
      readonly nextAt: number | undefined;
    }
  | {
      readonly event: "alarmFailed";
      readonly retry: number;
      readonly error: StoredError;
      readonly nextAt: number;
    }
  | { readonly event: "alarmDropped"; readonly error: StoredError }
  | ({
      readonly event: "hookFailed";
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly error: StoredError;
      /** Undefined when it was the last. */
      readonly nextAt: number | undefined;
    } & EventMessage)
  | { readonly event: "outboxForked"; readonly target: string }
  | {
      readonly event: "outboxGap";
      readonly sender: string;
      readonly expected: number;
      readonly received: number;
    }
  | { readonly event: "outboxUnbound"; readonly target: string }
  | {
      readonly event: "outboxFailed";
      readonly target: string;
      readonly tries: number;
      readonly error: StoredError;
      readonly nextAt: number;
    }
  | {
      readonly event: "destroyed";
      readonly pending: number;
      readonly recurrences: number;
      readonly deadLetters: number;
      readonly outbox: number;
    }
  | { readonly event: "purged"; readonly id: string }
  | { readonly event: "retentionDeleted"; readonly count: number };

/** What a mailbox tells: what has happened, and whose it is. */
export type MailboxEvent = Happening & { readonly actor: EventActor };

/** Who is told. */
export interface Audience {
  readonly onEvent: ((event: MailboxEvent) => void) | undefined;
  /** Whether the console gets lines. */
  readonly console: boolean;
  /** Whether the channel gets `accepted` and `delivered` also when nobody in the isolate subscribes. */
  readonly allEvents: boolean;
  /** The types that the actor receives, for a person to compare. */
  readonly types: Iterable<string>;
}
