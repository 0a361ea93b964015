// `ref`: a typed handle on an actor, from anywhere that holds a namespace.

import type { Ref } from "../mailbox/index.ts";
import {
  type AnyNamespace,
  checkTarget,
  type GivenNamespace,
  type RefOptions,
  RemoteRef,
  stubIn,
} from "../mailbox/internal.ts";
import type { CarriesSome, MapOf } from "./carries.ts";

/**
 * A handle on the actor of a name or id. Every verb is a promise; when a send's promise resolves, the
 * message is durable. What the platform calls retryable is tried again for 30 s, with the same ids.
 *
 * The message map comes from the class: `ref(env.CARTS, "cart-42")`; or it is given, for a class
 * that holds a mailbox without saying so: `ref<RoomMessages>(env.ROOMS, "lobby")`.
 *
 * @throws {InvalidOptionError} for a target that is neither a name nor an id of the namespace
 * @throws {UnknownNamespaceError} for what is no namespace, such as a binding that is not there
 */
export function ref<A extends Rpc.DurableObjectBranded & CarriesSome>(
  namespace: DurableObjectNamespace<A>,
  to: string | DurableObjectId,
  options?: RefOptions,
): Ref<MapOf<A>>;
export function ref<M extends object>(
  namespace: GivenNamespace,
  to: string | DurableObjectId,
  options?: RefOptions,
): Ref<M>;
export function ref(namespace: unknown, to: string | DurableObjectId, options: RefOptions = {}): unknown {
  checkTarget(namespace, to, options);
  // Compared with the overloads' namespace, a typed one would make the compiler expand every stub.
  return new RemoteRef<object>(() => stubIn(namespace as AnyNamespace, to, options));
}
