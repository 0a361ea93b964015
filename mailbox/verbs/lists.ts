// What the asking verbs answer, and how they page. A cursor says which verb made it and where the
// next page begins; anything else is refused. Pages are cut by size as well as by count.

import { now as clockNow } from "../time/clock.ts";
import { parseHistory, parseOptions } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import { type AttemptRecord, DEAD_LETTER_REASONS, type Envelope, type From } from "../message/envelope.ts";
import { InvalidCursorError, InvalidOptionError } from "../errors.ts";
import { readableAddress } from "../message/address.ts";
import { readable, type StoredLetter, storedLetter } from "../message/letter.ts";
import type { AnyMessages, TypeOf } from "../message/message-map.ts";
import { type Recurrence, recurrenceView } from "../lifecycle/recurrence.ts";
import { dueOfId, isIdLength, parseOccurrenceId, sentOfId } from "../message/id.ts";
import { presentEnvelope } from "../lifecycle/occurrence.ts";
import { cutOf, isBehind, unitsOf, compareDue } from "../message/order.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { integer } from "../message/check.ts";
import type { LetterFilter } from "../store/dead-letters.ts";
import { parseMoment } from "../time/duration.ts";

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; absent on the last. */
  readonly cursor?: string;
}

/** Which page of a list. */
export interface PageOptions {
  /** 1 to 1,000. @default 100 */
  readonly limit?: number;
  /** The cursor of the page before. */
  readonly cursor?: string;
}

/** A message in the mailbox, as `get` and `pending` give it: of one of the types of the map, with its payload. */
export type PendingMessage<M extends object = AnyMessages> = {
  [T in TypeOf<M>]: PendingOf<T, M[T]>;
}[TypeOf<M>];

interface PendingOf<T extends string, P> {
  readonly id: string;
  readonly type: T;
  /** The payload; `undefined` when it cannot be read: then `payloadText` is what is stored. */
  readonly payload: P;
  readonly payloadText?: string;
  readonly state: "waiting" | "running" | "parked";
  readonly dueAt: number;
  readonly sentAt: number | undefined;
  /** Attempts so far that were counted. */
  readonly attempts: number;
  readonly errors: readonly AttemptRecord[];
  readonly key?: string;
  readonly expiresAt?: number;
  readonly recurrence?: string;
  readonly from?: From;
}

/** As it travels: the payload still encoded. */
export type StoredMessage = Omit<PendingMessage, "payload" | "payloadText"> & { readonly text: string };

/** A message on its way to another actor. */
export interface OutboxMessage {
  readonly id: string;
  readonly type: string;
  /** `BINDING/name`. */
  readonly target: string;
  readonly dueAt: number;
  /** How often its target was tried since it last answered. */
  readonly tries: number;
  readonly error?: string;
  readonly nextTryAt: number;
}

/** Which dead letters: those that match all that is given. */
export interface DeadLetterFilter<T extends string = string> {
  readonly type?: T;
  readonly reason?: (typeof DEAD_LETTER_REASONS)[number];
  /** The `fingerprint` of a letter. */
  readonly error?: string;
  /** At most 1,000. */
  readonly ids?: readonly string[];
  /** A moment. */
  readonly diedBefore?: Date | number;
}

const FILTER_NAMES: Names<DeadLetterFilter> = {
  type: true,
  reason: true,
  error: true,
  ids: true,
  diedBefore: true,
};
const PAGE_NAMES: Names<PageOptions> = { limit: true, cursor: true };
const PENDING_NAMES: Names<PageOptions & { readonly type?: string }> = { ...PAGE_NAMES, type: true };
const LETTERS_NAMES: Names<PageOptions & DeadLetterFilter> = { ...PAGE_NAMES, ...FILTER_NAMES };
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** Of the texts of a filter, and of a cursor, which holds an id, escaped. */
const MAX_TEXT = 256;
const MAX_CURSOR = 16_384;
const PAGE_UNITS = 1024 * 1024;

/** A row, for a person. */
export function messageView(core: Core, row: Envelope): StoredMessage {
  const options = parseOptions(row.options);
  return {
    id: row.id,
    type: row.type,
    text: row.payload,
    state: row.parked > 0 ? "parked" : core.runs(row.id) ? "running" : "waiting",
    dueAt: row.due,
    sentAt: sentOfId(row.id),
    attempts: row.attempt,
    errors: parseHistory(row.history),
    ...(row.key === null ? {} : { key: row.key }),
    ...(options.expiresAt === undefined ? {} : { expiresAt: options.expiresAt }),
    ...(row.recurrence === null ? {} : { recurrence: row.recurrence }),
    ...(options.from === undefined ? {} : { from: options.from }),
  };
}

