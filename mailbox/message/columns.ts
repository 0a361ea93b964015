// The JSON columns of a message: `options` and `history`. They are our own text, but somebody else may
// have written them since. One that cannot be read never throws: its message becomes a dead letter when
// its time comes, and until then it is looked at as if the column were empty.

import type { AttemptRecord, Envelope, EnvelopeOptions, From, StoredError } from "./envelope.ts";
import { isStoredPolicy } from "./policy.ts";
import { formatColumn, isAbsentOr, isFields, isNumber, isText, isTime, readColumn } from "../json.ts";

const NO_OPTIONS: EnvelopeOptions = {};
const KEPT_RECORDS = 20;
/** Of a text that is lost, so much is kept in the error. */
const EXCERPT = 400;

/** Parses the options column; undefined when it cannot be read. */
export function readOptions(text: string | null): EnvelopeOptions | undefined {
  return text === null ? NO_OPTIONS : readColumn(text, isOptions);
}

/** Parses the options column, as if there were none when it cannot be read. */
export function parseOptions(text: string | null): EnvelopeOptions {
  return readOptions(text) ?? NO_OPTIONS;
}

/** The options column of options: null when nothing is set, so that a plain message stays plain. */
export function formatOptions(options: EnvelopeOptions | undefined): string | null {
  return options === undefined ? null : formatColumn(options);
}

/** Parses the history column; undefined when it cannot be read. */
export function readHistory(text: string | null): readonly AttemptRecord[] | undefined {
  return text === null ? [] : readColumn(text, isHistory);
}

/** Parses the history column, as if there were none when it cannot be read. */
export function parseHistory(text: string | null): readonly AttemptRecord[] {
  return readHistory(text) ?? [];
}

/** The history column with one more record: the first stays, and the last 19. */
export function addToHistory(text: string | null, record: AttemptRecord): string {
  const records = [...parseHistory(text), record];
  if (records.length > KEPT_RECORDS) records.splice(1, records.length - KEPT_RECORDS);
  return JSON.stringify(records);
}

/** The options of a message that is to be delivered; undefined when one of its columns cannot be read. */
export function deliverableOptions({ options, history }: Envelope): EnvelopeOptions | undefined {
  if (history !== null && readHistory(history) === undefined) return undefined;
  return readOptions(options);
}

/** What is wrong with the columns of a message of which one cannot be read, and what to do. */
export function unreadableError({ options, history, recurrence }: Envelope): StoredError {
  const sentences: string[] = [];
  if (options !== null && readOptions(options) === undefined) {
    sentences.push(lostOptions("its row", options));
    if (recurrence !== null)
      sentences.push("If its recurrence has the same text, declare that again by sendEvery.");
  }
  if (history !== null && readHistory(history) === undefined) sentences.push(lostHistory("its row", history));
  return unreadable(sentences.join(" "));
}

/** The history column with which a letter goes back: one that cannot be read becomes a record that says so. */
export function keptHistory(history: string | null, attempts: number, now: number): string | null {
  if (history === null || readHistory(history) !== undefined) return history;
  return addToHistory(null, {
    attempt: attempts,
    startedAt: now,
    durationMs: 0,
    outcome: "unreadable",
    ...unreadable(lostHistory("the dead letter", history)),
  });
}

/** What is stored of a row that cannot be read. */
export function unreadable(message: string): StoredError {
  return { name: "UnreadableRowError", message };
}

/** What is wrong with the text of a column. */
export function wrongOf(text: string): string {
  try {
    JSON.parse(text);
    return "it is JSON of another shape";
  } catch {
    return "it is not JSON";
  }
}

/** Options are needed to deliver a message, so their text is kept for whoever repairs it. */
export function lostOptions(where: string, text: string): string {
  return `The column options of ${where} cannot be read, because ${wrongOf(text)}. It was kept as it is: repair it in _mailbox_dead_letters, then redrive the message.`;
}

/** Nothing of a history is needed to deliver a message; but it is lost, so its beginning is kept here. */
function lostHistory(where: string, text: string): string {
  // A column may hold what is no text at all.
  const beginning = String(text).slice(0, EXCERPT).toWellFormed();
  return `The column history of ${where} cannot be read, because ${wrongOf(text)}. It is left out, and began with: ${beginning} … Nothing has to be repaired to redrive the message.`;
}

/** Whether it is what {@link formatOptions} writes. More fields may be there, of a later version. */
export function isOptions(value: unknown): value is EnvelopeOptions {
  if (!isFields(value)) return false;
  const {
    policy,
    expiresAt,
    from,
    defers,
    earlierAttempts,
  }: Partial<Record<keyof EnvelopeOptions, unknown>> = value;
  return (
    isAbsentOr(policy, isStoredPolicy) &&
    isAbsentOr(expiresAt, isTime) &&
    isAbsentOr(from, isFrom) &&
    isAbsentOr(defers, isCount) &&
    isAbsentOr(earlierAttempts, isCount)
  );
}

function isFrom(value: unknown): value is From {
  if (!isFields(value)) return false;
  const { id, name, className }: Partial<Record<keyof From, unknown>> = value;
  return isText(id) && isText(className) && isAbsentOr(name, isText);
}

function isHistory(value: unknown): value is readonly AttemptRecord[] {
  return Array.isArray(value) && value.every(isRecord);
}

function isRecord(value: unknown): value is AttemptRecord {
  if (!isFields(value)) return false;
  const {
    attempt,
    startedAt,
    durationMs,
    outcome,
    name,
    message,
    stack,
  }: Partial<Record<keyof AttemptRecord, unknown>> = value;
  return (
    [attempt, startedAt, durationMs].every((number) => isNumber(number)) &&
    [outcome, name, message].every(isText) &&
    isAbsentOr(stack, isText)
  );
}

/** Whether it is a number of something that was counted. */
export function isCount(value: unknown): value is number {
  return isNumber(value, 0, Number.MAX_SAFE_INTEGER);
}
