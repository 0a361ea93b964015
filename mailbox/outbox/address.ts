// Addresses: how a row names another actor so that any later version of the code finds it again. A
// namespace is named by its binding, never by its class: only bindings can be looked up.

import { InvalidOptionError, UnknownNamespaceError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { isText, readColumn } from "../json.ts";

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

function isStored(value: unknown): value is Stored {
  return Array.isArray(value) && value.length >= 3 && value.slice(0, 3).every(isText);
}

/** The text that names an actor in the outbox. @throws {UnknownNamespaceError} */
export function formatAddress(
  ctx: DurableObjectState,
  env: unknown,
  namespace: AnyNamespace,
  to: string | DurableObjectId,
  options: RefOptions = {},
): string {
  const space = spaceOf(ctx, env, namespace);
  const name = typeof to === "string" ? to : nameOf(namespace, to);
  const stored: Stored = name === undefined ? [space, "id", to.toString()] : [space, "name", name];
  if (options.jurisdiction !== undefined || options.locationHint !== undefined) {
    stored.push(options.jurisdiction ?? null, options.locationHint ?? null);
  }
  return JSON.stringify(stored);
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

/** What a person reads of an address: `CARTS/cart-42`; the text itself where it is none. */
export function readableAddress(address: string): string {
  const stored = readColumn(address, isStored);
  if (stored === undefined) return address;
  const [space, , name] = stored;
  return `${space.slice(space.indexOf(":") + 1)}/${name}`;
}

/** A fresh stub; undefined when the code version that runs has no such binding, or it is no address. */
export function stubOf(ctx: DurableObjectState, env: unknown, address: string): MailboxStub | undefined {
  const stored = readColumn(address, isStored);
  if (stored === undefined) return undefined;
  const [space, by, name, jurisdiction, hint] = stored;
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
      namespace.idFromString(from.id);
      const name = nameOf(namespace, from);
      const stored: Stored = name === undefined ? [space, "id", from.id] : [space, "name", name];
      return JSON.stringify(stored);
    } catch {
      // Not an id of this namespace.
    }
  }
  return undefined;
}

/** Checks what `ref` is given beside the namespace. @throws {InvalidOptionError} */
export function checkTarget(to: unknown, options: RefOptions = {}): asserts to is string | DurableObjectId {
  checkNames(options, REF_NAMES, "the options of ref");
  // The platform would take half a surrogate pair for U+FFFD, so that two names become one actor.
  if (typeof to === "string" ? to === "" || !to.isWellFormed() : typeof to !== "object" || to === null) {
    throw new InvalidOptionError(
      `ref was given ${to === "" ? "an empty name" : quote(to)}; expected the actor's name, of well-formed text, or a DurableObjectId.`,
    );
  }
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