/** A message for a person: what is stored is believed to be of the map. */
export function pendingOf<M extends object>(stored: StoredMessage): PendingMessage<M> {
  return readable(stored) as unknown as PendingMessage<M>;
}

/** A page, each of its items seen in another way. */
export function mapPage<T, U>({ items, ...rest }: Page<T>, view: (item: T) => U): Page<U> {
  return { items: items.map((item) => view(item)), ...rest };
}

/** Finds what waits or runs under an id, the present occurrence of a recurrence included. */
export function findById(core: Core, id: string): Envelope | undefined {
  const due = dueOfId(id);
  if (due === undefined) return undefined;
  const row = core.envelopes.byId(id, due);
  if (row !== undefined) return row;
  const occurrence = parseOccurrenceId(id);
  if (occurrence === undefined) return undefined;
  const recurrence = core.recurrences.byId(occurrence.recurrence);
  if (recurrence?.planned !== occurrence.plannedAt || recurrence.next_due === null) return undefined;
  return presentEnvelope(recurrence, recurrence.next_due);
}

/** A page of what is in the mailbox, in due order; parked messages come last. */
export function pendingPage(
  core: Core,
  options: PageOptions & { readonly type?: string },
): Page<StoredMessage> {
  const limit = limitOf(options, PENDING_NAMES);
  const type = optionalString(options.type, "type");
  const start = readCursor(options.cursor, "pending", [0, Number.MIN_SAFE_INTEGER, ""] as [
    number,
    number,
    string,
  ]);
  const [parked, due, id] = start;
  const rows: Envelope[] = [];
  if (parked === 0) {
    const after = { due, id };
    const own = core.envelopes.page(after, type, limit, PAGE_UNITS);
    const planned = core.recurrences
      .waitingPage(after, type, limit, PAGE_UNITS)
      .map((row) => presentEnvelope(row, row.next_due ?? row.planned));
    // Either list may have been cut by its size.
    const cuts = [cutOf(own, PAGE_UNITS), cutOf(planned, PAGE_UNITS)];
    const merged = [...own, ...planned].filter((row) => !isBehind(row, cuts));
    rows.push(...merged.toSorted(compareDue).slice(0, limit));
    if (cuts.some((cut) => cut !== undefined)) return paged(core, rows, true);
  }
  if (rows.length < limit) {
    const after = parked === 0 ? { parked: 0, due: Number.MIN_SAFE_INTEGER, id: "" } : { parked, due, id };
    rows.push(...core.envelopes.parkedPage(after, type, limit - rows.length, PAGE_UNITS));
  }
  return paged(core, rows, rows.length === limit || unitsOf(rows) >= PAGE_UNITS);
}

function paged(core: Core, rows: readonly Envelope[], hasMore: boolean): Page<StoredMessage> {
  const last = rows.at(-1);
  const items = rows.map((row) => messageView(core, row));
  if (last === undefined || !hasMore) return { items };
  return { items, cursor: writeCursor("pending", [last.parked, last.due, last.id]) };
}

export function recurrencesPage(core: Core, options: PageOptions): Page<Recurrence> {
  const limit = limitOf(options);
  const [after] = readCursor(options.cursor, "recurrences", [""] as [string]);
  const rows = core.recurrences.page(after, limit);
  const last = rows.at(-1);
  const items = rows.map((row) => recurrenceView(row));
  return rows.length < limit || last === undefined
    ? { items }
    : { items, cursor: writeCursor("recurrences", [last.id]) };
}

export function outboxPage(core: Core, options: PageOptions): Page<OutboxMessage> {
  const limit = limitOf(options);
  const [target, n] = readCursor(options.cursor, "outbox", ["", 0] as [string, number]);
  const rows = core.outbox.page({ target, n }, limit);
  const last = rows.at(-1);
  const targets = new Map(
    [...new Set(rows.map((row) => row.target))].map((name) => [name, core.outbox.target(name)]),
  );
  const items = rows.map((row): OutboxMessage => {
    const state = targets.get(row.target);
    return {
      id: row.id,
      type: row.type,
      target: readableAddress(row.target),
      dueAt: row.due,
      tries: state?.tries ?? 0,
      ...(state?.error == null ? {} : { error: state.error }),
      nextTryAt: state?.next_try ?? 0,
    };
  });
  if (rows.length < limit || last === undefined) return { items };
  return { items, cursor: writeCursor("outbox", [last.target, last.n]) };
}

