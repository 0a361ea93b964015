// The edge: what comes by RPC is parsed here, field by field, before anything believes it. The
// sender's isolate has checked it too; this side does not rely on that.

import { now as clockNow } from "./clock.ts";
import { byteLength } from "./codec.ts";
import type { Core } from "./core.ts";
import type { Accepting, Declaration, EnvelopeOptions, From, IfPending } from "./envelope.ts";
import {
  InvalidMomentError,
  InvalidOptionError,
  PayloadTooLargeError,
  UnsupportedCallError,
} from "./errors.ts";
import { ruleOf } from "./every.ts";
import { parseId, recurrenceId } from "./ids.ts";
import { checkKey, checkTypeName } from "./outgoing.ts";
import type { Batch } from "./protocol.ts";
import type { Every } from "./recurrence.ts";
import type { StoredPolicy } from "./retry.ts";
import { MAX_AHEAD_MS } from "./when.ts";

const EARLIEST_MS = -8.64e15;
/** Two clocks may differ by this, and a moment that the sender accepted is not refused here. */
const SKEW_MS = 24 * 60 * 60 * 1000;

/** Parses a message that another isolate sends. @throws typed errors that name the field */
export function checkIncoming(core: Core, value: unknown): Accepting {
  if (typeof value !== "object" || value === null) throw malformed("a message is not an object");
  const message = value as Partial<Record<keyof Accepting, unknown>>;
  const { id, due, type, payload, key, ifPending, options, immediate, declaration } = message;
  if (declaration !== undefined) return checkDeclaration(core, message, declaration);
  const named = typeof id === "string" ? parseId(id) : undefined;
  if (typeof id !== "string" || named === undefined) throw malformed("its id is not one that a sender makes");
  if (typeof due !== "number" || !Number.isSafeInteger(due) || due < EARLIEST_MS)
    throw malformed("it has no due time");
  if (due > clockNow() + MAX_AHEAD_MS + SKEW_MS) {
    throw new InvalidMomentError("The message is due more than 100 years ahead; expected a nearer moment.");
  }
  if (typeof payload !== "string") throw malformed("its payload is not text");
  checkSize(core, payload);
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

const BATCH_MESSAGES = 1_000;

/** Parses the frame of a batch; each message is parsed by itself, so that one that is refused holds up no other. */
export function checkBatch(value: unknown): Batch {
  if (typeof value !== "object" || value === null) throw malformed("a batch is not an object");
  const { sender, epoch, confirmed, keepMs, from, messages } = value as Partial<Record<keyof Batch, unknown>>;
  if (typeof sender !== "string" || sender.length > 128) throw malformed("the batch has no sender");
  if (typeof epoch !== "string" || epoch.length > 64) throw malformed("the batch has no epoch");
  if (!Array.isArray(messages) || messages.length > BATCH_MESSAGES)
    throw malformed("the batch has no messages");
  const numbered: unknown[] = messages;
  for (const message of numbered) {
    const { n, id } = (typeof message === "object" && message !== null ? message : {}) as Record<
      string,
      unknown
    >;
    if (typeof n !== "number" || !Number.isSafeInteger(n) || typeof id !== "string" || id.length > 2_048) {
      throw malformed("a message of the batch has no number");
    }
  }
  return {
    sender,
    epoch,
    confirmed: confirmed === null || confirmed === undefined ? null : checkConfirmed(confirmed),
    keepMs: within(keepMs, 0, MAX_AHEAD_MS * 2, "keepMs"),
    from: checkFrom(from),
    // Numbers and ids were checked; the rest is, when it is taken.
    messages: numbered as Batch["messages"],
  };
}

function checkConfirmed(value: unknown): NonNullable<Batch["confirmed"]> {
  const { n, id } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof id !== "string" || id.length > 2_048) throw malformed("what the batch confirms has no id");
  return { n: within(n, 0, Number.MAX_SAFE_INTEGER, "confirmed"), id };
}

