// Owns how people write time: what counts as a duration and as a moment, and how a duration is shown.
// Invariant: whatever passes is a whole number of milliseconds that never means earlier than what was
// asked for, so fractions round up. Reads no clock; `now` is always given.
import { MAX_TIME_MS } from "../json.ts";
import { InvalidDurationError, InvalidMomentError } from "../errors.ts";
import { quote } from "../input.ts";

/** A length of time: milliseconds, or text such as `"30 seconds"`, `"5 minutes"`, `"2 days"`. From 0 to 100 years. */
export type Duration = number | string;

/** A point in time: a Date, or epoch milliseconds. At most 100 years ahead; the past is allowed. */
export type Moment = Date | number;

/** How far ahead a moment, and how long a duration, may be: 100 years of 365.25 days, in milliseconds. */
export const MAX_AHEAD_MS: number = 100 * 365.25 * 86_400_000;

/** Numbers below are taken for seconds: as milliseconds they would be before March 1973. */
const SMALLEST_EPOCH_MS = 1e11;

/** Numbers from here on, 31 years, are taken for moments: nobody counts so long a time in milliseconds. */
const LARGEST_DURATION_MS = 1e12;

/** A number and a unit; no part of it can match in two ways, so that long text takes no long time. */
const DURATION =
  /^(-?(?:\d+(?:\.\d*)?|\.\d+)) *(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?)|(w|wks?|weeks?))$/i;

/** The units of the pattern, in its order. */
const UNITS_MS = [1, 1000, 60_000, 3_600_000, 86_400_000, 604_800_000];

const EXPECTED_DURATION =
  'Expected milliseconds as a number, or text such as "30 seconds", "5 minutes" or "2 days", from 0 to 100 years';

/**
 * Reads a duration, in whole milliseconds from 0 to 100 years; fractions round up.
 *
 * @param what - the argument's name, which begins the error's message
 * @throws InvalidDurationError for anything else: months and years (no fixed length), text without a unit, and
 *   numbers that are moments included
 */
export function parseDuration(value: unknown, what: string): number {
  const refuse = (problem: string): InvalidDurationError =>
    new InvalidDurationError(`${what}: ${problem}. ${EXPECTED_DURATION}`);
  let ms: number;
  if (typeof value === "number") {
    if (Number.isNaN(value)) throw refuse("NaN is not a duration");
    if (value >= LARGEST_DURATION_MS && value < Number.POSITIVE_INFINITY) {
      throw refuse(
        `${value} looks like a moment; pass a Date where a moment is taken, or subtract the present, or write the duration as text`,
      );
    }
    ms = Math.ceil(value);
  } else if (typeof value === "string") {
    ms = parseText(value, refuse);
  } else if (value instanceof Date) {
    throw refuse("a Date is a moment, not a duration");
  } else {
    throw refuse(`${quote(value)} is not a duration`);
  }
  // A negative fraction must not hide behind the rounding: Math.ceil(-0.5) is -0.
  if (ms < 0 || Object.is(ms, -0)) {
    if (value === 0) return 0;
    throw refuse(`${quote(value)} is negative`);
  }
  if (ms > MAX_AHEAD_MS) throw refuse(`${quote(value)} is over 100 years`);
  return ms;
}

function parseText(text: string, refuse: (problem: string) => InvalidDurationError): number {
  const trimmed = text.trim();
  const [, number, ...units] = trimmed.match(DURATION) ?? [];
  if (number === undefined) throw refuse(faultOf(text, trimmed));
  const ms = Number(number) * (UNITS_MS[units.findIndex((unit) => unit !== undefined)] ?? 0);
  // "1.1 minutes" are 66000.00000000001: dust of the multiplication must not become a millisecond.
  const nearest = Math.round(ms);
  // No -0, which would be told to be negative.
  return (Math.abs(ms - nearest) < 1e-6 ? nearest : Math.ceil(ms)) || 0;
}

function faultOf(text: string, trimmed: string): string {
  if (trimmed === "") return "an empty text is not a duration";
  if (/\d *(?:mo|mos|months?|y|yrs?|years?)$/i.test(trimmed))
    return `${quote(text)} has no fixed length; count in days, or give the moment, or use a cron rule to recur`;
  if (/^[-+]?[\d.]+$/.test(trimmed))
    return `${quote(text)} has no unit; write one, or pass a number for milliseconds`;
  return `${quote(text)} is not a duration`;
}

/** The wait after the n-th of several tries, counted from 1: each is a multiple of the one before, up to `max`. */
export function exponential(first: number, max: number, tries: number, factor = 2): number {
  // A power that overflows is Infinity, which `min` cuts; but 0 times Infinity would be NaN.
  return first === 0 ? 0 : Math.min(max, first * factor ** (tries - 1));
}

/**
 * Reads a moment, in whole epoch milliseconds; fractions round up.
 *
 * @param what - the argument's name, which begins the error's message
 * @param now - epoch milliseconds, from which the 100 years are counted
 * @throws InvalidMomentError for an invalid Date, a number that looks like seconds, text, or a time out of range
 */
export function parseMoment(value: unknown, what: string, now: number): number {
  const refuse = (problem: string): InvalidMomentError =>
    new InvalidMomentError(
      `${what}: ${problem}. Expected a Date or epoch milliseconds, at most 100 years ahead`,
    );
  if (typeof value === "string") {
    throw refuse(`${quote(value)} is a string, and a string is a duration, not a moment; pass a Date`);
  }
  if (!(value instanceof Date) && typeof value !== "number") throw refuse(`${quote(value)} is not a moment`);
  const ms = Math.ceil(Number(value));
  if (Number.isNaN(ms))
    throw refuse(typeof value === "number" ? "NaN is not a moment" : "the Date is invalid");
  if (Math.abs(ms) > MAX_TIME_MS) throw refuse(`${quote(value)} is beyond what a Date can hold`);
  if (typeof value === "number" && ms < SMALLEST_EPOCH_MS) {
    throw refuse(`${quote(value)} looks like seconds or a delay; multiply seconds by 1000 or pass a Date`);
  }
  if (ms - now > MAX_AHEAD_MS) throw refuse(`${quote(value)} is more than 100 years ahead`);
  return ms;
}

const UNITS: readonly { readonly name: string; readonly ms: number }[] = [
  { name: "ms", ms: 1 },
  { name: "s", ms: 1000 },
  { name: "min", ms: 60_000 },
  { name: "h", ms: 3_600_000 },
  { name: "d", ms: 86_400_000 },
];

/** Shows a duration for people, rounded to one decimal of its largest unit: `"250 ms"`, `"1.5 s"`, `"2 min"`, `"3 h"`, `"4 d"`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  let text = "";
  for (const [index, unit] of UNITS.entries()) {
    const count = Math.round((ms / unit.ms) * 10) / 10;
    text = `${count} ${unit.name}`;
    const next = UNITS[index + 1];
    // Compared after rounding, so that 59.96 s is shown as 1 min and not as 60 s.
    if (next === undefined || count * unit.ms < next.ms) break;
  }
  return text;
}
