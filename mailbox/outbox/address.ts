// Addresses: how a row names another actor so that any later version of the code finds it again. A
// namespace is named by its binding, never by its class: only bindings can be looked up.

import { InvalidOptionError, NoMailboxError, UnknownNamespaceError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { formatAddress, parseAddress, readableAddress } from "../message/address.ts";

/** Where an actor is created at first, and in which jurisdiction it lives. */
export interface RefOptions {
  /** Where the object is made if it does not exist yet. */
  readonly locationHint?: DurableObjectLocationHint;
  /** The jurisdiction of the namespace. */
  readonly jurisdiction?: DurableObjectJurisdiction;
}

const REF_NAMES: Names<RefOptions> = { locationHint: true, jurisdiction: true };

/**
 * A namespace of any class, as far as this library uses it. Structural, and with stubs of no type:
 * comparing the stubs of two classes is what makes the compiler give up.
 */
export interface AnyNamespace {
  idFromName(name: string): DurableObjectId;
  idFromString(id: string): DurableObjectId;
  get(id: DurableObjectId, options?: { locationHint?: DurableObjectLocationHint }): unknown;
  jurisdiction(jurisdiction: DurableObjectJurisdiction): AnyNamespace;
}

/**
 * A namespace as a person passes it, also `DurableObjectNamespace<any>`: compared by no more than this, because
 * the compiler finds no end of that one's stubs.
 */
export type GivenNamespace = Pick<AnyNamespace, "idFromName" | "idFromString">;

/** A stub, as far as this library calls it. */
export interface MailboxStub {
  mailboxCall(call: string): Promise<string>;
}

/** How a target is reached: by a fresh stub for each call, or not by the code that runs, and why. */
export type Way =
  | { readonly stub: (locationHint?: string) => MailboxStub; readonly unbound?: undefined }
  | { readonly unbound: string };

/** The text that names an actor in the outbox. @throws {UnknownNamespaceError} */
export function addressIn(
  ctx: DurableObjectState,
  env: unknown,
  namespace: AnyNamespace,
  to: string | DurableObjectId,
  // Where an object is made does not say which it is: a location hint is no part of its address.
  { jurisdiction }: RefOptions = {},
): string {
  const space = spaceOf(ctx, env, namespace);
  const name = typeof to === "string" ? to : nameOf(namespace, to);
  const where = jurisdiction === undefined ? [] : ([jurisdiction] as const);
  return name === undefined
    ? formatAddress(space, "id", to.toString(), ...where)
    : formatAddress(space, "name", name, ...where);
}

/** Whether an address leads to the object itself. */
export function isSelf(
  ctx: DurableObjectState,
  namespace: AnyNamespace,
  to: string | DurableObjectId,
  { jurisdiction }: RefOptions = {},
): boolean {
  if (typeof to !== "string") return to.toString() === ctx.id.toString();
  const space = jurisdiction === undefined ? namespace : namespace.jurisdiction(jurisdiction);
  return space.idFromName(to).toString() === ctx.id.toString();
}

/** How the code that runs reaches a target of the outbox. */
export function wayTo(ctx: DurableObjectState, env: unknown, address: string): Way {
  const parsed = parseAddress(address);
  const [space, by, name, jurisdiction] = parsed ?? [];
  const found = spaces(ctx, env).find(([candidate]) => candidate === space)?.[1];
  if (found === undefined || name === undefined) {
    return { unbound: `The code that runs has no binding for ${readableAddress(address)}.` };
  }
  if (by === "id" && !isIdOf(found, name)) {
    return {
      unbound: `The binding of ${readableAddress(address)} leads to another namespace now, which has no such id.`,
    };
  }
  return {
    stub: (locationHint) =>
      stubIn(found, by === "name" ? name : found.idFromString(name), {
        ...(jurisdiction === undefined ? {} : { jurisdiction: jurisdiction as DurableObjectJurisdiction }),
        ...(locationHint === undefined ? {} : { locationHint: locationHint as DurableObjectLocationHint }),
      }),
  };
}

/** A fresh stub of a namespace's object. After an error a stub is broken, so every call takes a new one. */
export function stubIn(
  namespace: AnyNamespace,
  to: string | DurableObjectId,
  options: RefOptions,
): MailboxStub {
  const { jurisdiction, locationHint } = options;
  const space = jurisdiction === undefined ? namespace : namespace.jurisdiction(jurisdiction);
  const id = typeof to === "string" ? space.idFromName(to) : to;
  const stub: unknown = locationHint === undefined ? space.get(id) : space.get(id, { locationHint });
  return stub as MailboxStub;
}

/** The refusal that it is to call a class without a mailbox; undefined for any other error of a call. */
export function noMailbox(error: unknown): NoMailboxError | undefined {
  // The platform has no other sign of it than its words.
  if (!(error instanceof Error) || !/does not (implement|support).*(mailboxCall|RPC)/.test(error.message))
    return undefined;
  return new NoMailboxError(
    `The class behind the namespace has no mailbox, so nothing was done; extend Actor, or give it a Mailbox and mailboxCall(call) { return this.mailbox.call(call) }. ${error.message}`,
    { cause: error },
  );
}

/** The address of who sent a message, if a namespace of ours made its id. */
export function addressOf(
  ctx: DurableObjectState,
  env: unknown,
  from: { readonly id: string; readonly name?: string },
): string | undefined {
  for (const [space, namespace] of spaces(ctx, env)) {
    if (!isIdOf(namespace, from.id)) continue;
    const name = nameOf(namespace, from);
    return name === undefined ? formatAddress(space, "id", from.id) : formatAddress(space, "name", name);
  }
  return undefined;
}

/** Whether a namespace has made an id: it accepts no other. */
function isIdOf(namespace: AnyNamespace, id: string): boolean {
  try {
    namespace.idFromString(id);
    return true;
  } catch {
    return false;
  }
}

/** Checks what `ref` is given. @throws {UnknownNamespaceError} {@link InvalidOptionError} */
export function checkTarget(
  namespace: unknown,
  to: unknown,
  options: RefOptions = {},
): asserts to is string | DurableObjectId {
  if (!hasIds(namespace)) {
    throw new UnknownNamespaceError(
      `ref was given ${quote(namespace)} in place of a namespace: there is no such binding in env, or it is none of a Durable Object; look for its name in the Worker's configuration.`,
    );
  }
  checkNames(options, REF_NAMES, "the options of ref");
  // The platform would take half a surrogate pair for U+FFFD, so that two names become one actor.
  if (typeof to === "string" ? to === "" || !to.isWellFormed() : typeof to !== "object" || to === null) {
    throw new InvalidOptionError(
      `ref was given ${to === "" ? "an empty name" : quote(to)}; expected the actor's name, of well-formed text, or a DurableObjectId.`,
    );
  }
  // An id has no type of its namespace, so no compiler refuses that of another.
  if (typeof to === "object" && !isIdOf(namespace, (to as DurableObjectId).toString())) {
    throw new InvalidOptionError(
      "ref was given an id that its namespace has not made; expected one of the same namespace, or the actor's name.",
    );
  }
}

function hasIds(value: unknown): value is AnyNamespace {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    "idFromName" in value &&
    typeof value.idFromName === "function"
  );
}

