// Checks of what a person passes: names, keys, numbers, option names. Each says what was wrong and what was expected.

import { byteLength } from "../payload/codec.ts";
import { InvalidKeyError, InvalidOptionError, UnknownTypeError } from "../errors.ts";

const NAME_BYTES = 256;

/** Refuses a misspelt option instead of ignoring it. @throws {InvalidOptionError} */
export function checkOptionNames(options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidOptionError(`The options are ${quote(options)}; expected an object.`);
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) {
      throw new InvalidOptionError(
        `The option ${quote(name)} is unknown; expected one of ${[...known].join(", ")}.`,
      );
    }
  }
}

/** Whether it can be a type or a key: longer texts name nothing. */
export function isNameLength(value: unknown): value is string {
  return typeof value === "string" && value.length <= NAME_BYTES;
}

/** @throws {InvalidKeyError} */
export function checkKey(key: unknown): string {
  if (typeof key !== "string" || key === "" || byteLength(key) > NAME_BYTES) {
    throw new InvalidKeyError(
      `The key is ${typeof key === "string" ? `${byteLength(key)} bytes long` : `a ${typeof key}`}; expected a string of 1 to ${NAME_BYTES} bytes.`,
    );
  }
  return key.toWellFormed();
}

/** @throws {UnknownTypeError} for what cannot be a type's name at all */
export function checkTypeName(type: unknown): string {
  if (typeof type !== "string" || type === "" || type.length > NAME_BYTES || byteLength(type) > NAME_BYTES) {
    throw new UnknownTypeError(
      `The message's type is ${quote(type)}; expected the name of a handler, a string of 1 to ${NAME_BYTES} bytes.`,
    );
  }
  return type;
}

/** A value in an error text, cut to a readable length. */
export function quote(value: unknown): string {
  if (typeof value !== "string") return value === null ? "null" : `a value of type ${typeof value}`;
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value);
}

export function optionalFunction<F>(value: F, what: string): F {
  if (value !== undefined && typeof value !== "function") {
    throw new InvalidOptionError(`${what} is a ${typeof value}; expected a function.`);
  }
  return value;
}

/** A whole number within bounds. @throws {InvalidOptionError} */
export function integer(value: unknown, what: string, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw new InvalidOptionError(
      `${what} is ${typeof value === "number" ? value : `a ${typeof value}`}; expected a whole number from ${min} to ${max}.`,
    );
  }
  return value;
}

export function atLeast(ms: number, min: number, what: string): number {
  if (ms < min) throw new InvalidOptionError(`${what} is ${ms} ms; expected at least ${min} ms.`);
  return ms;
}
