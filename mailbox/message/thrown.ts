// The beginning of a value's JSON, of a bounded length: to the letter what `JSON.stringify` would begin
// with, without what it would go on with, be that hundreds of megabytes.

import type { Fields } from "../json.ts";
import type { StoredError } from "./envelope.ts";

/**
 * At least the first `units` UTF-16 units of the JSON of a value, and not many more; empty when it has none.
 * What is asked for a value is what is written of it: only its own names are all looked at.
 *
 * @throws what its getters throw, and TypeError for a cycle or a BigInt, up to there
 */
export function jsonStart(value: unknown, units: number): string {
  const start = new Start(units);
  start.write(value, "", "");
  return start.text;
}

class Start {
  text = "";
  readonly #units: number;
  /** The objects that the present one is in. */
  readonly #around = new Set<object>();

  constructor(units: number) {
    this.#units = units;
  }

  get #isFull(): boolean {
    return this.text.length > this.#units;
  }

  /** Writes a value behind `before`; or nothing, for what JSON has no word for, and answers so. */
  write(value: unknown, key: string, before: string): boolean {
    const written = unboxed(replaced(value, key));
    switch (typeof written) {
      case "undefined":
      case "function":
      case "symbol":
        return false;
      case "bigint":
        throw new TypeError("JSON has no BigInt.");
      case "string":
        this.text += before + this.#quoted(written);
        return true;
      case "object":
        this.text += before;
        if (written === null) this.text += "null";
        else this.#inside(written);
        return true;
      case "number":
      case "boolean":
        this.text += before + JSON.stringify(written);
        return true;
    }
  }

  #inside(value: object): void {
    if (this.#around.has(value)) throw new TypeError("It holds itself.");
    this.#around.add(value);
    if (Array.isArray(value)) this.#list(value);
    else this.#fields(value as Fields);
    this.#around.delete(value);
  }

  #list(list: readonly unknown[]): void {
    const { length } = list;
    this.text += "[";
    for (let index = 0; index < length && !this.#isFull; index += 1) {
      const before = index === 0 ? "" : ",";
      if (!this.write(list[index], String(index), before)) this.text += `${before}null`;
    }
    this.text += "]";
  }

  #fields(fields: Fields): void {
    this.text += "{";
    let before = "";
    for (const key of this.#keysOf(fields)) {
      if (this.#isFull) break;
      if (this.write(fields[key], key, `${before}${this.#quoted(key)}:`)) before = ",";
    }
    this.text += "}";
  }

  /** The names of a typed list are its places, which are not made into texts that nobody reads. */
  #keysOf(fields: object): readonly string[] {
    return fields instanceof TypedArray && fields.length > this.#units
      ? Array.from({ length: this.#units }, (_, index) => String(index))
      : Object.keys(fields);
  }

  /** What is cut off is behind the end: one unit of a text is at least one of its JSON. */
  #quoted(text: string): string {
    return JSON.stringify(text.length > this.#units ? text.slice(0, this.#units + 1) : text);
  }
}

/** What all typed lists have in common, which has no name. */
const TypedArray = Object.getPrototypeOf(Uint8Array) as new () => { readonly length: number };

/** What its own `toJSON` makes of a value. */
function replaced(value: unknown, key: string): unknown {
  // Of simple values only a BigInt is asked: many a program gives it one.
  const isAsked = typeof value === "object" || typeof value === "function" || typeof value === "bigint";
  if (!isAsked || value === null) return value;
  const { toJSON } = value as { readonly toJSON?: unknown };
  return typeof toJSON === "function" ? (Reflect.apply(toJSON, value, [key]) as unknown) : value;
}

const boxes = [Number, String, Boolean, BigInt];

/** A number, text or truth that is in an object of its own. */
function unboxed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return boxes.some((box) => value instanceof box) ? value.valueOf() : value;
}

const STORED_ERROR_BYTES = 4096;

/** What is kept of anything that can be thrown; never throws itself, whatever getters it meets. */
export function storedError(thrown: unknown): StoredError {
  try {
    if (thrown instanceof Error) {
      const name = cut(String(thrown.name), 256);
      const message = cut(String(thrown.message), STORED_ERROR_BYTES / 4);
      // UTF-8 takes at most three bytes for a UTF-16 unit, so this stays below the cap.
      const room = Math.floor((STORED_ERROR_BYTES - 3 * (name.length + message.length)) / 3);
      const stack = typeof thrown.stack === "string" && room > 0 ? cut(thrown.stack, room) : undefined;
      return stack === undefined ? { name, message } : { name, message, stack };
    }
    return { name: "Thrown", message: cut(describe(thrown, STORED_ERROR_BYTES / 4), STORED_ERROR_BYTES / 4) };
  } catch {
    return { name: "Error", message: "The thrown value could not be read." };
  }
}

/** An object as its JSON, of which no more is made than is kept: whole, it may be more than memory holds. */
function describe(thrown: unknown, length: number): string {
  return typeof thrown === "object" && thrown !== null ? jsonStart(thrown, length) : String(thrown);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text.toWellFormed() : `${text.slice(0, length - 1).toWellFormed()}…`;
}
