// What the plan says of a message, carried in its payload: so that a handler does what it is told, and
// the books can be checked against the plan without asking the actors what they meant to do.

import { ACTORS } from "./actors.ts";

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
  /** How many characters its payload is longer. */
  readonly bulk?: number;
  /** How long an async handler works. */
  readonly ms?: number;
  readonly fate: Fate;
  /** What its handler sends. */
  readonly sends: readonly Parcel[];
  /** Goes back to whoever sent the message of this handler, by `delivery.reply`. */
  readonly isReply?: true;
  /** What its handler does beside. */
  readonly scenes?: readonly Scene[];
}

/** What an actor does in a row, in a handler or when it is told to from outside, and what is around it. */
export type Scene =
  | { readonly within: "nothing"; readonly acts: readonly Act[] }
  | {
      readonly within: Transaction;
      /** Whether it is rolled back: then nothing of it has happened. */
      readonly isTakenBack: boolean;
      readonly acts: readonly Act[];
    };

/** `captured` by a handle on storage that was taken before there was a mailbox. */
export type Transaction =
  | "transactionSync"
  | "transaction"
  | "captured transactionSync"
  | "captured transaction";

/** One thing that an actor does. Only the first three can be done in a synchronous transaction. */
export type Act =
  | { readonly do: "send"; readonly parcel: Parcel }
  | { readonly do: "declare"; readonly rhythm: Rhythm }
  /** Of its own message; `id` where the harness knows it and the actor may not. */
  | { readonly do: "cancel own"; readonly n: string; readonly id?: string }
  | { readonly do: "reschedule own"; readonly n: string; readonly delay: number }
  /** Of a message that it has sent to another. */
  | { readonly do: "cancel there"; readonly n: string; readonly to: number }
  /** Of a recurrence that it has declared to another. */
  | { readonly do: "end there"; readonly rhythm: Rhythm }
  | { readonly do: "wait"; readonly ms: number };

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
  /** As long as the parcel says. */
  readonly bulk?: string;
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

/** What makes a payload as long as its parcel says: of the parcel's number, so that no other's will do. */
export function bulkOf({ n, bulk }: Parcel): string | undefined {
  return bulk === undefined ? undefined : `${n} `.repeat(Math.ceil(bulk / (n.length + 1))).slice(0, bulk);
}

/** Whether a recurrence goes on until somebody ends it. */
export function isEndless({ times, until }: Rhythm): boolean {
  return times === undefined && until === undefined;
}

/** A recurrence in the books: one key may be declared to several actors, and is a recurrence at each. */
export function rhythmName({ key, to }: Pick<Rhythm, "key" | "to">): string {
  return `${key}>${to}`;
}

/** The number of what an occurrence does: its recurrence's name and its planned time. */
export function tickNumber(rhythm: Pick<Rhythm, "key" | "to">, plannedAt: number): string {
  return `${rhythmName(rhythm)}@${plannedAt}`;
}

/** The id of a recurrence in its own actor, which is known without asking. */
export function rhythmId(key: string): string {
  return `every:tick:${key}`;
}

/**
 * An id as the books have it: alone in the run. Those of recurrences and their occurrences are the same in
 * every actor, so the actor's number is put in; all others are as they are.
 */
export function placed(actor: number, id: string): string {
  return id.replace(/^every:tick:[^@]*/, (recurrence) => `${recurrence}>${actor}`);
}

/** The id as its actor has it. */
export function unplaced(id: string): string {
  return id.replace(/^(every:tick:[^@>]*)>\d+/, "$1");
}

/** What an occurrence sends, which no plan can hold. */
export function tickParcel(rhythm: Rhythm, plannedAt: number): Parcel {
  return {
    n: `${tickNumber(rhythm, plannedAt)}.0`,
    to: rhythm.tells,
    kind: "note",
    fate: { kind: "complete" },
    sends: [],
  };
}

/** What an attempt tries to send after its timeout. It must never arrive. */
export function zombieParcel({ n, to }: Parcel): Parcel {
  return { n: `${n}.zombie`, to: (to + 1) % ACTORS, kind: "note", fate: { kind: "complete" }, sends: [] };
}

/** Whether nothing of a scene has happened. */
export function isTakenBack(scene: Scene): boolean {
  return scene.within !== "nothing" && scene.isTakenBack;
}

/** What a scene sends. */
export function sendsOf({ acts }: Pick<Scene, "acts">): Parcel[] {
  return acts.flatMap((act) => (act.do === "send" ? [act.parcel] : []));
}

/** What a scene declares. */
export function declaresOf({ acts }: Pick<Scene, "acts">): Rhythm[] {
  return acts.flatMap((act) => (act.do === "declare" ? [act.rhythm] : []));
}

/** Told to an actor, which does it outside any attempt. */
export interface Order {
  readonly actor: number;
  readonly scenes: readonly Scene[];
}