export function lettersPage(core: Core, options: PageOptions & DeadLetterFilter): Page<StoredLetter> {
  const limit = limitOf(options, LETTERS_NAMES);
  const { limit: _limit, cursor, ...rest } = options;
  const filter = parseFilter(rest);
  const [died, id] = readCursor(cursor, "deadLetters", [Number.MAX_SAFE_INTEGER, ""] as [number, string]);
  const rows = core.letters.page({ died, id }, filter, limit, PAGE_UNITS);
  const last = rows.at(-1);
  const items = rows.map((row) => storedLetter(row));
  const size = rows.reduce((sum, row) => sum + row.payload.length + (row.history?.length ?? 0), 0);
  if (last === undefined || (rows.length < limit && size < PAGE_UNITS)) return { items };
  return { items, cursor: writeCursor("deadLetters", [last.died, last.id]) };
}

/** Checks the filter of the dead letters' verbs. @throws {InvalidOptionError} */
export function parseFilter(filter: DeadLetterFilter): LetterFilter {
  // Neither a misspelt name nor the fingerprint of a letter that has none must mean all letters.
  checkNames(filter, FILTER_NAMES, "the filter");
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined)
      throw new InvalidOptionError(`the filter: ${name} is undefined; give it a value, or leave it out.`);
  }
  const { type, reason, error, ids, diedBefore } = filter;
  if (reason !== undefined && !DEAD_LETTER_REASONS.includes(reason)) {
    throw new InvalidOptionError(`reason is unknown; expected one of ${DEAD_LETTER_REASONS.join(", ")}.`);
  }
  if (ids !== undefined) {
    const isList =
      Array.isArray(ids) &&
      ids.length <= MAX_LIMIT &&
      ids.every((id) => typeof id === "string" && isIdLength(id));
    if (!isList) throw new InvalidOptionError(`ids is not a list of at most ${MAX_LIMIT} message ids.`);
  }
  return {
    ...(type === undefined ? {} : { type: optionalString(type, "type") ?? "" }),
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { error: optionalString(error, "error") ?? "" }),
    ...(ids === undefined ? {} : { ids }),
    ...(diedBefore === undefined ? {} : { diedBefore: parseMoment(diedBefore, "diedBefore", clockNow()) }),
  };
}

/** How many a page has, of options with these names alone. @throws {InvalidOptionError} */
function limitOf(options: PageOptions, names: Readonly<Record<string, true>> = PAGE_NAMES): number {
  checkNames(options, names, "the options");
  return integer(options.limit ?? DEFAULT_LIMIT, "limit", 1, MAX_LIMIT);
}

function optionalString(value: unknown, what: string): string | undefined {
  if (value !== undefined && typeof value !== "string") {
    throw new InvalidOptionError(`${what} is ${quote(value)}; expected a string.`);
  }
  if (value !== undefined && !value.isWellFormed()) {
    throw new InvalidOptionError(`${what} is ${quote(value)}, which has half of a surrogate pair.`);
  }
  if (value !== undefined && value.length > MAX_TEXT) {
    throw new InvalidOptionError(`${what} has ${value.length} characters; expected at most ${MAX_TEXT}.`);
  }
  return value;
}

function writeCursor(verb: string, place: readonly (string | number)[]): string {
  return encodeURIComponent(JSON.stringify([verb, ...place]));
}

/** The place that a cursor names, of the same shape as `start`, which is where a list without one begins. */
function readCursor<P extends readonly (string | number)[]>(cursor: unknown, verb: string, start: P): P {
  if (cursor === undefined) return start;
  try {
    const isText = typeof cursor === "string" && cursor.length <= MAX_CURSOR;
    const place: unknown = JSON.parse(decodeURIComponent(isText ? cursor : ""));
    if (Array.isArray(place) && place.length === start.length + 1 && place[0] === verb) {
      const rest: unknown[] = place.slice(1);
      if (rest.every((part, index) => typeof part === typeof start[index])) return rest as unknown as P;
    }
  } catch {
    // Not one of ours: said below.
  }
  throw new InvalidCursorError(
    `The cursor is not one that ${verb}() gave; pass the cursor of the page before, or none.`,
  );
}