function checkDeclaration(
  core: Core,
  { id, type, payload, options }: Partial<Record<keyof Accepting, unknown>>,
  value: unknown,
): Accepting {
  if (typeof value !== "object" || value === null) throw malformed("its declaration is not an object");
  const { key, every, startAt, until, times, missed, policy } = value as Partial<
    Record<keyof Declaration, unknown>
  >;
  const checkedType = checkTypeName(type);
  const checkedKey = key === "" ? "" : checkKey(key);
  if (id !== recurrenceId(checkedType, checkedKey)) throw malformed("its id is not that of its recurrence");
  if (missed !== "latest" && missed !== "skip" && missed !== "all")
    throw malformed("missed is out of its range");
  if (typeof payload !== "string") throw malformed("its payload is not text");
  checkSize(core, payload);
  const declaration: Declaration = {
    key: checkedKey,
    // ruleOf parses it, whatever it is.
    every: every as Every,
    missed,
    ...(startAt === undefined ? {} : { startAt: finite(startAt, "startAt") }),
    ...(until === undefined ? {} : { until: finite(until, "until") }),
    ...(times === undefined ? {} : { times: within(times, 1, Number.MAX_SAFE_INTEGER, "times") }),
    ...(policy === undefined ? {} : { policy: checkStoredPolicy(policy) }),
  };
  ruleOf(core, declaration);
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
export function checkSize(
  core: { readonly config: { readonly maxPayloadBytes: number } },
  payload: string,
): void {
  const { maxPayloadBytes } = core.config;
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
  if (typeof value !== "object" || value === null) throw malformed("its options are not an object");
  const { policy, expiresAt, from } = value as Partial<Record<keyof EnvelopeOptions, unknown>>;
  return {
    ...(policy === undefined ? {} : { policy: checkStoredPolicy(policy) }),
    ...(expiresAt === undefined ? {} : { expiresAt: finite(expiresAt, "expires") }),
    ...(from === undefined ? {} : { from: checkFrom(from) }),
  };
}

function checkStoredPolicy(value: unknown): StoredPolicy {
  if (typeof value !== "object" || value === null) throw malformed("its policy is not an object");
  const { maxAttempts, backoff, timeoutMs } = value as Partial<Record<keyof StoredPolicy, unknown>>;
  return {
    ...(maxAttempts === undefined
      ? {}
      : {
          maxAttempts:
            maxAttempts === "Infinity" ? maxAttempts : within(maxAttempts, 1, 1_000_000, "maxAttempts"),
        }),
    ...(timeoutMs === undefined ? {} : { timeoutMs: within(timeoutMs, 1, 600_000, "timeout") }),
    ...(backoff === undefined ? {} : { backoff: checkBackoff(backoff) }),
  };
}

function checkBackoff(value: unknown): NonNullable<StoredPolicy["backoff"]> {
  if (typeof value !== "object" || value === null) throw malformed("its backoff is not an object");
  const { initialMs, factor, maxMs, jitter } = value as Record<string, unknown>;
  return {
    initialMs: within(initialMs, 0, MAX_AHEAD_MS, "backoff.initial"),
    factor: within(factor, 1, Number.MAX_SAFE_INTEGER, "backoff.factor"),
    maxMs: within(maxMs, 0, MAX_AHEAD_MS, "backoff.max"),
    jitter: within(jitter, 0, 1, "backoff.jitter"),
  };
}

/** Who sent it, by the sender's own account. */
function checkFrom(value: unknown): From {
  if (typeof value !== "object" || value === null) throw malformed("its sender is not an object");
  const { id, name, className } = value as Partial<Record<keyof From, unknown>>;
  if (typeof id !== "string" || id.length > 128) throw malformed("its sender has no id");
  if (typeof className !== "string" || className.length > 256) throw malformed("its sender has no class");
  if (name !== undefined && (typeof name !== "string" || name.length > 1024))
    throw malformed("its sender's name is none");
  return { id, className, ...(name === undefined ? {} : { name }) };
}

function finite(value: unknown, what: string): number {
  return within(value, EARLIEST_MS, -EARLIEST_MS, what);
}

function within(value: unknown, min: number, max: number, what: string): number {
  if (typeof value !== "number" || !(value >= min && value <= max))
    throw malformed(`${what} is out of its range`);
  return value;
}

function malformed(what: string): UnsupportedCallError {
  return new UnsupportedCallError(`mailboxCall was given a message that no ref makes: ${what}.`);
}
