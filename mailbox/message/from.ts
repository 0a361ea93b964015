// Who sent a message, by the sender's own account: information for a handler, and whom it can reply to. What
// cannot be told is left out where it is written, and what is wrong where it is read: it is no reason to
// refuse a message, which would wait for days because of the name of a class.

import type { From } from "./envelope.ts";
import { isFields } from "../json.ts";

/** Of a class without a name, as a mixin makes it. */
export const NO_CLASS = "DurableObject";

export const SENDER_UNITS = 128;
const CLASS_UNITS = 256;
const NAME_UNITS = 1_024;

/** What an actor says of itself. An empty name, and one that is too long, is none: it is replied to by its id. */
export function fromOf({ id, name, className }: From): From {
  return {
    id,
    className: className === "" ? NO_CLASS : className.slice(0, CLASS_UNITS),
    ...(isTextUpTo(name, NAME_UNITS) ? { name } : {}),
  };
}

/** Reads it. Undefined when it names nobody. */
export function readFrom(value: unknown): From | undefined {
  if (!isFields(value)) return undefined;
  const { id, name, className }: Partial<Record<keyof From, unknown>> = value;
  if (!isTextUpTo(id, SENDER_UNITS)) return undefined;
  return {
    id: id.toWellFormed(),
    className: isTextUpTo(className, CLASS_UNITS) ? className.toWellFormed() : NO_CLASS,
    ...(isTextUpTo(name, NAME_UNITS) ? { name: name.toWellFormed() } : {}),
  };
}

/** Whether it is a text of 1 to `units` UTF-16 units. */
export function isTextUpTo(value: unknown, units: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= units;
}
