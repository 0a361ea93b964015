// The one way for a handler to name the wait before the next attempt. A field on somebody else's error would
// be a guess: half of the world counts in seconds.

import { InvalidDurationError, InvalidMomentError, InvalidOptionError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { isoTime, now as clockNow, timeOf } from "../time/clock.ts";
import { type Duration, formatDuration, parseDuration, parseMoment } from "../time/duration.ts";

/** What is said of a wait beside its length. */
export interface RetryAfterOptions {
  /** What went wrong; its message is part of the error's own, so that a dead letter shows it. */
  readonly cause?: unknown;
}

const OPTION_NAMES: Names<RetryAfterOptions> = { cause: true };

/** A response, as far as it says when to come again. */
interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: { get(name: string): string | null };
}

/** Counted from the end of the attempt, or a moment. */
type Wait = { readonly ms: number } | { readonly at: number };

/** The wait of an error; registered, so that two copies of the library in one bundle know each other's. */
const WAIT = Symbol.for("durable-mailbox.wait");

const MAX_WAIT_MS = 30 * 86_400_000;

/** A wait, and how the error tells of it. */
class Asked {
  readonly wait: Wait | undefined;
  readonly text: string;

  constructor(wait: Wait | undefined, answer?: string) {
    const retry = wait === undefined ? "" : `${answer === undefined ? "Retry" : "; retry"} ${shown(wait)}`;
    this.wait = wait;
    this.text = `${answer ?? ""}${retry}`;
  }
}

/**
 * Thrown by a handler to say when the message is attempted next, instead of the backoff of its policy. The
 * attempt counts as any that failed: after `maxAttempts` the message is a dead letter.
 *
 * @example
 * if (response.status === 429) throw RetryAfterError.of(response);
 * throw new RetryAfterError("2 hours", { cause: error });
 */
export class RetryAfterError extends Error {
  override readonly name: string = "RetryAfterError";

  /**
   * @param after how long after the attempt, or when: up to 30 days from now; what is past is at once
   * @throws {InvalidDurationError} {@link InvalidMomentError}
   */
  constructor(after: Duration | Date, options?: RetryAfterOptions);
  constructor(after: Duration | Date | Asked, options: RetryAfterOptions = {}) {
    checkNames(options, OPTION_NAMES, "the options of RetryAfterError");
    const { wait, text } = after instanceof Asked ? after : new Asked(parseWait(after));
    super(`${text}${reasonOf(options)}`, options);
    Object.defineProperty(this, WAIT, { value: wait });
  }

  /**
   * Waits as long as a response asks for by its `Retry-After` header, seconds or a date, at most 30 days. When
   * it has none, or one that cannot be read, the backoff of the policy holds, as for any error.
   */
  static of(response: Answer, options: RetryAfterOptions = {}): RetryAfterError {
    if (typeof response !== "object" || response === null || !("headers" in response)) {
      throw new InvalidOptionError(`RetryAfterError.of was given ${quote(response)}; expected a Response.`);
    }
    const { status, statusText, headers } = response;
    const asked: unknown = new Asked(waitOf(headers.get("retry-after")), `${status} ${statusText}`.trim());
    return new RetryAfterError(asked as Date, options);
  }
}

/** When a thrown value asks to be attempted next; undefined when it does not. Never throws, whatever it is. */
export function retryAtOf(thrown: unknown, now: number): number | undefined {
  try {
    if (typeof thrown !== "object" || thrown === null) return undefined;
    const wait = Reflect.get(thrown, WAIT) as Wait | undefined;
    if (wait === undefined) return undefined;
    return "at" in wait ? wait.at : now + wait.ms;
  } catch {
    return undefined;
  }
}

function parseWait(after: unknown): Wait {
  if (after instanceof Date) {
    const now = clockNow();
    const at = parseMoment(after, "RetryAfterError", now);
    if (at - now <= MAX_WAIT_MS) return { at };
    throw new InvalidMomentError(`RetryAfterError: ${isoTime(at)} is more than 30 days ahead.`);
  }
  const ms = parseDuration(after, "RetryAfterError");
  if (ms <= MAX_WAIT_MS) return { ms };
  throw new InvalidDurationError(`RetryAfterError: ${formatDuration(ms)} is over 30 days.`);
}

function waitOf(header: string | null): Wait | undefined {
  const text = header?.trim() ?? "";
  // Seconds are whole by the standard; some write fractions. A date begins with its weekday.
  if (/^\d+(?:\.\d+)?$/.test(text)) return { ms: Math.min(Math.ceil(Number(text) * 1000), MAX_WAIT_MS) };
  const at = /^(?:mon|tue|wed|thu|fri|sat|sun)/i.test(text) ? timeOf(text) : undefined;
  return at === undefined ? undefined : { at: Math.min(at, clockNow() + MAX_WAIT_MS) };
}

function shown(wait: Wait): string {
  return "at" in wait ? `at ${isoTime(wait.at)}` : `after ${formatDuration(wait.ms)}`;
}

function reasonOf({ cause }: RetryAfterOptions): string {
  if (cause === undefined) return "";
  return `: ${cause instanceof Error ? cause.message : typeof cause === "string" ? cause : quote(cause)}`;
}
