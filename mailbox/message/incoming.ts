// The edge: what comes by RPC is parsed here, field by field, before anything believes it. The
// sender's isolate has checked it too; this side does not rely on that.

import { now as clockNow } from "../time/clock.ts";
import { byteLength } from "../payload/codec.ts";
import type { Accepting, Declaration, EnvelopeOptions, From, IfPending } from "./envelope.ts";
import {
  InvalidMomentError,
  InvalidOptionError,
  PayloadTooLargeError,
  UnsupportedCallError,
} from "../errors.ts";
import { parseId, recurrenceId } from "./id.ts";
import { checkKey, checkTypeName } from "./check.ts";
import type { Batch } from "./wire.ts";
import { type Every, parseEvery } from "../time/rule.ts";
import { receivedPolicy, type StoredPolicy } from "./policy.ts";
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
  return {
    sender: text(sender, 128, "the sender"),
    epoch: text(epoch, 64, "the epoch"),
    confirmed: confirmed === null || confirmed === undefined ? null : checkConfirmed(confirmed),
    keepMs: Math.ceil(within(keepMs, 1, MAX_AHEAD_MS * 2, "keepMs")),
    from: checkFrom(from),
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
  const message: Partial<Record<keyof Accepting, unknown>> = record(value, "a message");
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
  if (ifPending !== undefined && ifPending !== "keep" && ifPending !== "replace") {
    throw new InvalidOptionError('ifPending is neither "keep" nor "replace".');
  }
  return {
    id,
    due,
    type: checkTypeName(type),
    payload,
    immediate: immediate === true,
    ...(named.dueAt === due ? {} : { moved: true as const }),
    ...(key === undefined ? {} : { key: checkKey(key) }),
    ...(ifPending === undefined ? {} : { ifPending: ifPending satisfies IfPending }),
    ...(options === undefined ? {} : { options: checkOptions(options) }),
  };
}

function checkDeclaration(
  limits: Limits,
  { id, type, payload, options }: Partial<Record<keyof Accepting, unknown>>,
  value: unknown,
): Accepting {
  const { key, every, startAt, until, times, missed, policy }: Partial<Record<keyof Declaration, unknown>> =
    record(value, "its declaration");
  const checkedType = checkTypeName(type);
  const checkedKey = key === "" ? "" : checkKey(key);
  if (id !== recurrenceId(checkedType, checkedKey)) throw malformed("its id is not that of its recurrence");
  if (missed !== "latest" && missed !== "skip" && missed !== "all")
    throw malformed("missed is out of its range");
  if (typeof payload !== "string") throw malformed("its payload is not text");
  checkSize(limits, payload);
  const declaration: Declaration = {
    key: checkedKey,
    // ruleOf parses it, whatever it is.
    every: every as Every,
    missed,
    ...(startAt === undefined ? {} : { startAt: moment(startAt, "startAt") }),
    ...(until === undefined ? {} : { until: moment(until, "until") }),
    ...(times === undefined ? {} : { times: whole(times, 1, Number.MAX_SAFE_INTEGER, "times") }),
    ...(policy === undefined ? {} : { policy: checkPolicy(policy) }),
  };
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
  const { policy, expiresAt, from }: Partial<Record<keyof EnvelopeOptions, unknown>> = record(
    value,
    "its options",
  );
  return {
    ...(policy === undefined ? {} : { policy: checkPolicy(policy) }),
    ...(expiresAt === undefined ? {} : { expiresAt: moment(expiresAt, "expires") }),
    ...(from === undefined ? {} : { from: checkFrom(from) }),
  };
}

function checkPolicy(value: unknown): StoredPolicy {
  const policy = receivedPolicy(value);
  if (policy === undefined) throw malformed("its policy is none, or out of its range");
  return policy;
}

/** Who sent it, by the sender's own account. */
function checkFrom(value: unknown): From {
  const { id, name, className }: Partial<Record<keyof From, unknown>> = record(value, "its sender");
  return {
    id: text(id, 128, "the id of its sender"),
    className: text(className, 256, "the class of its sender"),
    ...(name === undefined ? {} : { name: text(name, 1024, "the name of its sender") }),
  };
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function text(value: unknown, units: number, what: string): string {
  if (typeof value !== "string" || value === "" || value.length > units)
    throw malformed(`${what} is no text of 1 to ${units} characters`);
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
