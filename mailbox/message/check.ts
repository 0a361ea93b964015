// Checks of what a person passes: types, keys, numbers, functions. Each says what was wrong and what was expected.

import { byteLength } from "../payload/codec.ts";
import { InvalidKeyError, InvalidOptionError, UnknownTypeError } from "../errors.ts";
import { quote } from "../input.ts";

const NAME_BYTES = 256;

/**
 * What keeps a value from being a type or a key; undefined when nothing does. The database would take half
 * a surrogate pair for U+FFFD, so that two names become one.
 */
function faultOfName(value: unknown): string | undefined {
  if (typeof value !== "string") return quote(value);
  if (value === "") return "empty";
  // A unit is at least a byte, so what is far too long is not counted.
  if (value.length > NAME_BYTES) return `over ${NAME_BYTES} bytes long`;
  if (byteLength(value) > NAME_BYTES) return `${byteLength(value)} bytes long`;
  return value.isWellFormed() ? undefined : `${quote(value)}, which has half of a surrogate pair`;
}

/** Whether it can be a type or a key: other texts name nothing. */
export function isName(value: unknown): value is string {
  return faultOfName(value) === undefined;
}

/** @throws {InvalidKeyError} */
export function checkKey(key: unknown): string {
  const fault = faultOfName(key);
  if (fault === undefined) return key as string;
  throw new InvalidKeyError(
    `The key is ${fault}; expected a string of 1 to ${NAME_BYTES} bytes of well-formed text.`,
  );
}

/** @throws {UnknownTypeError} for what cannot be a type's name at all */
export function checkTypeName(type: unknown): string {
  const fault = faultOfName(type);
  if (fault === undefined) return type as string;
  throw new UnknownTypeError(
    `The message's type is ${fault}; expected the name of a handler, a string of 1 to ${NAME_BYTES} bytes of well-formed text.`,
  );
}

export function optionalFunction<F>(value: F, what: string): F {
  if (value !== undefined && typeof value !== "function") {
    throw new InvalidOptionError(`${what} is ${quote(value)}; expected a function.`);
  }
  return value;
}

/** A whole number within bounds. @throws {InvalidOptionError} */
export function integer(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw new InvalidOptionError(
      `${what} is ${quote(value)}; expected a whole number from ${min} to ${max}.`,
    );
  }
  return value;
}

export function atLeast(ms: number, min: number, what: string): number {
  if (ms < min) throw new InvalidOptionError(`${what} is ${ms} ms; expected at least ${min} ms.`);
  return ms;
}
