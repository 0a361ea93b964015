// Owns the text form of payloads: superjson's, from an instance of our own. Invariant: what
// `encodePayload` answers, `decodePayload` turns into an equal value, shared and cyclic references
// included; what would be lost or changed in silence is refused instead.
//
// Plain JSON, which nearly every payload is, takes a short way: superjson would answer the same text
// in 6 to 8 times the time. Text without `meta` is read by JSON.parse alone.

import { assertCarried } from "./check.ts";
import { plainSuperjson, superjson } from "./forms.ts";
import { revive } from "./revive.ts";
import { InvalidPayloadError } from "../errors.ts";

/** The encoding of `undefined`, the payload of a `void` message. */
export const VOID_PAYLOAD: string = superjson.stringify(undefined);

/**
 * Encodes a payload as superjson does.
 *
 * Carried are JSON's values, undefined, NaN, ±Infinity, -0, bigint, Date, Map, Set, RegExp, URL, typed
 * arrays (their part of the buffer; a Buffer arrives as a Uint8Array), DataView, ArrayBuffer, and Error
 * with name, message, stack, cause and own fields. An Error or a Date arrives as one, whatever its class. Getters
 * are read, non-enumerable properties left out.
 *
 * @throws InvalidPayloadError for all else, and beyond 1,000 levels; the message names the path and what is there
 */
export function encodePayload(value: unknown): string {
  if (value === undefined) return VOID_PAYLOAD;
  try {
    if (isPlainJson(value)) return JSON.stringify({ json: value });
  } catch {
    // A getter or a proxy threw; the careful walk below meets it again and says where.
  }
  const hasOwnForms = assertCarried(value);
  try {
    return (hasOwnForms ? superjson : plainSuperjson).stringify(value);
  } catch (error) {
    // Left are a getter or a proxy that answers otherwise when asked again, and the end of the stack.
    const reason = error instanceof Error ? error.message : "what reading it threw is no error";
    throw new InvalidPayloadError(`payload: it cannot be encoded: ${reason}`, { cause: error });
  }
}

/**
 * Decodes what `encodePayload` answered, in a value of its own that nothing else refers to.
 *
 * Whatever the text, no prototype is changed: a property named `__proto__`, which no encoded payload has,
 * comes out as an ordinary own one.
 *
 * @throws Error when the text is not of that form
 */
export function decodePayload(text: string): unknown {
  if (text === VOID_PAYLOAD) return undefined;
  const envelope: unknown = JSON.parse(text);
  if (typeof envelope !== "object" || envelope === null || !("json" in envelope)) {
    throw new Error('The text of the payload has no "json"');
  }
  return "meta" in envelope ? revive(envelope.json, envelope.meta) : envelope.json;
}

const encoder = new TextEncoder();

/** Only written to, and read by nobody: it saves an allocation of the text's size for each count. */
const scratch = new Uint8Array(16_384);

/** The number of UTF-8 bytes of a text. */
export function byteLength(text: string): number {
  if (text.length <= 64 && isAscii(text)) return text.length;
  let bytes = 0;
  for (let rest = text; rest !== "";) {
    const { read, written } = encoder.encodeInto(rest, scratch);
    bytes += written;
    rest = rest.slice(read);
  }
  return bytes;
}

/** For short texts; from about 100 characters on, the encoder is faster. */
function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}

/** The objects met so far: a list while they are few, because a Set costs more until then. */
interface Met {
  readonly list: object[];
  set: Set<object> | undefined;
}

const MAX_LIST = 16;
const MAX_PLAIN_DEPTH = 100;

/**
 * Whether JSON.stringify answers what superjson would: nothing that needs `meta` (which a second
 * reference to the same object does) or that would be lost.
 *
 * This is the hot path of every send. Its order and its forms (`for in`, no closures, a list before a
 * Set, an object recorded only after its parts, so that a flat one never is) are measured. A cycle
 * ends by the depth.
 */
function isPlainJson(value: unknown): boolean {
  return isPlainLeaf(value) || (isObject(value) && isPlainTree(value, 0, undefined));
}

function isPlainLeaf(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value) && (value !== 0 || 1 / value > 0);
  return typeof value === "string" || typeof value === "boolean" || value === null;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** @param met undefined for the payload itself */
function isPlainTree(value: object, depth: number, met: Met | undefined): boolean {
  if (depth > MAX_PLAIN_DEPTH) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  let metBelow = met;
  if (prototype === Object.prototype || prototype === null) {
    const record = value as Record<string, unknown>;
    if (record["toJSON"] !== undefined || Object.getOwnPropertySymbols(record).length !== 0) return false;
    for (const key in record) {
      if (key === "__proto__" || key === "constructor" || key === "prototype") return false;
      const part = record[key];
      if (isPlainLeaf(part)) continue;
      metBelow ??= { list: [], set: undefined };
      if (!isObject(part) || !isPlainTree(part, depth + 1, metBelow)) return false;
    }
  } else if (prototype === Array.prototype && Array.isArray(value)) {
    const array: readonly unknown[] = value;
    // Neither holes nor properties beside the elements.
    if (Object.keys(array).length !== array.length || Object.getOwnPropertySymbols(array).length !== 0)
      return false;
    for (let index = 0; index < array.length; index += 1) {
      const part = array[index];
      if (isPlainLeaf(part)) continue;
      metBelow ??= { list: [], set: undefined };
      if (!isObject(part) || !isPlainTree(part, depth + 1, metBelow)) return false;
    }
  } else {
    return false;
  }
  return met === undefined || !isMet(value, met);
}

function isMet(value: object, met: Met): boolean {
  const { list, set } = met;
  if (set !== undefined) {
    const before = set.size;
    return set.add(value).size === before;
  }
  for (let index = 0; index < list.length; index += 1) {
    if (list[index] === value) return true;
  }
  if (list.length === MAX_LIST) met.set = new Set(list).add(value);
  else list.push(value);
  return false;
}
