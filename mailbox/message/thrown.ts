// What is kept of anything that can be thrown, whatever it is and however large.

import type { StoredError } from "./envelope.ts";

const STORED_ERROR_BYTES = 4096;
const MESSAGE_UNITS = STORED_ERROR_BYTES / 4;

/** Of an object no more JSON is made than some of this, in UTF-16 units: whole, it may be more than memory holds. */
const JSON_UNITS = 64 * 1024;

/** What is kept of anything that can be thrown; never throws itself, whatever getters it meets. */
export function storedError(thrown: unknown): StoredError {
  try {
    if (thrown instanceof Error) {
      const name = cut(String(thrown.name), 256);
      const message = cut(String(thrown.message), MESSAGE_UNITS);
      // UTF-8 takes at most three bytes for a UTF-16 unit, so this stays below the cap.
      const room = Math.floor((STORED_ERROR_BYTES - 3 * (name.length + message.length)) / 3);
      const stack = typeof thrown.stack === "string" && room > 0 ? cut(thrown.stack, room) : undefined;
      return stack === undefined ? { name, message } : { name, message, stack };
    }
    const text = typeof thrown === "object" && thrown !== null ? jsonOf(thrown) : String(thrown);
    return { name: "Thrown", message: cut(text, MESSAGE_UNITS) };
  } catch {
    return { name: "Error", message: "The thrown value could not be read." };
  }
}

/** The JSON of an object; of one that is too large its class alone. @throws what JSON throws */
function jsonOf(thrown: object): string {
  let units = 0;
  try {
    const text: string | undefined = JSON.stringify(thrown, (key, value: unknown) => {
      units += key.length + unitsOf(value);
      if (units > JSON_UNITS) throw new RangeError("Too long.");
      return value;
    });
    return text ?? "";
  } catch (error) {
    // The engine says so too: of what is too deep, and of what is longer than any text can be.
    if (!(error instanceof RangeError)) throw error;
    return `${thrown.constructor.name}, whose JSON is too large to be made.`;
  }
}

/** At least what a value adds to the JSON by itself, known before anything is made of it. */
function unitsOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : 1;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text.toWellFormed() : `${text.slice(0, length - 1).toWellFormed()}…`;
}
