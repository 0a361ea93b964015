// All that was observed of a run: what the books are made of.

import type { Drained } from "../drain.ts";
import type { Present } from "../life.ts";
import type { PutBack, Register } from "../register.ts";
import type { Audit, Called, Entry, LetterSeen, SentRow, Told } from "../testimony.ts";

/** One life of the runtime, and when it began. */
export interface LifeSeen extends Omit<Present, "lossRate"> {
  readonly at: number;
}

/** A call, and when it was answered; never, where a death came between. */
export interface CallSeen extends Omit<Called, "nonce"> {
  readonly answeredAt?: number;
}

export interface Observations extends Drained {
  readonly register: Register;
  /** Every dead letter that was seen before the end. */
  readonly letters: readonly (LetterSeen & { readonly at: number })[];
  /** When the runtime was killed. */
  readonly kills: readonly number[];
  readonly lives: readonly LifeSeen[];
  readonly putBacks: readonly PutBack[];
  /** In the order of the runtime's output. */
  readonly entries: readonly Entry[];
  readonly told: readonly Told[];
  /** What async handlers have sent, whatever became of their attempts. */
  readonly posted: readonly SentRow[];
  readonly births: readonly { readonly actor: number; readonly at: number }[];
  /** When actors' own alarms ran, and when they were due. */
  readonly alarms: readonly { readonly alarm: number; readonly at: number; readonly dueAt: number }[];
  /** Ids that handlers have asked other actors to cancel, whatever was answered. */
  readonly cancelsAsked: readonly string[];
  /** What has brought messages to actors. */
  readonly calls: readonly CallSeen[];
  /** When an actor has answered another that it has no room. */
  readonly full: readonly { readonly full: number; readonly at: number }[];
  /** Wakes that were rejected. */
  readonly rejected: readonly { readonly rejected: number; readonly error: string; readonly at: number }[];
  readonly audits: readonly Audit[];
}

/** What a check has found. */
export interface Violation {
  /** Which promise was broken; the names are those of the ledger. */
  readonly name: ViolationName;
  /** The number of the message, the key of the recurrence, or the actor. */
  readonly what: string;
  /** What was expected and what was seen. */
  readonly detail: string;
}

export const VIOLATIONS = [
  "lost",
  "pending",
  "phantom",
  "twice",
  "half",
  "early",
  "out of order",
  "miscounted",
  "not cancelled",
  "not asked",
  "unbounded",
  "wrong letter",
  "charged",
  "no hook",
  "forked",
  "drifted",
  "wrong times",
  "asleep",
  "restless",
  "rejected",
  "silent",
  "damaged",
  "strange event",
] as const;

export type ViolationName = (typeof VIOLATIONS)[number];
