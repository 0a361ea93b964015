// What a handler may look like, and how one is found and checked. The message map is the one source
// of types: a missing handler or a wrong payload is a compile error, and JavaScript callers get the
// same refusals at run time.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Delivery } from "./delivery.ts";
import { AsyncSchemaError, InvalidReceiveError, MailboxError, SchemaRefusedError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { checkTypeName } from "../message/check.ts";
import type { TypeOf } from "../message/message-map.ts";
import { storedError } from "../message/thrown.ts";
import { type Policy, POLICY_NAMES, parsePolicy, type StoredPolicy } from "../message/policy.ts";

/**
 * Handles one delivery. What it returns is ignored; when it throws or rejects, the message is redelivered.
 *
 * A function that returns no promise is one commit with its ack: all it writes, all it sends. An
 * `async` function, or one that returns a promise, commits its sends with the ack when it resolves. Until
 * then what it sends is in memory, where `get`, `cancel` and `reschedule` find it; the lists and `stats`
 * show what is on disk.
 */
export type Handle<P> = (payload: P, delivery: Delivery) => unknown;

/** What can be said of a handler beside its function: its policy. */
export type HandlerOptions = Policy;

const OPTION_NAMES: Names<HandlerOptions> = POLICY_NAMES;

/** A handler with a policy of its own. */
export interface HandlerWithPolicy<P> extends HandlerOptions {
  readonly handle: Handle<P>;
}

declare const input: unique symbol;

/** A handler behind a schema; made by {@link validated}. */
export interface Validated<P> {
  readonly [input]: (payload: P) => void;
}

/**
 * The handlers of an actor, one for each type of its message map. Write the type on the field:
 * `protected override readonly receive: Receive<CartMessages> = { … }`.
 */
export type Receive<M extends object> = {
  readonly [T in TypeOf<M>]: Handle<M[T]> | HandlerWithPolicy<M[T]> | Validated<M[T]>;
};

class ValidatedHandler {
  readonly schema: StandardSchemaV1;
  readonly handle: Handle<unknown>;
  readonly options: HandlerOptions;

  constructor(schema: StandardSchemaV1, handle: Handle<unknown>, options: HandlerOptions) {
    this.schema = schema;
    this.handle = handle;
    this.options = options;
  }
}

/**
 * A handler whose payload is checked by any Standard Schema (zod, valibot, arktype, …): at send by a
 * ref and on the actor, and always at delivery, where a refusal is a dead letter `unreadable`. What is
 * stored is the schema's input; `handle` gets its output, so a schema that accepts older shapes is
 * the way over changes of a payload.
 *
 * @throws {AsyncSchemaError} at send or delivery, when the schema answers a promise.
 */
export function validated<S extends StandardSchemaV1>(
  schema: S,
  handle: Handle<StandardSchemaV1.InferOutput<S>>,
  options: HandlerOptions = {},
): Validated<StandardSchemaV1.InferInput<S>> {
  const handler: unknown = new ValidatedHandler(schema, handle, options);
  return handler as Validated<StandardSchemaV1.InferInput<S>>;
}

/** A handler, resolved. */
export interface Handler {
  readonly handle: Handle<unknown>;
  /** An `async function`, recognised before it is called: it runs in no transaction. */
  readonly isAsync: boolean;
  readonly policy: StoredPolicy | undefined;
  readonly schema: StandardSchemaV1 | undefined;
}

// Computed, not named: a name would be lost where a build lowers async functions.
const AsyncFunction: unknown = (async () => {}).constructor;

/** Whether a function was written `async`. */
export function isAsyncFunction(value: (...args: never[]) => unknown): boolean {
  return value.constructor === AsyncFunction;
}

/** Checks and resolves a `receive` map. @throws {InvalidReceiveError} */
export function parseReceive(receive: unknown): ReadonlyMap<string, Handler> {
  if (typeof receive !== "object" || receive === null) {
    throw new InvalidReceiveError(
      `receive is ${receive === undefined ? "missing" : quote(receive)}; expected an object with one handler for each type of the message map.`,
    );
  }
  return new Map(Object.entries(receive).map(([type, value]) => [typeOf(type), parseHandler(type, value)]));
}

/** A name under which no message could ever come is a mistake, and not a handler that waits. */
function typeOf(name: string): string {
  try {
    return checkTypeName(name);
  } catch (error) {
    if (!(error instanceof MailboxError)) throw error;
    throw new InvalidReceiveError(`receive has a handler that no message can be for. ${error.message}`);
  }
}

function parseHandler(type: string, value: unknown): Handler {
  if (typeof value === "function") return resolved(type, value as Handle<unknown>, {}, undefined);
  if (value instanceof ValidatedHandler) {
    const { handle, options, schema } = value;
    if (typeof handle === "function" && isSchema(schema)) return resolved(type, handle, options, schema);
    throw new InvalidReceiveError(
      `receive.${type} is validated(${quote(schema)}, ${quote(handle)}); expected a schema with "~standard", as zod, valibot and arktype make it, and a function.`,
    );
  }
  if (
    typeof value === "object" &&
    value !== null &&
    "handle" in value &&
    typeof value.handle === "function"
  ) {
    const { handle, ...options } = value as HandlerWithPolicy<unknown>;
    return resolved(type, handle.bind(value), options, undefined, handle);
  }
  throw new InvalidReceiveError(
    `receive.${type} is no handler; expected a function, { handle, …policy } or validated(schema, handle).`,
  );
}

function resolved(
  type: string,
  handle: Handle<unknown>,
  options: HandlerOptions,
  schema: StandardSchemaV1 | undefined,
  written: Handle<unknown> = handle,
): Handler {
  checkNames(options, OPTION_NAMES, `receive.${type}`);
  return {
    handle,
    isAsync: isAsyncFunction(written),
    policy: parsePolicy(options, `the policy of receive.${type}`),
    schema,
  };
}

function isSchema(value: unknown): value is StandardSchemaV1 {
  // A schema may be a function too.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = Reflect.get(value, "~standard");
  return (
    typeof standard === "object" &&
    standard !== null &&
    typeof Reflect.get(standard, "validate") === "function"
  );
}

/** What a schema says of a payload. */
type Checked =
  | { readonly kind: "payload"; readonly payload: unknown }
  | { readonly kind: "issues"; readonly text: string }
  | { readonly kind: "promise" }
  | { readonly kind: "nothing"; readonly instead: unknown };

/**
 * Applies a schema at send or delivery. Whatever its vendor's code does, the answer is a payload or a refusal.
 *
 * @throws {SchemaRefusedError} {@link AsyncSchemaError}
 */
export function applySchema(schema: StandardSchemaV1, type: string, payload: unknown): unknown {
  const which = `The schema of receive.${type}`;
  let checked: Checked;
  try {
    checked = check(schema, payload);
  } catch (cause) {
    const { name, message } = storedError(cause);
    throw new SchemaRefusedError(`${which} failed: ${name}: ${message}`, { cause });
  }
  switch (checked.kind) {
    case "payload":
      return checked.payload;
    case "issues":
      throw new SchemaRefusedError(`${which} refuses the payload: ${checked.text}`);
    case "promise":
      throw new AsyncSchemaError(
        `${which} answered a promise; a message is checked inside one commit, so use a synchronous schema.`,
      );
    case "nothing":
      throw new SchemaRefusedError(
        `${which} answered ${quote(checked.instead)}; expected a result of a Standard Schema, { value } or { issues }.`,
      );
  }
}

function check(schema: StandardSchemaV1, payload: unknown): Checked {
  const result: unknown = schema["~standard"].validate(payload);
  if (isThenable(result)) {
    if (result instanceof Promise) result.catch(() => {});
    return { kind: "promise" };
  }
  if (typeof result !== "object" || result === null) return { kind: "nothing", instead: result };
  const { issues } = result as StandardSchemaV1.FailureResult;
  // By the standard a result whose issues are falsy is a success, null as well as undefined.
  if (issues) return { kind: "issues", text: textOf(issues) };
  return "value" in result
    ? { kind: "payload", payload: result.value }
    : { kind: "nothing", instead: result };
}

/** Whether somebody could await it: any object with a `then`, not promises of this realm alone. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    "then" in value &&
    typeof value.then === "function"
  );
}

function textOf(issues: readonly StandardSchemaV1.Issue[]): string {
  return issues
    .slice(0, 5)
    .map((issue) => `${pathOf(issue)}${issue.message}`)
    .join("; ");
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  if (issue.path === undefined || issue.path.length === 0) return "";
  const keys = issue.path.map((part) => String(typeof part === "object" ? part.key : part));
  return `${keys.join(".")}: `;
}
