// Message ids. An id is made by the sender, sorts in the order sent, and says when the message was
// sent and for when, so that a look-up by id is a look-up by the table's own key:
//
//   sent (9 base-36 digits) + nonce (10) + counter (4) + due - sent (base 36, may be negative)
//
// The nonce tells isolates apart; the counter orders messages of one millisecond, in which a whole
// handler runs in production, where the clock stands still between I/O.

import { nanoid } from "nanoid";

/** What a message id says about itself. */
export interface ParsedId {
  readonly sentAt: number;
  readonly dueAt: number;
}

/** No id is longer: that of an occurrence has a type and a key of 256 bytes each, escaped. */
const MAX_ID_LENGTH = 2_048;

/** Whether a text can be an id at all. Longer ones are not even looked up, because the database refuses them. */
export function isIdLength(text: string): boolean {
  return text.length <= MAX_ID_LENGTH;
}

const SENT_DIGITS = 9;
const NONCE_LENGTH = 10;
const COUNTER_DIGITS = 4;
const COUNTER_END = 36 ** COUNTER_DIGITS;
const CLOCK_SET_BACK_MS = 60_000;
const FORM = /^([0-9a-z]{9})[A-Za-z0-9_-]{10}[0-9a-z]{4}(0|-?[1-9a-z][0-9a-z]{0,10})$/;

let nonce = "";
let lastSent = -1;
let counter = 0;
/** What all ids of one millisecond begin with: nothing of an id takes longer to write than so large a number. */
let beginning = "";

function digits(value: number, length: number): string {
  return value.toString(36).padStart(length, "0");
}

function startMillisecond(sent: number): void {
  lastSent = sent;
  counter = 0;
  beginning = digits(sent, SENT_DIGITS) + nonce;
}

/** A new id, greater than all that this isolate made before. */
export function newId(now: number, dueAt: number): string {
  if (now > lastSent) {
    // Lazily: the platform refuses randomness while a module loads.
    if (nonce === "") nonce = nanoid(NONCE_LENGTH);
    startMillisecond(now);
  } else if (lastSent - now > CLOCK_SET_BACK_MS) {
    // The clock was set back by more than an adjustment: an id must not claim to be from the future.
    nonce = nanoid(NONCE_LENGTH);
    startMillisecond(now);
  } else if (counter === COUNTER_END) {
    startMillisecond(lastSent + 1);
  }
  const id = beginning + digits(counter, COUNTER_DIGITS) + (dueAt - lastSent).toString(36);
  counter += 1;
  return id;
}

/** Reads a message id; `undefined` for anything that `newId` could not have made. */
export function parseId(id: string): ParsedId | undefined {
  const match = id.match(FORM);
  if (match === null) return undefined;
  const sentAt = Number.parseInt(match[1] ?? "", 36);
  const dueAt = sentAt + Number.parseInt(match[2] ?? "", 36);
  return Number.isSafeInteger(dueAt) ? { sentAt, dueAt } : undefined;
}

const RECURRENCE_PREFIX = "every:";

/** The id of the recurrence of a type and key: known without asking, so that declaring it again finds it. */
export function recurrenceId(type: string, key: string): string {
  return `${RECURRENCE_PREFIX}${escapePart(type)}:${escapePart(key)}`;
}

/** Whether an id is that of a recurrence, not of one of its occurrences. */
export function isRecurrenceId(id: string): boolean {
  return id.startsWith(RECURRENCE_PREFIX) && !id.includes("@");
}

/** The id of one planned delivery, stable over its redeliveries. */
export function occurrenceId(recurrence: string, plannedAt: number): string {
  return `${recurrence}@${plannedAt}`;
}

/** The id of the dead letter of a declaration, which may be on its way to many, and to each of them more than once. */
export function declarationLetterId(recurrence: string, route: string, n: number): string {
  return `${recurrence}@${route}#${n}`;
}

/** Reads the id of an occurrence; `undefined` for any other id. */
export function parseOccurrenceId(id: string): { recurrence: string; plannedAt: number } | undefined {
  if (!id.startsWith(RECURRENCE_PREFIX)) return undefined;
  const at = id.indexOf("@");
  if (at < 0) return undefined;
  const digitsText = id.slice(at + 1);
  if (!/^(0|-?[1-9][0-9]{0,15})$/.test(digitsText)) return undefined;
  const plannedAt = Number(digitsText);
  return Number.isSafeInteger(plannedAt) ? { recurrence: id.slice(0, at), plannedAt } : undefined;
}

/** When the message of this id was due by the id alone; `undefined` when the id is malformed. */
export function dueOfId(id: string): number | undefined {
  return parseId(id)?.dueAt ?? parseOccurrenceId(id)?.plannedAt;
}

/** The flag of a row: 1 when it is not due at the time that its id says, so that only the index finds it by its id. */
export function movedFlag(id: string, due: number): 0 | 1 {
  return due === dueOfId(id) ? 0 : 1;
}

/** When the message of this id was sent: for an occurrence, its planned time. */
export function sentOfId(id: string): number | undefined {
  return parseId(id)?.sentAt ?? parseOccurrenceId(id)?.plannedAt;
}

// Colons and at-signs are the id's own; everything that encodeURIComponent leaves alone is safe.
function escapePart(part: string): string {
  return encodeURIComponent(part.toWellFormed());
}
