// Owns what a payload may hold. Invariant: a value that passes comes back equal from superjson as
// codec-classes.ts sets it up; for one that does not, the error names the first place that would be lost.
// Not on the hot path: plain JSON never comes here.

import { builtinName, errorFields, isBinaryClass } from "./forms.ts";
import { InvalidPayloadError } from "../errors.ts";
import { quote } from "../input.ts";

/** The deepest nesting that is encoded: beyond, recursion could meet the end of the stack. At 1,000 it sometimes did. */
const MAX_DEPTH = 500;

/** Keys that superjson refuses, because with them hostile text could reach a prototype. */
export const forbiddenKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** One step of a path: a property, an index, or already text. */
type Step = string | number | { readonly text: string };

/** What a walk over a payload has met so far. */
interface Walk {
  readonly path: Step[];
  readonly seen: Set<object>;
  hasOwnForms: boolean;
}

/**
 * Passes if the payload can be carried whole.
 *
 * @returns whether there is an error or binary data in it, which superjson carries in a form of ours
 * @throws InvalidPayloadError with a message such as `payload.items[3].run: a function cannot be sent`
 */
export function assertCarried(payload: unknown): boolean {
  const walk: Walk = { path: [], seen: new Set(), hasOwnForms: false };
  try {
    check(payload, walk);
    return walk.hasOwnForms;
  } catch (error) {
    if (error instanceof InvalidPayloadError) throw error;
    // A getter or a proxy of the user's threw; the path was left where it happened.
    const reason = error instanceof Error ? error.message : "what reading it threw is no error";
    throw new InvalidPayloadError(`${pathText(walk.path)}: it cannot be read: ${reason}`, { cause: error });
  }
}

function check(value: unknown, walk: Walk): void {
  const { path, seen } = walk;
  if (typeof value === "function") throw refusal(path, "a function");
  if (typeof value === "symbol") throw refusal(path, "a symbol");
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  if (path.length > MAX_DEPTH) throw refusal(path, `a value more than ${MAX_DEPTH} levels deep`);
  seen.add(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    checkProperties(value, Object.keys(value), walk);
  } else if (prototype === Array.prototype && Array.isArray(value)) {
    checkArray(value, walk);
  } else if (value instanceof Error) {
    const fields = errorFields(value);
    walk.hasOwnForms = true;
    checkProperties(fields, Object.keys(fields), walk);
  } else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    walk.hasOwnForms = true;
    checkBinary(value, path);
  } else if (value instanceof Date || Object.getPrototypeOf(prototype) === Object.prototype) {
    // Built-in classes themselves. A subclass, which is one prototype further away, would lose its class;
    // of a Date that is let pass, because a test's clock puts a subclass in the place of Date.
    checkBuiltin(value, walk);
  } else {
    throw unknownClass(value, path);
  }
}

function checkProperties(value: object, keys: readonly string[], walk: Walk): void {
  const { path } = walk;
  const symbol = Object.getOwnPropertySymbols(value).find((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key),
  );
  if (symbol !== undefined)
    throw refusal(path, `an object with a property named by a symbol (${String(symbol)})`);
  for (const key of keys) {
    path.push(key);
    if (forbiddenKeys.has(key)) throw refusal(path, "a property of this name");
    // Read only now, so that a getter that throws is found at its own path.
    check(Reflect.get(value, key), walk);
    path.pop();
  }
}

function checkArray(array: readonly unknown[], walk: Walk): void {
  const { path } = walk;
  const extra = Object.keys(array).find((key) => !/^\d+$/.test(key));
  if (extra !== undefined) throw refusal([...path, extra], "a property beside the elements of an array");
  const hole = array.findIndex((_, index) => !(index in array));
  if (hole !== -1) throw refusal([...path, hole], "a hole in an array");
  for (const [index, item] of array.entries()) {
    path.push(index);
    check(item, walk);
    path.pop();
  }
}

function checkBinary(value: ArrayBuffer | ArrayBufferView, path: Step[]): void {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (buffer instanceof ArrayBuffer && buffer.detached) throw refusal(path, "a detached ArrayBuffer");
  if (!isBinaryClass(builtinName(value))) throw unknownClass(value, path);
}

function checkBuiltin(value: object, walk: Walk): void {
  const { path } = walk;
  // Calling a method proves that it is one: an object made from the prototype alone throws.
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw refusal(path, "an invalid Date");
  } else if (value instanceof Map) {
    let index = 0;
    for (const [key, item] of value.entries()) {
      path.push({ text: `.keys()[${index}]` });
      check(key, walk);
      path[path.length - 1] = {
        text: typeof key === "string" ? `.get(${quote(key)})` : `.values()[${index}]`,
      };
      check(item, walk);
      path.pop();
      index += 1;
    }
  } else if (value instanceof Set) {
    let index = 0;
    for (const item of value.values()) {
      path.push({ text: `.values()[${index}]` });
      check(item, walk);
      path.pop();
      index += 1;
    }
  } else if (!(value instanceof RegExp) && !(value instanceof URL)) {
    throw unknownClass(value, path);
  }
  const extra = Object.keys(value)[0];
  if (extra !== undefined)
    throw refusal([...path, extra], `a property of one's own on a ${builtinName(value)}`);
}

function unknownClass(value: object, path: readonly Step[]): InvalidPayloadError {
  const { constructor } = Object.getPrototypeOf(value) as { readonly constructor?: unknown };
  const name =
    typeof constructor === "function" && constructor.name !== ""
      ? constructor.name
      : "a class without a name";
  return refusal(path, name === "Promise" ? "a Promise (await it first)" : `an instance of ${name}`);
}

function refusal(path: readonly Step[], found: string): InvalidPayloadError {
  return new InvalidPayloadError(
    `${pathText(path)}: ${found} cannot be sent. A payload is data: plain objects, arrays, primitives, Date, Map, Set, RegExp, URL, Error and binary data`,
  );
}

/** The path as one would write it; long ones lose their middle. */
function pathText(path: readonly Step[]): string {
  const steps = path.map((step) => {
    if (typeof step === "object") return step.text;
    if (typeof step === "number") return `[${step}]`;
    return /^[\p{L}_$][\p{L}\d_$]*$/u.test(step) && step.length <= 40 ? `.${step}` : `[${quote(step)}]`;
  });
  return `payload${(steps.length > 16 ? [...steps.slice(0, 8), "…", ...steps.slice(-7)] : steps).join("")}`;
}
