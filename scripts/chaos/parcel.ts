// What the plan says of a message, carried in its payload: so that a handler does what it is told, and
// the books can be checked against the plan without asking the actors what they meant to do.

/** How many actors send to one another. */
export const CLERKS = 16;
/** The policy of all clerks, unless a message has its own number of attempts. */
export const MAX_ATTEMPTS = 4;
export const BACKOFF_MS = 200;
export const TIMEOUT_MS = 1_000;

/** This clerk takes only so many from outside: what does not get in is refused, or waits in an outbox. */
export const SMALL_CLERK = CLERKS - 1;
export const SMALL_CLERK_PENDING = 30;

/**
 * The types of messages: `note`, `line` and `fresh` have sync handlers. A `line` never fails, and a `fresh`
 * is parked by code of an older version, which does not know it. A `chore` has an `async` handler, and a
 * `favor` a plain one that answers a promise.
 */
export type Kind = "note" | "line" | "fresh" | "chore" | "favor";

/** Whether the handler of a type completes in one commit with its ack. */
export function isSync(kind: Kind | "tick"): boolean {
  return kind !== "chore" && kind !== "favor";
}

/** What befalls a message: the first `times` attempts of each of its lives, where it has one. */
export type Fate =
  | { readonly kind: "complete" }
  | { readonly kind: "throw"; readonly times: number; readonly retryAfter?: number }
  | { readonly kind: "reject" }
  /** The object is aborted in the middle of the handler. */
  | { readonly kind: "abort"; readonly times: number }
  | { readonly kind: "defer"; readonly times: number; readonly ms: number }
  /** Runs longer than its timeout, and tries to send after that. Async handlers only. */
  | { readonly kind: "hang"; readonly times: number };

/** Whether a fate never lets its message complete. */
export const FOREVER = 1_000;

/** One message of the plan. */
export interface Parcel {
  /** Unique in the run; what a handler sends has the number of its parent and a part of its own. */
  readonly n: string;
  readonly to: number;
  readonly kind: Kind;
  /** Milliseconds from the send; negative for a past moment; absent for a plain send. */
  readonly delay?: number;
  readonly key?: string;
  readonly ifPending?: "keep" | "replace";
  readonly maxAttempts?: number;
  /** Milliseconds after its due time. */
  readonly expires?: number;
  /** How long an async handler works. */
  readonly ms?: number;
  readonly fate: Fate;
  /** What its handler sends. */
  readonly sends: readonly Parcel[];
  /** Goes back to whoever sent the message of this handler, by `delivery.reply`. */
  readonly isReply?: true;
  /** Numbers that the same actor has sent before, and to whom, which the handler cancels. */
  readonly cancels?: readonly { readonly n: string; readonly to: number }[];
  /** What its handler declares, perhaps again. */
  readonly declares?: readonly Rhythm[];
}

/** A recurrence of the plan. */
export interface Rhythm {
  readonly key: string;
  readonly to: number;
  readonly everyMs: number;
  /** Epoch milliseconds. */
  readonly startAt?: number;
  readonly times?: number;
  /** Epoch milliseconds. */
  readonly until?: number;
  readonly missed: "latest" | "skip" | "all";
  /** The first attempt of every such occurrence throws; 0 for none. */
  readonly throwEvery: number;
  /** Every such occurrence is rejected; 0 for none. */
  readonly rejectEvery: number;
  /** To whom each occurrence sends a note. */
  readonly tells: number;
}

/** The payload of all messages but occurrences. */
export interface Payload {
  readonly parcel: Parcel;
  /** Its sender's present and its delay: no attempt begins before, unless it is rescheduled. */
  readonly notBefore: number;
  /** The place of a `line` among those from one sender to one target. */
  readonly line?: { readonly from: number; readonly seq: number };
}

export type ClerkMessages = {
  note: Payload;
  line: Payload;
  fresh: Payload;
  chore: Payload;
  favor: Payload;
  tick: Rhythm;
};

/** Whether a recurrence goes on until somebody ends it. */
export function isEndless({ times, until }: Rhythm): boolean {
  return times === undefined && until === undefined;
}

export function clerkName(index: number): string {
  return `clerk-${index}`;
}

/** The number of what an occurrence does: its recurrence's key and its planned time. */
export function tickNumber(key: string, plannedAt: number): string {
  return `${key}@${plannedAt}`;
}

/** What an occurrence sends, which no plan can hold. */
export function tickParcel(rhythm: Rhythm, plannedAt: number): Parcel {
  return {
    n: `${tickNumber(rhythm.key, plannedAt)}.0`,
    to: rhythm.tells,
    kind: "note",
    fate: { kind: "complete" },
    sends: [],
  };
}

/** What an attempt tries to send after its timeout. It must never arrive. */
export function zombieParcel({ n, to }: Parcel): Parcel {
  return { n: `${n}.zombie`, to: (to + 1) % CLERKS, kind: "note", fate: { kind: "complete" }, sends: [] };
}

/** Told to an actor, which sends outside any attempt. */
export interface Order {
  readonly actor: number;
  readonly parcels: readonly Parcel[];
  /** In a transaction that it rolls back. */
  readonly fails: boolean;
  readonly declares: readonly Rhythm[];
}
