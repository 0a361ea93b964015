// What the runtime tells: lines that it prints while it lives, and rows that its actors have at the end.
// A line is out before the next statement runs, so that it survives whatever kills the object or the
// runtime; a row has survived all of it.

import type { Kind, Order, Parcel, Payload, Rhythm } from "./parcel.ts";

/** A handler was entered. */
export interface Entry {
  readonly actor: number;
  readonly id: string;
  readonly n: string;
  readonly attempt: number;
  readonly dueAt: number;
  /** The clock of the runtime when the handler was entered. */
  readonly at: number;
  readonly notBefore?: number;
  readonly line?: { readonly from: number; readonly seq: number };
  /** Its payload is not what was sent. */
  readonly isDamaged?: true;
  /** Of an occurrence that belongs to its recurrence still, which a redriven one does not. */
  readonly recurrence?: string;
}

/** An event of a mailbox: what it is about has been committed. One that a kill kept back is not here. */
export interface Told {
  readonly actor: number;
  readonly at: number;
  readonly event: string;
  readonly id?: string;
  /** Of `replaced`. */
  readonly by?: string;
  /** Of `notEnqueued`. */
  readonly keptId?: string;
  /** Of `skipped`. */
  readonly count?: number;
  /** Of `attemptFailed`. */
  readonly outcome?: "threw" | "timedOut" | "crashed";
  /** Of `deadLettered`. */
  readonly reason?: string;
  /** Of `outboxFailed`. */
  readonly target?: string;
  /** Of `healed`: what was armed. */
  readonly alarm?: number | null;
}

/** A call that has brought messages to an actor. */
export interface Called {
  /** Its own in the run. */
  readonly nonce: string;
  readonly actor: number;
  readonly ids: readonly string[];
  readonly at: number;
}

/** One line of the runtime's output. */
export type Line =
  | { readonly entry: Entry }
  | { readonly told: Told }
  /** An actor's instance was made. */
  | { readonly born: number; readonly at: number }
  /** An actor's own alarm runs. */
  | { readonly alarm: number; readonly at: number; readonly dueAt: number }
  /** An async handler has sent, and nothing of it is accepted before its ack. */
  | { readonly posted: SentRow }
  /** Messages have come to an actor, by a ref or an outbox. */
  | { readonly call: Called }
  /** Such a call was answered, whether that was heard or not: what it says is committed. */
  | { readonly answered: string; readonly at: number }
  /** An actor has answered another that it has no room. */
  | { readonly full: number; readonly at: number }
  /** A wake of an actor was rejected. */
  | { readonly rejected: number; readonly error: string; readonly at: number }
  /** A handler is about to ask another actor to cancel a message; a row says what was answered. */
  | { readonly cancels: string };

/** A handler has done its work: in the commit of its ack if it is sync, before it resolves if it is not. */
export interface DoneRow {
  readonly id: string;
  readonly n: string;
  readonly kind: Kind | "tick";
  readonly attempt: number;
  readonly at: number;
}

/** A send, written down in its own commit. `id` is what the send answered. */
export interface SentRow {
  readonly n: string;
  readonly id: string;
}

/** What a handler cancelled, in its own commit. */
export interface CancelRow {
  readonly id: string;
  /** Where the message was sent to. */
  readonly target: number;
  readonly answer: number;
  readonly askedAt: number;
  readonly at: number;
}

export interface LetterSeen {
  readonly id: string;
  /** The number of the message, or the name of the recurrence that was to be declared. */
  readonly n: string;
  readonly type: string;
  readonly reason: string;
  readonly attempts: number;
  readonly isDeclaration?: true;
  readonly recurrence?: string;
  readonly records: readonly {
    readonly attempt: number;
    readonly startedAt: number;
    readonly durationMs: number;
    readonly outcome: string;
  }[];
}

export interface PendingSeen {
  readonly id: string;
  readonly n: string;
  readonly state: string;
  readonly dueAt: number;
  readonly recurrence?: string;
}

/** How often an actor's own alarm has run, of how often. */
export interface AlarmState {
  readonly ran: number;
  readonly rounds: number;
  readonly everyMs: number;
}

export interface RecurrenceSeen {
  readonly id: string;
  readonly key?: string;
  readonly delivered: number;
  readonly dead: number;
  readonly skipped: number;
  readonly ended: boolean;
}

/** All that one actor has at the end. */
export interface Audit {
  readonly actor: number;
  readonly done: readonly DoneRow[];
  readonly sent: readonly SentRow[];
  readonly cancels: readonly CancelRow[];
  /** Ids of letters for which the hook has run. */
  readonly hooks: readonly string[];
  /** How many sync handlers have completed, by a row and by a key of the storage. */
  readonly counted: { readonly row: number; readonly key: number };
  readonly pending: readonly PendingSeen[];
  readonly outbox: readonly { readonly id: string; readonly target: string }[];
  readonly letters: readonly LetterSeen[];
  readonly recurrences: readonly RecurrenceSeen[];
  /** Of actors whose own alarm was started. */
  readonly alarm?: AlarmState;
}

/** What is asked of the Worker over HTTP. */
export type Question =
  | { readonly verb: "send"; readonly parcels: readonly Parcel[] }
  | ({ readonly verb: "order" } & Order)
  | { readonly verb: "cancel"; readonly actor: number; readonly id: string }
  | { readonly verb: "cancelKey"; readonly actor: number; readonly kind: Kind; readonly key: string }
  | { readonly verb: "reschedule"; readonly actor: number; readonly id: string; readonly at: number }
  | {
      readonly verb: "redrive";
      readonly actor: number;
      readonly id: string;
      /** The payload that goes back instead of the one that died. */
      readonly repaired: Payload | Rhythm | null;
    }
  | { readonly verb: "redriveAll" | "purgeAll"; readonly actor: number; readonly ids: readonly string[] }
  | { readonly verb: "purge"; readonly actor: number; readonly id: string }
  | { readonly verb: "declare"; readonly rhythm: Rhythm }
  | {
      readonly verb: "startAlarm";
      readonly actor: number;
      readonly rounds: number;
      readonly everyMs: number;
    }
  /** The id of its object, by which its files are named. */
  | { readonly verb: "whereabouts"; readonly actor: number }
  | { readonly verb: "pause" | "resume" | "stats" | "letters" | "pending" | "audit"; readonly actor: number };

/** What the Worker answers. Of `unknown`, nobody can say whether it took effect. */
export type Reply =
  | { readonly kind: "answered"; readonly value: unknown }
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "unknown"; readonly message: string };