/**
 * The name that an id was made from, where it leads to the same id again. It is preferred: an object
 * first woken by an id alone does not know its name, and two addresses of one object are two routes.
 */
function nameOf(
  namespace: AnyNamespace,
  to: DurableObjectId | { readonly id: string; readonly name?: string },
): string | undefined {
  const { name } = to;
  const id = "id" in to ? to.id : to.toString();
  return name !== undefined && namespace.idFromName(name).toString() === id ? name : undefined;
}

function spaceOf(ctx: DurableObjectState, env: unknown, namespace: AnyNamespace): string {
  // What is not the same object may lead to the same actors all the same; the ids tell. A binding is
  // preferred to an export: two names of one namespace would be two routes to each of its actors.
  const found =
    namespacesOf("env", env).find(([, candidate]) => candidate === namespace) ??
    (isNamespace(namespace)
      ? spaces(ctx, env).find(([, candidate]) => isSameNamespace(candidate, namespace))
      : undefined);
  if (found === undefined) {
    throw new UnknownNamespaceError(
      "this.ref was given a namespace that is neither a binding of this.env nor of ctx.exports, so no stored row could name it; pass the binding itself, and a jurisdiction as an option.",
    );
  }
  return found[0];
}

function isSameNamespace(one: AnyNamespace, other: AnyNamespace): boolean {
  return one.idFromName("one").toString() === other.idFromName("one").toString();
}

function spaces(ctx: DurableObjectState, env: unknown): [space: string, namespace: AnyNamespace][] {
  const { exports } = ctx as { readonly exports?: unknown };
  return [...namespacesOf("env", env), ...namespacesOf("exports", exports)];
}

function namespacesOf(where: string, bindings: unknown): [string, AnyNamespace][] {
  if (typeof bindings !== "object" || bindings === null) return [];
  return Object.entries(bindings).flatMap(([name, value]: [string, unknown]): [string, AnyNamespace][] =>
    isNamespace(value) ? [[`${where}:${name}`, value]] : [],
  );
}

/**
 * A namespace is known by a method of its class. Asking the value itself would not do: the stub of a
 * service says that it has every method there is, and would call its Worker for it.
 */
function isNamespace(value: unknown): value is AnyNamespace {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  let level: unknown = Object.getPrototypeOf(value);
  if (level === Object.prototype) level = value;
  while (typeof level === "object" && level !== null) {
    if (Object.hasOwn(level, "idFromName") && Object.hasOwn(level, "idFromString")) return true;
    level = Object.getPrototypeOf(level);
  }
  return false;
}
