// Owns when a recurrence is due: a rule, and the planned times that follow from it. Pure: every answer
// follows from the rule and the times given, and is the same looking forwards and backwards, so that
// a recurrence can be declared again, or read after years, without moving.

import { type Calendar, calendarOf } from "./cron.ts";
import { InvalidRecurrenceError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { isAbsentOr, isFields, isNumber, isText, isTime } from "../json.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { MAX_TIME_MS } from "../json.ts";
import { isTimeZone } from "./zone.ts";

/**
 * How often: an interval (milliseconds, or text such as `"15 minutes"`), or a cron expression of five
 * fields, or six with seconds first, by the clocks of an IANA time zone (default `"UTC"`).
 */
export type Every = number | string | { readonly cron: string; readonly timeZone?: string };

/**
 * What becomes of planned times that passed while nothing could be delivered: the newest is delivered
 * (`latest`), none (`skip`), or each in order (`all`).
 */
export type Missed = "latest" | "skip" | "all";

const CRON_NAMES: Names<Extract<Every, { cron: string }>> = { cron: true, timeZone: true };

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
export type Rule = IntervalRule | CronRule;

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
    checkNames(every, CRON_NAMES, "every");
    const { cron, timeZone } = every as { readonly cron?: unknown; readonly timeZone?: unknown };
    return parseCron(cron, timeZone, options);
  }
  if (typeof every === "string" && /^\s*\S+(?:\s+\S+){4,5}\s*$/.test(every.slice(0, MAX_CRON_LENGTH))) {
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

function parseCron(
  cron: unknown,
  timeZone: unknown = "UTC",
  options: { readonly now: number; readonly minIntervalMs: number },
): Rule {
  if (typeof timeZone !== "string" || !isTimeZone(timeZone)) {
    throw new InvalidRecurrenceError(
      `every.timeZone: ${quote(timeZone)} is unknown; expected an IANA name such as "Europe/Berlin"`,
    );
  }
  // croner would take text with a colon for one date.
  if (typeof cron !== "string" || cron.length > MAX_CRON_LENGTH || cron.includes(":")) {
    throw invalidCron(cron, "it is no cron expression");
  }
  const normal = cron.trim().replace(/\s+/g, " ");
  let calendar: Calendar;
  try {
    calendar = calendarOf(normal, timeZone);
  } catch (error) {
    throw invalidCron(
      cron,
      error instanceof Error ? error.message.replace(/^CronPattern: (?:Syntax error, )?/, "") : String(error),
    );
  }
  if (calendar.next(options.now) === undefined) throw invalidCron(cron, "it is never due");
  refuseTooOften(calendar.spacingMs, quote(cron), options.minIntervalMs);
  return { kind: "cron", cron: normal, timeZone };
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
  return isFields(rule) && (isInterval(rule) || isCron(rule)) && isBounds(bounds);
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
  if (kind !== "cron" || !isText(cron) || !isText(timeZone) || !isTimeZone(timeZone)) return false;
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
  const planned = intervalTime(rule, Math.max(firstIndex(rule), intervalIndex(rule, after) + 1));
  return planned <= MAX_TIME_MS ? planned : undefined;
}

/** The last planned time that is not after; undefined when there is none. */
function lastPlanned(rule: Rule, atMost: number): number | undefined {
  if (rule.kind === "cron") return calendarOf(rule.cron, rule.timeZone).previous(atMost);
  const index = intervalIndex(rule, atMost);
  return index >= firstIndex(rule) ? intervalTime(rule, index) : undefined;
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
  if (rule.kind === "interval") {
    const count = intervalIndex(rule, latest) - Math.max(intervalIndex(rule, planned), firstIndex(rule) - 1);
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
  if (a.kind === "cron") return b.kind === "cron" && a.cron === b.cron && a.timeZone === b.timeZone;
  return (
    b.kind === "interval" &&
    a.everyMs === b.everyMs &&
    a.isAnchored === b.isAnchored &&
    (a.isAnchored === undefined || a.anchor === b.anchor)
  );
}

/** A rule for people to read: `every 15 min`, or `cron "0 9 * * 1" in Europe/Berlin`. */
export function describeRule(rule: Rule): string {
  return rule.kind === "interval"
    ? `every ${formatDuration(rule.everyMs)}`
    : `cron ${JSON.stringify(rule.cron)} in ${rule.timeZone}`;
}

/** Planned times are numbered from the anchor on, which is number 0 and a planned time only if the caller gave it. */
function firstIndex(rule: IntervalRule): number {
  return rule.isAnchored === true ? 0 : 1;
}

function intervalIndex(rule: IntervalRule, time: number): number {
  return Math.floor((time - rule.anchor) / rule.everyMs);
}

function intervalTime(rule: IntervalRule, index: number): number {
  return rule.anchor + index * rule.everyMs;
}
