// Owns the delivery policy: what people may set, the form in which it is stored with an envelope, and
// the wait between attempts. Invariant: everything is validated here, once, before it is stored; what
// is stored resolves without an error for ever. Pure: jitter is a hash, so no clock and no randomness.
import { InvalidPolicyError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { isAbsentOr, isFields, isNumber } from "../json.ts";
import { type Duration, exponential, formatDuration, MAX_AHEAD_MS, parseDuration } from "../time/duration.ts";

/** The waits between attempts: they grow from `initial` by `factor` up to `max`. */
export interface Backoff {
  /** The wait after the first failed attempt, from 0 to 100 years. @default "1 second" */
  readonly initial?: Duration;
  /** What each wait is multiplied by to get the next; 1 or more. @default 2 */
  readonly factor?: number;
  /** The longest wait before jitter, at least `initial`. @default "1 hour", or `initial` if that is longer */
  readonly max?: Duration;
  /** The share by which a wait is spread, from 0 to 1: 0.2 means 80 % to 120 % of it. @default 0.2 */
  readonly jitter?: number;
}

/** How often, how soon and for how long a message is attempted. The narrowest place that sets a field wins. */
export interface Policy {
  /** Attempts before the message becomes a dead letter, the first included: 1 to 1,000,000, or Infinity. @default 5 */
  readonly maxAttempts?: number;
  /**
   * The waits between attempts: growing, or a list of up to 100 durations, of which the last repeats, or one
   * constant duration. Only growing ones have jitter. @default 1 s, doubled up to 1 h
   */
  readonly backoff?: Backoff | Duration | readonly Duration[];
  /** The longest that an async attempt may run, over 0 and at most 10 minutes. @default "5 minutes" */
  readonly timeout?: Duration;
}

export const POLICY_NAMES: Names<Policy> = { maxAttempts: true, backoff: true, timeout: true };

const BACKOFF_NAMES: Names<Backoff> = { initial: true, factor: true, max: true, jitter: true };

/** Waits that are written out, of which the last repeats; or waits that grow. */
type ResolvedBackoff = readonly number[] | GrowingBackoff;

export interface GrowingBackoff {
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  readonly jitter: number;
}

/** A validated policy as it is stored with an envelope: JSON carries it without loss, and absent means not set. */
export interface StoredPolicy {
  /** JSON has no Infinity, so it is spelled. */
  readonly maxAttempts?: number | "Infinity";
  /** Always whole: a partial one was completed from the defaults when it was parsed. */
  readonly backoff?: ResolvedBackoff;
  readonly timeoutMs?: number;
}

/** A policy with every field set. */
export interface ResolvedPolicy {
  readonly maxAttempts: number;
  readonly backoff: ResolvedBackoff;
  readonly timeoutMs: number;
}

/** What holds where nobody set anything: 5 attempts, 1 s doubled up to 1 h with jitter 0.2, 5 minutes each. */
export const DEFAULT_POLICY: ResolvedPolicy & { readonly backoff: GrowingBackoff } = {
  maxAttempts: 5,
  backoff: { initialMs: 1000, factor: 2, maxMs: 3_600_000, jitter: 0.2 },
  timeoutMs: 300_000,
};

const MAX_ATTEMPTS = 1_000_000;
const MAX_TIMEOUT_MS = 600_000;
/** More waits than anybody writes: a row is not the place for a table. */
const MAX_WAITS = 100;

/**
 * Validates the three fields of a policy and turns them into their stored form. Whose other names there
 * may be is for the caller to say: a policy stands among options of many kinds.
 *
 * @param what - where the policy stands, which begins the error's message, such as `"policy"`
 * @returns undefined when no field is set
 * @throws InvalidPolicyError or InvalidDurationError, naming the field
 */
export function parsePolicy(policy: Policy, what: string): StoredPolicy | undefined {
  const { maxAttempts, backoff, timeout } = policy;
  if (maxAttempts === undefined && backoff === undefined && timeout === undefined) return undefined;
  return {
    ...(maxAttempts !== undefined && { maxAttempts: parseMaxAttempts(maxAttempts, `${what}.maxAttempts`) }),
    ...(backoff !== undefined && { backoff: parseBackoff(backoff, `${what}.backoff`) }),
    ...(timeout !== undefined && { timeoutMs: parseTimeout(timeout, `${what}.timeout`) }),
  };
}

function parseMaxAttempts(value: unknown, what: string): number | "Infinity" {
  if (value === Number.POSITIVE_INFINITY) return "Infinity";
  if (isCount(value)) return value;
  throw new InvalidPolicyError(
    `${what}: expected a whole number from 1 to 1,000,000, or Infinity; got ${quote(value)}`,
  );
}

function parseTimeout(value: unknown, what: string): number {
  const timeoutMs = parseDuration(value, what);
  if (timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new InvalidPolicyError(`${what}: expected more than 0 and at most 10 minutes; got ${timeoutMs} ms`);
}

function parseBackoff(value: Exclude<Policy["backoff"], undefined>, what: string): ResolvedBackoff {
  if (typeof value === "number" || typeof value === "string") return [parseDuration(value, what)];
  if (isList(value)) {
    if (value.length > 0 && value.length <= MAX_WAITS)
      return Array.from(value, (wait, index) => parseDuration(wait, `${what}[${index}]`));
    throw new InvalidPolicyError(
      `${what}: expected a list of 1 to ${MAX_WAITS} durations; got ${value.length}`,
    );
  }
  if (typeof value !== "object" || value === null || value instanceof Date) {
    throw new InvalidPolicyError(
      `${what}: expected a duration, a list of durations, or { initial, factor, max, jitter }; got ${quote(value)}`,
    );
  }
  checkNames(value, BACKOFF_NAMES, what);
  const { factor = DEFAULT_POLICY.backoff.factor, jitter = DEFAULT_POLICY.backoff.jitter } = value;
  if (typeof factor !== "number" || !Number.isFinite(factor) || factor < 1) {
    throw new InvalidPolicyError(
      `${what}.factor: expected a finite number of 1 or more; got ${quote(factor)}`,
    );
  }
  if (typeof jitter !== "number" || !(jitter >= 0 && jitter <= 1)) {
    throw new InvalidPolicyError(`${what}.jitter: expected a number from 0 to 1; got ${quote(jitter)}`);
  }
  const { initialMs, maxMs } = parseWaits(value, what);
  // Only one that was written: the default of `factor` means nothing beside a long `initial`.
  if (value.factor !== undefined && factor > 1 && (initialMs === 0 || maxMs <= initialMs)) {
    throw new InvalidPolicyError(
      `${what}.factor: ${factor} has no room to grow, because ${initialMs === 0 ? "`initial` is 0" : `\`max\` is ${formatDuration(maxMs)}, as \`initial\` is`}; set \`max\` above \`initial\`, or leave \`factor\` out`,
    );
  }
  return { initialMs, factor, maxMs, jitter };
}

/** `Array.isArray` says nothing of lists that are read-only. */
function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Where only one of the two is set, the default of the other gives way to it. */
function parseWaits({ initial, max }: Backoff, what: string): { initialMs: number; maxMs: number } {
  const initialMs = initial === undefined ? undefined : parseDuration(initial, `${what}.initial`);
  const maxMs = max === undefined ? undefined : parseDuration(max, `${what}.max`);
  if (initialMs !== undefined && maxMs !== undefined && maxMs < initialMs) {
    throw new InvalidPolicyError(
      `${what}.max: expected at least \`initial\`, ${initialMs} ms; got ${maxMs} ms`,
    );
  }
  const standard = DEFAULT_POLICY.backoff;
  return {
    initialMs: initialMs ?? Math.min(standard.initialMs, maxMs ?? standard.initialMs),
    maxMs: maxMs ?? Math.max(standard.maxMs, initialMs ?? standard.maxMs),
  };
}

/** Whether it is what {@link parsePolicy} answers, so that it resolves without an error. */
export function isStoredPolicy(value: unknown): value is StoredPolicy {
  if (!isFields(value)) return false;
  const { maxAttempts, backoff, timeoutMs }: Partial<Record<keyof StoredPolicy, unknown>> = value;
  return (
    isAbsentOr(maxAttempts, (count) => count === "Infinity" || isCount(count)) &&
    isAbsentOr(timeoutMs, (ms) => isNumber(ms, Number.MIN_VALUE, MAX_TIMEOUT_MS)) &&
    isAbsentOr(backoff, isStoredBackoff)
  );
}

function isCount(value: unknown): value is number {
  return isNumber(value, 1, MAX_ATTEMPTS) && Number.isInteger(value);
}

function isStoredBackoff(value: unknown): value is ResolvedBackoff {
  if (Array.isArray(value))
    return (
      value.length > 0 && value.length <= MAX_WAITS && value.every((ms) => isNumber(ms, 0, MAX_AHEAD_MS))
    );
  if (!isFields(value)) return false;
  const { initialMs, factor, maxMs, jitter }: Partial<Record<keyof GrowingBackoff, unknown>> = value;
  return (
    isNumber(initialMs, 0, MAX_AHEAD_MS) &&
    isNumber(factor, 1) &&
    isNumber(maxMs, 0, MAX_AHEAD_MS) &&
    isNumber(jitter, 0, 1)
  );
}

/** Lays policies over the defaults; for each field the last one that sets it wins. A backoff is one field. */
export function resolvePolicy(...widestToNarrowest: readonly (StoredPolicy | undefined)[]): ResolvedPolicy {
  let { maxAttempts, backoff, timeoutMs }: ResolvedPolicy = DEFAULT_POLICY;
  for (const policy of widestToNarrowest) {
    if (policy === undefined) continue;
    // Number() reads the spelled Infinity too.
    if (policy.maxAttempts !== undefined) maxAttempts = Number(policy.maxAttempts);
    if (policy.backoff !== undefined) backoff = policy.backoff;
    if (policy.timeoutMs !== undefined) timeoutMs = policy.timeoutMs;
  }
  return { maxAttempts, backoff, timeoutMs };
}

/**
 * The wait after the `attempt`-th attempt failed, in whole milliseconds, at least 1.
 *
 * One of a list is as it was written. Of growing ones the base is `min(max, initial * factor ^ (attempt - 1))`; the wait lies within `jitter` of it on either
 * side, so up to `max * (1 + jitter)`: messages that have reached `max` together stay spread. The same id
 * and attempt always give the same wait.
 */
export function backoffMs(policy: ResolvedPolicy, id: string, attempt: number): number {
  if (isList(policy.backoff)) return Math.max(1, policy.backoff[attempt - 1] ?? policy.backoff.at(-1) ?? 0);
  const { initialMs, factor, maxMs, jitter } = policy.backoff;
  const baseMs = exponential(initialMs, maxMs, attempt, factor);
  return Math.max(1, Math.round(baseMs * (1 + jitter * (2 * hashToUnit(id, attempt) - 1))));
}

/** FNV-1a over the id, then murmur3's last mixing, so that ids and attempts that differ little land far apart. */
function hashToUnit(id: string, attempt: number): number {
  let hash = 0x811c9dc5 ^ attempt;
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
