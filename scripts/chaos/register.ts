// What the harness has asked for, and what was answered: one half of the books. The other half is what
// the runtime has told, which is in testimony.ts.

import type { Kind, Parcel, Rhythm } from "./parcel.ts";
import type { Reply } from "./testimony.ts";

/** Whether it took effect: yes or no, as it was answered; or nobody can say, because a kill cut it off. */
export type Outcome = "yes" | "no" | "unknown";

export interface Asked {
  /** Who was asked; of an order, who was told to send. */
  readonly actor: number;
  /** By the clock of the harness, which is that of the runtime. */
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly outcome: Outcome;
}

export interface SendAsked extends Asked {
  readonly way: "ref" | "order" | "in vain";
  /** Of one commit. */
  readonly parcels: readonly Parcel[];
  /** Of each parcel, when a ref was answered. */
  readonly ids: readonly string[];
}

/** A cancel, a purge, or the end of a recurrence. */
export interface EndAsked extends Asked {
  readonly verb: "cancel" | "purge" | "end";
  readonly id: string;
}

/** A cancel by type and key: whoever waits under it. */
export interface KeyCancelAsked extends Asked {
  readonly kind: Kind;
  readonly key: string;
}

export interface RescheduleAsked extends Asked {
  readonly id: string;
  readonly at: number;
}

export interface RedriveAsked extends Asked {
  readonly id: string;
  readonly isRepaired: boolean;
}

export interface DeclareAsked extends Asked {
  readonly rhythm: Rhythm;
}

/** A storage that was put back to an earlier copy, while the runtime was down. */
export interface PutBack {
  /** Whose; undefined for that of all. */
  readonly actor: number | undefined;
  /** When the copy was made, and when it was put back. */
  readonly keptAt: number;
  readonly at: number;
}

/** What was seen waiting of recurrences. */
export interface Look {
  readonly actor: number;
  readonly at: number;
  readonly occurrences: readonly { readonly id: string; readonly recurrence?: string }[];
}

export interface Register {
  readonly sends: SendAsked[];
  readonly ends: EndAsked[];
  readonly keyCancels: KeyCancelAsked[];
  readonly reschedules: RescheduleAsked[];
  readonly redrives: RedriveAsked[];
  readonly declares: DeclareAsked[];
  readonly looks: Look[];
  /** Actors whose own alarm was started. */
  readonly alarms: { readonly actor: number; readonly at: number }[];
}

export function emptyRegister(): Register {
  return {
    sends: [],
    ends: [],
    keyCancels: [],
    reschedules: [],
    redrives: [],
    declares: [],
    looks: [],
    alarms: [],
  };
}

/** What an answer of yes or no says. */
export function outcomeOf(reply: Reply): Outcome {
  if (reply.kind === "unknown") return "unknown";
  if (reply.kind === "refused") return "no";
  return reply.value === false ? "no" : "yes";
}

/** What the answer of a verb for all of some ids says of each: how many it was done to. */
export function outcomeOfAll(reply: Reply, count: number): Outcome {
  if (reply.kind !== "answered") return outcomeOf(reply);
  if (reply.value === count) return "yes";
  return reply.value === 0 ? "no" : "unknown";
}
