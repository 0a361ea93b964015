// Owns when a recurrence is due: a rule, and the planned times that follow from it. Pure: every answer
// follows from the rule and the times given, and is the same looking forwards and backwards, so that
// a recurrence can be declared again, or read after years, without moving.

import {
  calendarIndex,
  type CalendarRule,
  calendarSpacingMs,
  calendarTime,
  describeCalendar,
  isCalendar,
  parseCalendar,
} from "./calendar.ts";
import { type Calendar, calendarOf } from "./cron.ts";
import { faultOfCron } from "./cron-check.ts";
import { InvalidDurationError, InvalidRecurrenceError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { isAbsentOr, isFields, isNumber, isText, isTime } from "../json.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { MAX_TIME_MS } from "../json.ts";
import { canonicalZone, isAlias, isZone } from "./zone.ts";

/**
 * How often: an interval (milliseconds, or text such as `"15 minutes"`); or, by the clocks of an IANA time zone
 * (default `"UTC"`), a cron expression of five fields, or six with seconds first, or an interval of the calendar:
 * whole days, weeks, months or years, such as `{ every: "1 month" }`. That one counts from `startAt` or from now,
 * and of a month without that day it takes the last: 31 January, 28 February, 31 March.
 */
export type Every =
  | number
  | string
  | { readonly cron: string; readonly every?: never; readonly timeZone?: string }
  | { readonly every: string; readonly cron?: never; readonly timeZone?: string };

/**
 * What becomes of planned times that passed while nothing could be delivered: the newest is delivered
 * (`latest`), none (`skip`), or each in order (`all`).
 */
export type Missed = "latest" | "skip" | "all";

const EVERY_NAMES: Names<Exclude<Every, number | string>> = { cron: true, every: true, timeZone: true };

interface IntervalRule {
  readonly kind: "interval";
  /** The distance between planned times, in whole milliseconds. */
  readonly everyMs: number;
  /** Planned times are this epoch millisecond plus multiples of `everyMs`. */
  readonly anchor: number;
  /** Present when the caller gave the anchor: it is then part of the rule, and itself a planned time. */
  readonly isAnchored?: true;
}

interface CronRule {
  readonly kind: "cron";
  /** The expression, its fields parted by single spaces. */
  readonly cron: string;
  readonly timeZone: string;
}

/** A validated recurrence; JSON carries it. */
export type Rule = IntervalRule | CalendarRule | CronRule;

/** A rule whose planned times are numbered from its anchor on. */
type NumberedRule = IntervalRule | CalendarRule;

/** What limits a recurrence. Times are epoch milliseconds. */
export interface Bounds {
  /** No planned time is before it. */
  readonly startAt?: number;
  /** No planned time is after it; one that equals it counts. */
  readonly until?: number;
  /** How many occurrences are delivered or die before the recurrence ends. */
  readonly times?: number;
  readonly missed: Missed;
}

/** A rule and its bounds, as their column has them. */
export interface StoredRule {
  readonly rule: Rule;
  readonly bounds: Bounds;
}

/** The smallest interval that any mailbox can be configured for. */
export const SMALLEST_INTERVAL_MS = 100;

const MAX_CRON_LENGTH = 256;

/** Five or six words, or a nickname, or the form of AWS. */
const CRON_LIKE = /^\s*(?:\S+(?:\s+\S+){4,5}|@\w+|cron\(.*)\s*$/i;

/**
 * Reads the first argument of `sendEvery`.
 *
 * @throws InvalidRecurrenceError for a cron expression or zone that cannot be read, one that is never due,
 *   and for a rule that is due more often than every `minIntervalMs`
 * @throws InvalidDurationError for an interval that is no duration
 */
export function parseEvery(
  every: unknown,
  options: { readonly startAt?: number | undefined; readonly now: number; readonly minIntervalMs: number },
): Rule {
  if (typeof every === "object" && every !== null && Object.keys(every).length > 0 && !Array.isArray(every)) {
    checkNames(every, EVERY_NAMES, "every");
    const { cron, every: interval, timeZone } = every as Readonly<Record<keyof typeof EVERY_NAMES, unknown>>;
    if (cron !== undefined && interval !== undefined) {
      throw new InvalidRecurrenceError("every: it has both cron and every; expected one of them");
    }
    return interval === undefined
      ? parseCron(cron, timeZone, options)
      : parseCalendarRule(interval, timeZone, options);
  }
  if (typeof every === "string" && parseCalendar(every)?.unit === "month") {
    // Of the class of every text that is no duration.
    throw new InvalidDurationError(
      `every: ${quote(every)} has no fixed length; pass it as { every: ${quote(every)}, timeZone }, or count in days`,
    );
  }
  if (typeof every === "string" && CRON_LIKE.test(every.slice(0, MAX_CRON_LENGTH))) {
    throw new InvalidRecurrenceError(
      `every: ${quote(every)} looks like a cron expression; pass it as { cron: ${quote(every)}, timeZone }`,
    );
  }
  const everyMs = parseDuration(every, "every");
  refuseTooOften(everyMs, formatDuration(everyMs), options.minIntervalMs);
  return options.startAt === undefined
    ? { kind: "interval", everyMs, anchor: options.now }
    : { kind: "interval", everyMs, anchor: options.startAt, isAnchored: true };
}

/** The canonical name of a zone, so that one zone is one however it was written. */
function parseTimeZone(timeZone: unknown = "UTC"): string {
  const zone = typeof timeZone === "string" ? canonicalZone(timeZone) : undefined;
  if (typeof timeZone === "string" && zone !== undefined && !isAlias(timeZone)) return zone;
  throw new InvalidRecurrenceError(
    `every.timeZone: ${quote(timeZone)} is ${zone === undefined ? "unknown" : `no IANA name, and would be taken for ${zone}`}; expected an IANA name such as "Europe/Berlin"`,
  );
}

function parseCalendarRule(
  every: unknown,
  timeZone: unknown,
  { startAt, now, minIntervalMs }: Parameters<typeof parseEvery>[1],
): CalendarRule {
  const interval = typeof every === "string" ? parseCalendar(every) : undefined;
  if (interval === undefined) {
    throw new InvalidRecurrenceError(
      `every.every: ${quote(every)} is no interval of the calendar; expected 1 or more whole days, weeks, months or years, at most 100 years, such as "1 month"; pass an interval of another unit by itself, as the first argument`,
    );
  }
  refuseTooOften(calendarSpacingMs(interval), quote(every), minIntervalMs);
  const anchor = startAt === undefined ? { anchor: now } : { anchor: startAt, isAnchored: true as const };
  return { kind: "calendar", ...interval, timeZone: parseTimeZone(timeZone), ...anchor };
}

function parseCron(
  cron: unknown,
  timeZone: unknown,
  options: { readonly now: number; readonly minIntervalMs: number },
): Rule {
  const zone = parseTimeZone(timeZone);
  // croner would take text with a colon for one date.
  if (typeof cron !== "string" || cron.length > MAX_CRON_LENGTH || cron.includes(":")) {
    throw invalidCron(cron, "it is no cron expression");
  }
  const normal = cron.trim().replace(/\s+/g, " ");
  const fault = faultOfCron(normal);
  if (fault !== undefined) throw invalidCron(cron, fault);
  let calendar: Calendar;
  try {
    calendar = calendarOf(normal, zone);
  } catch (error) {
    // What croner cannot do although it may be written.
    throw invalidCron(cron, error instanceof Error ? error.message : String(error));
  }
  if (calendar.next(options.now) === undefined) throw invalidCron(cron, "it is never due");
  refuseTooOften(calendar.spacingMs, quote(cron), options.minIntervalMs);
  return { kind: "cron", cron: normal, timeZone: zone };
}

function invalidCron(cron: unknown, reason: string): InvalidRecurrenceError {
  return new InvalidRecurrenceError(
    `every.cron: ${quote(cron)} cannot be used: ${reason}. Expected five fields such as "0 9 * * 1", or six with seconds first`,
  );
}

function refuseTooOften(spacingMs: number, shown: string, minIntervalMs: number): void {
  if (spacingMs > 0 && spacingMs >= minIntervalMs) return;
  throw new InvalidRecurrenceError(
    `every: ${shown} is due more often than every ${formatDuration(minIntervalMs)}; settings.minInterval says how often it may be`,
  );
}

/** Whether it is what a declaration has stored: a rule that can be asked for its times, and its bounds. */
export function isStoredRule(value: unknown): value is StoredRule {
  if (!isFields(value)) return false;
  const { rule, bounds } = value;
  return isFields(rule) && (isInterval(rule) || isCalendar(rule) || isCron(rule)) && isBounds(bounds);
}

function isInterval(rule: Partial<Record<keyof IntervalRule, unknown>>): boolean {
  const { kind, everyMs, anchor, isAnchored } = rule;
  return (
    kind === "interval" &&
    isNumber(everyMs, SMALLEST_INTERVAL_MS, MAX_TIME_MS) &&
    isTime(anchor) &&
    isAbsentOr(isAnchored, (flag) => flag === true)
  );
}

function isCron({ kind, cron, timeZone }: Partial<Record<keyof CronRule, unknown>>): boolean {
  if (kind !== "cron" || !isText(cron) || !isText(timeZone) || !isZone(timeZone)) return false;
  try {
    return calendarOf(cron, timeZone).spacingMs > 0;
  } catch {
    return false;
  }
}

function isBounds(value: unknown): value is Bounds {
  if (!isFields(value)) return false;
  const { startAt, until, times, missed }: Partial<Record<keyof Bounds, unknown>> = value;
  return (
    (missed === "latest" || missed === "skip" || missed === "all") &&
    isAbsentOr(startAt, isTime) &&
    isAbsentOr(until, isTime) &&
    isAbsentOr(times, (count) => isNumber(count, 1))
  );
}

/**
 * The first planned time of a recurrence that is declared now: `startAt` or the first after it, if that
 * has not passed; else the first after `now`. Undefined when there is none.
 */
export function firstPlanned(
  rule: Rule,
  options: { readonly startAt?: number | undefined; readonly now: number },
): number | undefined {
  const { startAt, now } = options;
  return nextPlanned(rule, startAt !== undefined && startAt >= now ? startAt - 1 : now);
}

/** The first planned time strictly after; undefined when there is none. */
export function nextPlanned(rule: Rule, after: number): number | undefined {
  if (rule.kind === "cron") return calendarOf(rule.cron, rule.timeZone).next(after);
  return timeOf(rule, Math.max(firstIndex(rule), indexOf(rule, after) + 1));
}

/** The last planned time that is not after; undefined when there is none. */
function lastPlanned(rule: Rule, atMost: number): number | undefined {
  if (rule.kind === "cron") return calendarOf(rule.cron, rule.timeZone).previous(atMost);
  const index = indexOf(rule, atMost);
  return index >= firstIndex(rule) ? timeOf(rule, index) : undefined;
}

/**
 * The planned times after `planned` and up to `now`: the newest, and how many they are. Without any,
 * the count is 0 and the newest is `planned` itself. A cron rule is counted up to `limit`, in steps of
 * tens of microseconds; then `countIsExact` is false and the count is `limit`.
 */
export function missedBetween(
  rule: Rule,
  planned: number,
  now: number,
  limit: number,
): { readonly latest: number; readonly count: number; readonly countIsExact: boolean } {
  const latest = lastPlanned(rule, now);
  if (latest === undefined || latest <= planned) return { latest: planned, count: 0, countIsExact: true };
  if (rule.kind !== "cron") {
    const count = indexOf(rule, latest) - Math.max(indexOf(rule, planned), firstIndex(rule) - 1);
    return { latest, count, countIsExact: true };
  }
  let count = 0;
  let time: number | undefined = planned;
  while (time !== undefined && time < latest && count < limit) {
    time = nextPlanned(rule, time);
    count += 1;
  }
  return { latest, count, countIsExact: time === latest };
}

/** More planned times than this are not between two moments, the later one included. Found without counting. */
export function mostBetween(rule: Rule, after: number, until: number): number {
  if (rule.kind !== "cron") return missedBetween(rule, after, until, Number.POSITIVE_INFINITY).count;
  return Math.ceil(Math.max(0, until - after) / calendarOf(rule.cron, rule.timeZone).spacingMs);
}

/** The newest `count` planned times that are not after `now`, oldest first; fewer when there are fewer. */
export function newestPlanned(rule: Rule, now: number, count: number): readonly number[] {
  const newestFirst: number[] = [];
  let time = lastPlanned(rule, now);
  while (time !== undefined && newestFirst.length < count) {
    newestFirst.push(time);
    time = lastPlanned(rule, time - 1);
  }
  return newestFirst.toReversed();
}

/** The distance from a planned time to the next one, in milliseconds; Infinity when there is none. */
export function periodMs(rule: Rule, planned: number): number {
  return (nextPlanned(rule, planned) ?? Number.POSITIVE_INFINITY) - planned;
}

/** Whether two rules plan alike. The anchor of an interval counts only where the caller gave it. */
export function sameRule(a: Rule, b: Rule): boolean {
  switch (a.kind) {
    case "interval":
      return b.kind === "interval" && a.everyMs === b.everyMs && sameAnchor(a, b);
    case "calendar":
      return (
        b.kind === "calendar" &&
        a.unit === b.unit &&
        a.count === b.count &&
        sameZone(a.timeZone, b.timeZone) &&
        sameAnchor(a, b)
      );
    case "cron":
      return b.kind === "cron" && a.cron === b.cron && sameZone(a.timeZone, b.timeZone);
  }
}

function sameAnchor(a: NumberedRule, b: NumberedRule): boolean {
  return a.isAnchored === b.isAnchored && (a.isAnchored === undefined || a.anchor === b.anchor);
}

/** A zone that was stored by another version of the runtime may be stored by another of its names. */
function sameZone(a: string, b: string): boolean {
  return a === b || canonicalZone(a) === canonicalZone(b);
}

/** A rule for people to read: `every 15 min`, `every 2 weeks in Europe/Berlin`, or `cron "0 9 * * 1" in UTC`. */
export function describeRule(rule: Rule): string {
  switch (rule.kind) {
    case "interval":
      return `every ${formatDuration(rule.everyMs)}`;
    case "calendar":
      return `every ${describeCalendar(rule)}`;
    case "cron":
      return `cron ${JSON.stringify(rule.cron)} in ${rule.timeZone}`;
  }
}

/** Planned times are numbered from the anchor on, which is number 0 and a planned time only if the caller gave it. */
function firstIndex(rule: NumberedRule): number {
  return rule.isAnchored === true ? 0 : 1;
}

/** The number of the last time that is not after, planned or not; below 0 before the anchor. */
function indexOf(rule: NumberedRule, time: number): number {
  return rule.kind === "calendar"
    ? calendarIndex(rule, time)
    : Math.floor((time - rule.anchor) / rule.everyMs);
}

function timeOf(rule: NumberedRule, index: number): number | undefined {
  if (rule.kind === "calendar") return calendarTime(rule, index);
  const time = rule.anchor + index * rule.everyMs;
  return time <= MAX_TIME_MS ? time : undefined;
}
