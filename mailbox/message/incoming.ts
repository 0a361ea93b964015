// The edge: what comes by RPC is parsed here, field by field, before anything believes it. The
// sender's isolate has checked it too; this side does not rely on that.
//
// A field of a message that this version does not know is an option of a later one. Without it the message
// would be another, so it is refused as "not yet", and with it all that came in the same call.

import { now as clockNow } from "../time/clock.ts";
import { byteLength } from "../payload/codec.ts";
import type { Accepting, Declaration, EnvelopeOptions, IfPending } from "./envelope.ts";
import {
  InvalidMomentError,
  PayloadTooLargeError,
  UnsupportedCallError,
  UnsupportedVersionError,
} from "../errors.ts";
import { isFields } from "../json.ts";
import { parseId, recurrenceId } from "./id.ts";
import { type Names, quote } from "../input.ts";
import { checkKey, checkTypeName } from "./check.ts";
import { isTextUpTo, NO_CLASS, readFrom, SENDER_UNITS } from "./from.ts";
import { type Batch, MAX_OUTBOX_AGE_MS } from "./wire.ts";
import { type Every, type Missed, parseEvery } from "../time/rule.ts";
import { type GrowingBackoff, isStoredPolicy, type StoredPolicy } from "./policy.ts";
import { MAX_AHEAD_MS } from "../time/duration.ts";

/** What this mailbox takes at most. */
export interface Limits {
  readonly maxPayloadBytes: number;
  readonly minIntervalMs: number;
}

const EARLIEST_MS = -8.64e15;
/** Two clocks may differ by this, and a moment that the sender accepted is not refused here. */
const SKEW_MS = 24 * 60 * 60 * 1000;

/** A batch whose messages are still to be checked, one by one: one that is refused holds up no other. */
export interface UncheckedBatch extends Omit<Batch, "messages"> {
  readonly messages: readonly { readonly n: number; readonly id: string; readonly content: unknown }[];
}

const BATCH_MESSAGES = 1_000;
const ID_UNITS = 2_048;
/** No sender is remembered for longer: twice as long as any outbox repeats what it has sent. */
const KEEP_MS = 2 * MAX_OUTBOX_AGE_MS;

const MESSAGE: Names<Omit<Accepting, "moved"> & { n: number }> = {
  n: true,
  id: true,
  due: true,
  type: true,
  payload: true,
  key: true,
  ifPending: true,
  options: true,
  immediate: true,
  declaration: true,
};
const OPTIONS: Names<Pick<EnvelopeOptions, "policy" | "expiresAt" | "from">> = {
  policy: true,
  expiresAt: true,
  from: true,
};
const POLICY: Names<StoredPolicy> = { maxAttempts: true, backoff: true, timeoutMs: true };
const BACKOFF: Names<GrowingBackoff> = {
  initialMs: true,
  factor: true,
  maxMs: true,
  jitter: true,
};
const DECLARATION: Names<Declaration> = {
  key: true,
  every: true,
  startAt: true,
  until: true,
  times: true,
  missed: true,
  policy: true,
};
const EVERY: Names<Extract<Every, object>> = { cron: true, every: true, timeZone: true };

/** Parses a batch of another actor's outbox. @throws {UnsupportedCallError} */
export function checkBatch(value: unknown): UncheckedBatch {
  const { sender, epoch, confirmed, keepMs, from, messages } = record(value, "a batch");
  if (!Array.isArray(messages) || messages.length > BATCH_MESSAGES)
    throw malformed(`its batch is no list of at most ${BATCH_MESSAGES} messages`);
  let before = 0;
  const parsed = messages.map((message: unknown) => {
    const { n, id } = record(message, "a message");
    const number = whole(n, before + 1, Number.MAX_SAFE_INTEGER, "the number of a message");
    before = number;
    return { n: number, id: text(id, ID_UNITS, "the id of a message"), content: message };
  });
  const name = text(sender, SENDER_UNITS, "the sender");
  return {
    sender: name,
    epoch: text(epoch, 64, "the epoch"),
    confirmed: confirmed === null || confirmed === undefined ? null : checkConfirmed(confirmed),
    keepMs: Math.min(KEEP_MS, Math.ceil(within(keepMs, 1, MAX_AHEAD_MS * 2, "keepMs"))),
    from: readFrom(from) ?? { id: name, className: NO_CLASS },
    messages: parsed,
  };
}

function checkConfirmed(value: unknown): { n: number; id: string } {
  const { n, id } = record(value, "what was confirmed");
  return {
    n: whole(n, 1, Number.MAX_SAFE_INTEGER, "the number confirmed"),
    id: text(id, ID_UNITS, "the id confirmed"),
  };
}

/** Parses a message that another isolate sends. @throws typed errors that name the field */
export function checkIncoming(limits: Limits, value: unknown): Accepting {
  const message: Partial<Record<keyof Accepting, unknown>> = known(value, MESSAGE, "a message");
  const { id, due, type, payload, key, ifPending, options, immediate, declaration } = message;
  if (declaration !== undefined) return checkDeclaration(limits, message, declaration);
  const named = typeof id === "string" ? parseId(id) : undefined;
  if (typeof id !== "string" || named === undefined) throw malformed("its id is not one that a sender makes");
  if (typeof due !== "number" || !Number.isSafeInteger(due) || due < EARLIEST_MS)
    throw malformed("it has no due time");
  if (due > clockNow() + MAX_AHEAD_MS + SKEW_MS) {
    throw new InvalidMomentError("The message is due more than 100 years ahead; expected a nearer moment.");
  }
  if (typeof payload !== "string") throw malformed("its payload is not text");
  checkSize(limits, payload);
  return {
    id,
    due,
    type: checkTypeName(type),
    payload,
    immediate: immediate === true,
    ...(named.dueAt === due ? {} : { moved: true as const }),
    ...(key === undefined ? {} : { key: checkKey(key) }),
    ...(ifPending === undefined
      ? {}
      : { ifPending: oneOf<IfPending>(ifPending, ["keep", "replace"], "ifPending") }),
    ...(options === undefined ? {} : { options: checkOptions(options) }),
  };
}

