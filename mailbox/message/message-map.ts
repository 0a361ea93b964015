// The message map, read as types: what a person can send to an actor.

import type { SendOptions } from "./send-options.ts";

/** The types of a message map that a person can send. */
export type TypeOf<M extends object> = keyof M & string;

/** The map of an actor of which nothing is known: any type, with any payload. */
export type AnyMessages = Readonly<Record<string, unknown>>;

/** What follows a type in a send: its payload, which may be left out where it may be undefined, and the options. */
export type PayloadAnd<M extends object, T extends keyof M, Options> = undefined extends M[T]
  ? [payload?: M[T], options?: Options]
  : [payload: M[T], options?: Options];

/** Type, payload and options of one send: a list of its own for each type, so that no payload is another type's. */
export type MessageOf<M extends object> = {
  [T in TypeOf<M>]: [type: T, ...rest: PayloadAnd<M, T, SendOptions>];
}[TypeOf<M>];
