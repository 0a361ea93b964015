// The five sends, made from one way to submit a message: into the own mailbox, into the outbox, or by
// RPC. What is made is checked and encoded before it is submitted.

import type { Accepting } from "../message/envelope.ts";
import { InvalidOptionError } from "../errors.ts";
import { quote } from "../input.ts";
import { outgoingEvery, type RecurrenceOptions } from "../message/recurrence-options.ts";
import { outgoing, outgoingEntry, type SendOptions } from "../message/send-options.ts";
import type { Answer, Mode, Sends } from "./verbs.ts";

const ENTRIES_LIMIT = 10_000;

/** How messages get on their way. `make` throws the refusals, so an asynchronous way turns them into rejections. */
export interface Way<A extends Mode> {
  readonly one: (make: (now: number) => Accepting) => Answer<A, string>;
  readonly many: (make: () => readonly Accepting[]) => Answer<A, readonly string[]>;
}

/** The sends over a way. They are own functions, so they can be handed on without their object. */
export function makeSends<M extends object, A extends Mode>({ one, many }: Way<A>): Sends<M, A> {
  return {
    send: (type: string, payload?: unknown, options?: SendOptions) =>
      one((now) => outgoing({ kind: "now" }, type, payload, options, now)),
    sendLater: (at: unknown, type: string, payload?: unknown, options?: SendOptions) =>
      one((now) => outgoing({ kind: "at", at }, type, payload, options, now)),
    sendIn: (delay: unknown, type: string, payload?: unknown, options?: SendOptions) =>
      one((now) => outgoing({ kind: "in", delay }, type, payload, options, now)),
    sendEvery: (every: unknown, type: string, payload?: unknown, options?: RecurrenceOptions) =>
      one(() => outgoingEvery(every, type, payload, options)),
    sendAll: (entries: readonly unknown[]) => many(() => entriesOf(entries)),
  };
}

function entriesOf(entries: unknown): readonly Accepting[] {
  if (!Array.isArray(entries) || entries.length > ENTRIES_LIMIT) {
    throw new InvalidOptionError(
      `sendAll was given ${Array.isArray(entries) ? `${entries.length} entries` : quote(entries)}; expected an array of at most ${ENTRIES_LIMIT}.`,
    );
  }
  return entries.map((entry, index) => outgoingEntry(entry, index));
}