function checkDeclaration(
  limits: Limits,
  { id, type, payload, options }: Partial<Record<keyof Accepting, unknown>>,
  value: unknown,
): Accepting {
  const { key, every, startAt, until, times, missed, policy }: Partial<Record<keyof Declaration, unknown>> =
    known(value, DECLARATION, "its declaration");
  const checkedType = checkTypeName(type);
  const checkedKey = key === "" ? "" : checkKey(key);
  if (id !== recurrenceId(checkedType, checkedKey)) throw malformed("its id is not that of its recurrence");
  if (typeof payload !== "string") throw malformed("its payload is not text");
  checkSize(limits, payload);
  const declaration: Declaration = {
    key: checkedKey,
    // ruleOf parses it, whatever it is.
    every: every as Every,
    missed: oneOf<Missed>(missed, ["latest", "skip", "all"], "missed"),
    ...(startAt === undefined ? {} : { startAt: moment(startAt, "startAt") }),
    ...(until === undefined ? {} : { until: moment(until, "until") }),
    ...(times === undefined ? {} : { times: whole(times, 1, Number.MAX_SAFE_INTEGER, "times") }),
    ...(policy === undefined ? {} : { policy: checkPolicy(policy) }),
  };
  if (isFields(every)) known(every, EVERY, "its rule");
  parseEvery(every, { now: clockNow(), minIntervalMs: limits.minIntervalMs, startAt: declaration.startAt });
  return {
    id,
    due: clockNow(),
    type: checkedType,
    payload,
    immediate: true,
    declaration,
    ...(options === undefined ? {} : { options: checkOptions(options) }),
  };
}

/** @throws {PayloadTooLargeError} */
export function checkSize({ maxPayloadBytes }: Pick<Limits, "maxPayloadBytes">, payload: string): void {
  // A UTF-16 unit is at most three bytes, so most payloads need no count.
  if (payload.length * 3 <= maxPayloadBytes) return;
  const bytes = byteLength(payload);
  if (bytes > maxPayloadBytes) {
    throw new PayloadTooLargeError(
      `The payload is ${bytes} bytes when encoded, of at most ${maxPayloadBytes} (settings.maxPayloadBytes, at most 1.5 MiB); send a reference to it instead, such as the key of an R2 object.`,
    );
  }
}

function checkOptions(value: unknown): EnvelopeOptions {
  const { policy, expiresAt, from }: Partial<Record<keyof EnvelopeOptions, unknown>> = known(
    value,
    OPTIONS,
    "its options",
  );
  const sender = readFrom(from);
  return {
    ...(policy === undefined ? {} : { policy: checkPolicy(policy) }),
    ...(expiresAt === undefined ? {} : { expiresAt: moment(expiresAt, "expires") }),
    ...(sender === undefined ? {} : { from: sender }),
  };
}

function checkPolicy(value: unknown): StoredPolicy {
  const { backoff } = known(value, POLICY, "its policy");
  if (isFields(backoff)) known(backoff, BACKOFF, "its backoff");
  // The guard of the column, so that what is taken here can be read there.
  if (!isStoredPolicy(value)) throw malformed("its policy is none, or out of its range");
  return value;
}

/** An object all of whose fields are known. @throws {UnsupportedVersionError} for a field of a later version */
function known(value: unknown, names: object, what: string): Record<string, unknown> {
  const fields = record(value, what);
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(names, name)) throw later(`${what} has the field ${quote(name)}`);
  }
  return fields;
}

/** One of a few words. Another word may be one of a later version; what is no text is of none. */
function oneOf<W extends string>(value: unknown, words: readonly W[], what: string): W {
  const word = words.find((candidate) => candidate === value);
  if (word !== undefined) return word;
  throw typeof value === "string" ? later(`${what} is ${quote(value)}`) : malformed(`${what} is no text`);
}

function later(what: string): UnsupportedVersionError {
  return new UnsupportedVersionError(
    `mailboxCall was given a message that it does not know how to keep: ${what}; deploy the receiving Worker.`,
  );
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function text(value: unknown, units: number, what: string): string {
  if (!isTextUpTo(value, units)) throw malformed(`${what} is no text of 1 to ${units} characters`);
  return value.toWellFormed();
}

function moment(value: unknown, what: string): number {
  return whole(value, EARLIEST_MS, -EARLIEST_MS, what);
}

function whole(value: unknown, min: number, max: number, what: string): number {
  if (!Number.isSafeInteger(value)) throw malformed(`${what} is no whole number`);
  return within(value, min, max, what);
}

function within(value: unknown, min: number, max: number, what: string): number {
  if (typeof value !== "number" || !(value >= min && value <= max))
    throw malformed(`${what} is out of its range`);
  return value;
}

function malformed(what: string): UnsupportedCallError {
  return new UnsupportedCallError(`mailboxCall was given a message that no ref makes: ${what}.`);
}
