// The message map, read as types: what a person can send to an actor.

/** The types of a message map that a person can send. */
export type TypeOf<M extends object> = keyof M & string;

/** The types that carry no payload. */
export type VoidTypeOf<M extends object> = {
  [T in TypeOf<M>]: M[T] extends void | undefined ? T : never;
}[TypeOf<M>];
