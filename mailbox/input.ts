// What a person passes, before anything is done with it: which names an object of options may have, and
// how a refused value is shown in an error. Strict here; what is stored, or comes of our own code, is believed.

import { InvalidOptionError } from "./errors.ts";

/** The names of an object of options: a record of them, so that the compiler misses none and takes no other. */
export type Names<T> = { readonly [K in keyof Required<T>]: true };

/** No text is shown longer. */
const SHOWN = 60;

/**
 * Refuses names that nobody knows instead of ignoring them, and what is no object at all.
 *
 * @param what - what the object is, which begins the error's message
 * @throws {InvalidOptionError}
 */
export function checkNames(given: unknown, known: Readonly<Record<string, true>>, what: string): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(`${what}: ${quote(given)} is no object of options.`);
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const near = nearest(name, names);
    throw new InvalidOptionError(
      `${what}: ${quote(name)} is unknown${near === undefined ? "" : `; did you mean ${near}?`}. Expected one of ${names.join(", ")}.`,
    );
  }
}

/** The name that was probably meant: at most three letters and half of it are written otherwise. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const [near] = names
    .map((known) => ({ known, edits: editsBetween(name.slice(0, SHOWN).toLowerCase(), known.toLowerCase()) }))
    .toSorted((a, b) => a.edits - b.edits);
  return near !== undefined && near.edits <= Math.min(3, near.known.length / 2) ? near.known : undefined;
}

/** How many letters must be put in, taken out or changed to make one text of the other. */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, letter] of Array.from(from).entries()) {
    const next = [line + 1];
    for (const [index, other] of Array.from(to).entries()) {
      const changed = (row[index] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** A value in an error's message, cut so that no input makes the message long. */
export function quote(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN - 1)}…` : value);
  }
  if (typeof value === "object" && value !== null) {
    return value instanceof Date ? "a Date" : Array.isArray(value) ? "an array" : "an object";
  }
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
    return `a ${typeof value}`;
  return String(value);
}
