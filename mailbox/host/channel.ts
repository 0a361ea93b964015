// The diagnostics channel, and who subscribes to all mailboxes of an isolate. A Tail Worker gets what is published
// though it is no subscriber, so what is no success is always published. It is part of the trace of what the object did,
// and all of a trace together is bounded: too much of ours would take the place of the user's own lines and exceptions.

import { channel } from "node:diagnostics_channel";
import type { EventActor, Happening, MailboxEvent } from "./events.ts";
import { byteLength } from "../payload/codec.ts";

/** The name of the channel of `node:diagnostics_channel` on which events are published. */
export const CHANNEL = "durable-mailbox";

/** What the channel's subscribers and Tail Workers get. */
export type PublishedEvent =
  | MailboxEvent
  | {
      /** How many of each kind a wake, or a second outside of wakes, had more than is published. */
      readonly event: "leftOut";
      readonly counts: Readonly<Partial<Record<Happening["event"], number>>>;
      readonly actor: EventActor;
    };

const diagnostics = channel(CHANNEL);
const subscribers = new Set<(event: MailboxEvent) => void>();

/** Of a wake, in bytes of JSON: all traces of one invocation share four times as much. */
const BUDGET_BYTES = 64 * 1024;
/** Kept for what must be heard of, dead letters and a class that is wrong. */
const RESERVED_BYTES = 24 * 1024;
/** Kept for the counts of what was left out. */
const COUNTS_BYTES = 4 * 1024;

/**
 * Has a function told every event of every mailbox of this isolate, after its commit. A throw in it is swallowed and
 * counted. Answers what ends it.
 */
export function subscribe(listener: (event: MailboxEvent) => void): () => void {
  // One of its own, so that to subscribe twice is to be told twice.
  const own = (event: MailboxEvent): void => listener(event);
  subscribers.add(own);
  return () => void subscribers.delete(own);
}

export class Channel {
  readonly #actor: EventActor;
  #bytes = 0;
  #leftOut = new Map<Happening["event"], number>();

  constructor(actor: EventActor) {
    this.#actor = actor;
  }

  /** Whether anybody is told of what went well. */
  wantsSuccess(all: boolean): boolean {
    return all || subscribers.size > 0 || diagnostics.hasSubscribers;
  }

  /** What may be published is counted anew. */
  open(): void {
    this.#bytes = 0;
  }

  /** @param guarded calls what may throw */
  tell(event: MailboxEvent, all: boolean, guarded: (tell: () => unknown) => void): void {
    for (const subscriber of subscribers) guarded(() => subscriber(event));
    const isSuccess = event.event === "accepted" || event.event === "delivered";
    if (isSuccess && !all && !diagnostics.hasSubscribers) return;
    const bytes = byteLength(JSON.stringify(event));
    const isFirst = event.event === "deadLettered" || event.event === "misconfigured";
    const room = BUDGET_BYTES - COUNTS_BYTES - (isFirst ? 0 : RESERVED_BYTES);
    if (this.#bytes + bytes > room) {
      this.#leftOut.set(event.event, (this.#leftOut.get(event.event) ?? 0) + 1);
      return;
    }
    this.#bytes += bytes;
    guarded(() => diagnostics.publish(event satisfies PublishedEvent));
  }

  /** Says how many of each kind were left out. */
  close(): void {
    if (this.#leftOut.size === 0) return;
    const counts = Object.fromEntries(this.#leftOut);
    this.#leftOut = new Map();
    diagnostics.publish({ event: "leftOut", counts, actor: this.#actor } satisfies PublishedEvent);
  }
}
