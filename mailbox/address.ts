// Addresses: how a row names another actor so that any later version of the code finds it again. A
// namespace is named by its binding, never by its class: only bindings can be looked up.

import { InvalidOptionError, UnknownNamespaceError } from "./errors.ts";

/** Where an actor is created at first, and in which jurisdiction it lives. */
export interface RefOptions {
  /** Where the object is made if it does not exist yet. */
  readonly locationHint?: DurableObjectLocationHint;
  /** The jurisdiction of the namespace. */
  readonly jurisdiction?: DurableObjectJurisdiction;
}

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

/** A stub, as far as this library calls it. */
export interface MailboxStub {
  mailboxCall(call: string): Promise<string>;
}

/** An address, as its row has it: namespace, form of the name, name, jurisdiction, location. */
type Stored = [
  space: string,
  by: "name" | "id",
  name: string,
  jurisdiction?: string | null,
  hint?: string | null,
];

/** The text that names an actor in the outbox. @throws {UnknownNamespaceError} */
export function formatAddress(
  ctx: DurableObjectState,
  env: unknown,
  namespace: AnyNamespace,
  to: string | DurableObjectId,
  options: RefOptions = {},
): string {
  const space = spaceOf(ctx, env, namespace);
  const stored: Stored = typeof to === "string" ? [space, "name", to] : [space, "id", to.toString()];
  if (options.jurisdiction !== undefined || options.locationHint !== undefined) {
    stored.push(options.jurisdiction ?? null, options.locationHint ?? null);
  }
  return JSON.stringify(stored);
}

/** What a person reads of an address: `CARTS/cart-42`. */
export function readableAddress(address: string): string {
  const [space, , name] = JSON.parse(address) as Stored;
  return `${space.slice(space.indexOf(":") + 1)}/${name}`;
}

/** A fresh stub; undefined when the code version that runs has no such binding. */
export function stubOf(ctx: DurableObjectState, env: unknown, address: string): MailboxStub | undefined {
  const [space, by, name, jurisdiction, hint] = JSON.parse(address) as Stored;
  const namespace = spaces(ctx, env).find(([candidate]) => candidate === space)?.[1];
  if (namespace === undefined) return undefined;
  const options = {
    ...(jurisdiction == null ? {} : { jurisdiction: jurisdiction as DurableObjectJurisdiction }),
    ...(hint == null ? {} : { locationHint: hint as DurableObjectLocationHint }),
  };
  return stubIn(namespace, by === "name" ? name : namespace.idFromString(name), options);
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

/** The address of who sent a message, if a namespace of ours made its id. */
export function addressOf(
  ctx: DurableObjectState,
  env: unknown,
  from: { readonly id: string; readonly name?: string },
): string | undefined {
  for (const [space, namespace] of spaces(ctx, env)) {
    try {
      // An object first woken by `idFromString` does not know its name: prefer the name where it leads to the same id.
      namespace.idFromString(from.id);
      const byName = from.name !== undefined && namespace.idFromName(from.name).toString() === from.id;
      const stored: Stored =
        byName && from.name !== undefined ? [space, "name", from.name] : [space, "id", from.id];
      return JSON.stringify(stored);
    } catch {
      // Not an id of this namespace.
    }
  }
  return undefined;
}

/** Checks the second argument of `ref`. @throws {InvalidOptionError} */
export function checkTarget(to: unknown): asserts to is string | DurableObjectId {
  if (typeof to === "string" ? to === "" : typeof to !== "object" || to === null) {
    throw new InvalidOptionError(
      `ref was given ${to === "" ? "an empty name" : `a ${typeof to}`}; expected the actor's name, or a DurableObjectId.`,
    );
  }
}

function spaceOf(ctx: DurableObjectState, env: unknown, namespace: AnyNamespace): string {
  const found = spaces(ctx, env).find(([, candidate]) => candidate === namespace);
  if (found === undefined) {
    throw new UnknownNamespaceError(
      "this.ref was given a namespace that is neither a binding of this.env nor of ctx.exports, so no stored row could name it; pass the binding itself, and a jurisdiction as an option.",
    );
  }
  return found[0];
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

function isNamespace(value: unknown): value is AnyNamespace {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "idFromString" in value &&
    "idFromName" in value &&
    typeof value.idFromString === "function" &&
    typeof value.idFromName === "function"
  );
}
