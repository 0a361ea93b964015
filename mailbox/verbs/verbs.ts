// The verbs, as types: the one list of what can be asked of an actor, from wherever it is asked. On a
// ref every verb is a promise; on the actor itself they answer at once, in the commit of the caller.

import type { DeadLetter } from "../message/letter.ts";
import type { Recurrence } from "../lifecycle/recurrence.ts";
import type { RecurrenceOptions } from "../message/recurrence-options.ts";
import type { PayloadAnd, TypeOf } from "../message/message-map.ts";
import type { SendEntry, SendOptions } from "../message/send-options.ts";
import type { Every } from "../time/rule.ts";
import type { RedriveOptions } from "./redrive.ts";
import type { MailboxStats } from "./operate.ts";
import type { DeadLetterFilter, OutboxMessage, Page, PageOptions, PendingMessage } from "./lists.ts";
import type { Duration, Moment } from "../time/duration.ts";

/** Which message: the one of an id, or the one of a type and key that waits. */
export type Which<M extends object> = string | { readonly type: TypeOf<M>; readonly key: string };

/** At once, or as a promise. */
export type Mode = "sync" | "async";
export type Answer<A extends Mode, T> = A extends "async" ? Promise<T> : T;

// Each send has two overloads. The first takes what generic code forwards, and is what a wrong payload is told
// of; the second knows that a payload may be left out, and is what a forgotten one is told of. `keyof M & string`
// is written out, so that a misspelt type is told of the types and not of an alias.

/** Sends a message that is due at once. */
export interface Send<M extends object, A extends Mode> {
  /** Sends a message that is due at once; answers its id. */
  <T extends keyof M & string>(type: T, payload: M[T], options?: SendOptions): Answer<A, string>;
  /** Sends a message that is due at once; answers its id. */
  <T extends keyof M & string>(type: T, ...rest: PayloadAnd<M, T, SendOptions>): Answer<A, string>;
}

/** Sends a message for a moment. */
export interface SendLater<M extends object, A extends Mode> {
  /** Sends a message for a moment, a Date or epoch milliseconds; a past one is due at once, in its place. */
  <T extends keyof M & string>(at: Moment, type: T, payload: M[T], options?: SendOptions): Answer<A, string>;
  /** Sends a message for a moment, a Date or epoch milliseconds; a past one is due at once, in its place. */
  <T extends keyof M & string>(
    at: Moment,
    type: T,
    ...rest: PayloadAnd<M, T, SendOptions>
  ): Answer<A, string>;
}

/** Sends a message for after a delay. */
export interface SendIn<M extends object, A extends Mode> {
  /** Sends a message for after a delay: `"5 minutes"`, or milliseconds. */
  <T extends keyof M & string>(
    delay: Duration,
    type: T,
    payload: M[T],
    options?: SendOptions,
  ): Answer<A, string>;
  /** Sends a message for after a delay: `"5 minutes"`, or milliseconds. */
  <T extends keyof M & string>(
    delay: Duration,
    type: T,
    ...rest: PayloadAnd<M, T, SendOptions>
  ): Answer<A, string>;
}

/** Declares a recurrence. */
export interface SendEvery<M extends object, A extends Mode> {
  /** Declares a recurrence of a type and key, and answers its id. The same rule again writes nothing. */
  <T extends keyof M & string>(
    every: Every,
    type: T,
    payload: M[T],
    options?: RecurrenceOptions,
  ): Answer<A, string>;
  /** Declares a recurrence of a type and key, and answers its id. The same rule again writes nothing. */
  <T extends keyof M & string>(
    every: Every,
    type: T,
    ...rest: PayloadAnd<M, T, RecurrenceOptions>
  ): Answer<A, string>;
}

/** Sends many messages. */
export interface SendAll<M extends object, A extends Mode> {
  /** Sends many messages, all or none; answers their ids in the order of the entries. */
  (entries: readonly SendEntry<M>[]): Answer<A, readonly string[]>;
}

/** The sends. Each throws a typed error, and enqueues nothing, for a type, payload, time or option that cannot be. */
export interface Sends<M extends object, A extends Mode> {
  readonly send: Send<M, A>;
  readonly sendLater: SendLater<M, A>;
  readonly sendIn: SendIn<M, A>;
  readonly sendEvery: SendEvery<M, A>;
  readonly sendAll: SendAll<M, A>;
}

/** The verbs that ask and repair. */
export interface Asks<M extends object, A extends Mode> {
  /**
   * Cancels a message by the id that its send gave, whatever happened to it since, or by its type and
   * key; a recurrence by its id. After `true` no new attempt begins. `false`, never an error, for an
   * unknown or malformed id. If it runs, its signal is aborted and what it sends is dropped, unless its
   * handler cancels it itself.
   */
  cancel(which: Which<M>): Answer<A, boolean>;
  /** Gives a waiting message another due time; `false` when there is none that waits, or it runs. */
  reschedule(which: Which<M>, at: Moment): Answer<A, boolean>;
  /** The message, as it is now, also one that the asking handler has sent itself; `undefined` when there is none. */
  get(which: Which<M>): Answer<A, PendingMessage<M> | undefined>;
  /** What is in the mailbox, in due order. What a handler that runs has sent is there when it has ended: `get` finds it. */
  pending(options?: PageOptions & { readonly type?: TypeOf<M> }): Answer<A, Page<PendingMessage<M>>>;
  /** The recurrences on disk. What a handler that runs has declared is there when it has ended. */
  recurrences(options?: PageOptions): Answer<A, Page<Recurrence>>;
  /** What is on its way to other actors. What a handler that runs has sent is there when it has ended. */
  outbox(options?: PageOptions): Answer<A, Page<OutboxMessage>>;
  /** The dead letters that match, newest first. */
  deadLetters(options?: PageOptions & DeadLetterFilter<TypeOf<M>>): Answer<A, Page<DeadLetter<M>>>;
  deadLetter(id: string): Answer<A, DeadLetter<M> | undefined>;
  /** Puts a dead letter back with its id, its attempts counted from 1 again; `false` when there is none. */
  redrive<T extends keyof M & string = keyof M & string>(
    id: string,
    options?: RedriveOptions<M[T]>,
  ): Answer<A, boolean>;
  /** Deletes a dead letter. */
  purge(id: string): Answer<A, boolean>;
  /** Puts back all letters that match and died before the call, in pages; answers how many. */
  redriveAll(filter?: DeadLetterFilter<TypeOf<M>>): Promise<number>;
  /** Deletes all letters that match and died before the call, in pages; answers how many. */
  purgeAll(filter?: DeadLetterFilter<TypeOf<M>>): Promise<number>;
  /** Running attempts end, no new one begins; sends are accepted, outbox and the object's own alarm go on. */
  pause(): Answer<A, void>;
  resume(): Answer<A, void>;
  /** The mailbox in numbers, of what is on disk: what a handler that runs has sent is counted when it has ended. */
  stats(): Answer<A, MailboxStats>;
}
