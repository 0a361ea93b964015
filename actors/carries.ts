// How a class tells refs its message map: by a property that exists only for the compiler.

import type { AnyMessages, Mailbox } from "../mailbox/index.ts";

/** What a class says of its message map; there is nothing of it at run time. */
export interface Carries<M extends object> {
  readonly "~messages"?: M;
}

/** A class that says something of its map: an actor, or a host that shows its mailbox. */
export type CarriesSome = { readonly "~messages"?: unknown } | { readonly mailbox: unknown };

/**
 * The message map of a class: an actor's own, or that of the mailbox in its field `mailbox`. Of `any` class,
 * as `DurableObjectNamespace<any>` has it, nothing is known.
 */
export type MapOf<A> = 0 extends 1 & A ? AnyMessages : KnownMapOf<A>;

type KnownMapOf<A> = A extends { readonly "~messages"?: infer M }
  ? "~messages" extends keyof A
    ? Exclude<M, undefined> & object
    : HostMap<A>
  : HostMap<A>;

type HostMap<A> = A extends { readonly mailbox: Mailbox<infer M> } ? M : never;
