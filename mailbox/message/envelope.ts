// The stored forms: what a row of the mailbox says, and what of a message is written beside its
// payload. Everything here is data that survives a deploy, so fields are only ever added.

import type { Every, Missed } from "../time/rule.ts";
import type { StoredPolicy } from "./policy.ts";

/** Who sent a message: information for the handler, not authentication. */
export interface From {
  /** The sender's object id, as hex. */
  readonly id: string;
  /** The sender's name, where it has one. */
  readonly name?: string;
  /** The sender's class. */
  readonly className: string;
}

/** What is stored of an error that a handler threw: name, message, stack; 4 KiB at most together. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** How one attempt ended, when it did not end well: when it ran, for how long, and what it threw. */
export interface AttemptRecord extends StoredError {
  /** Counted from 1. */
  readonly attempt: number;
  /** When the handler was entered, in epoch milliseconds. */
  readonly startedAt: number;
  /** How long it ran; for a crash, the time until the object was back. */
  readonly durationMs: number;
  readonly outcome: "threw" | "rejected" | "timedOut" | "crashed" | "unreadable" | "undeliverable";
}

/** The options of a message, as JSON in its row; absent for a plain message. */
export interface EnvelopeOptions {
  readonly policy?: StoredPolicy;
  /** Not taken up after this moment. */
  readonly expiresAt?: number;
  readonly from?: From;
  /** How often it was deferred. */
  readonly defers?: number;
  /** Attempts of its earlier lives, each of which ended in a dead letter that was redriven. */
  readonly earlierAttempts?: number;
  /** Its next attempt is leased: an earlier life of it ended in a crash. */
  readonly suspicious?: true;
}

/** One row of the mailbox. */
export interface Envelope {
  /** Epoch ms when it was parked; 0 when it is not. The first part of the table's key. */
  readonly parked: number;
  /** The earliest moment of its next attempt, epoch ms. */
  readonly due: number;
  readonly id: string;
  readonly type: string;
  /** superjson's text. */
  readonly payload: string;
  /** Attempts counted so far; the next run is this + 1. */
  readonly attempt: number;
  /** 1 when `due` or `parked` is not what the id says, so that the row is found by the index on ids. */
  readonly moved: 0 | 1;
  readonly key: string | null;
  /** The recurrence whose present occurrence this is. */
  readonly recurrence: string | null;
  /** JSON of EnvelopeOptions. */
  readonly options: string | null;
  /** JSON of AttemptRecord[]: the first and the last 19. */
  readonly history: string | null;
}

/** A message on its way into a mailbox: checked, encoded, with an id, not yet a row. */
export interface Accepting {
  readonly id: string;
  readonly due: number;
  readonly type: string;
  readonly payload: string;
  readonly key?: string;
  readonly ifPending?: IfPending;
  readonly options?: EnvelopeOptions;
  /** Made by `send`, not for a time: due no later than the receiver's present. */
  readonly immediate: boolean;
  /** Its due time is not the one that its id names: it was redriven for another. */
  readonly moved?: true;
  /** It declares a recurrence, and is no message itself. */
  readonly declaration?: Declaration;
}

/** A declaration on its way: JSON carries it. Moments are epoch milliseconds. */
export interface Declaration {
  readonly key: string;
  readonly every: Every;
  readonly startAt?: number;
  readonly until?: number;
  readonly times?: number;
  readonly missed: Missed;
  readonly policy?: StoredPolicy;
}

/** What happens when the key is held by a message that waits. */
export type IfPending = "keep" | "replace";

/** Why a message is a dead letter: how its last attempt ended. */
export type DeadLetterReason =
  | "exhausted"
  | "rejected"
  | "crashed"
  | "timedOut"
  | "expired"
  | "unreadable"
  | "undeliverable";

export const DEAD_LETTER_REASONS: readonly DeadLetterReason[] = [
  "exhausted",
  "rejected",
  "crashed",
  "timedOut",
  "expired",
  "unreadable",
  "undeliverable",
];

/** One row of the dead letters. */
export interface LetterRow {
  readonly id: string;
  readonly died: number;
  readonly type: string;
  readonly payload: string;
  readonly reason: DeadLetterReason;
  /** The number of all attempts, also of those whose record was dropped. */
  readonly attempts: number;
  readonly due: number;
  readonly fingerprint: string | null;
  readonly key: string | null;
  readonly recurrence: string | null;
  /** The address it was meant for, when it is of the outbox. */
  readonly target: string | null;
  readonly options: string | null;
  readonly history: string | null;
  /** When `onDeadLetter` runs next for it. */
  readonly hook_due: number | null;
  readonly hook_attempt: number;
}
