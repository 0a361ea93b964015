// Owns intervals of the calendar: days and months, which have no fixed length. The n-th planned time is what
// the clocks of the zone showed at the anchor, n units later, the day cut to the last one of its month; so
// one of 31 January is due on 28 February and on 31 March. Gaps and overlaps are as for cron: in a gap the
// first instant after it, in an overlap the first pass.

import { isAbsentOr, isNumber, isText, isTime } from "../json.ts";
import { dateOf } from "./clock.ts";
import { END_MS } from "./cron.ts";
import { DAY_MS, instantOf, isZone, lastWallTime, offsetAt } from "./zone.ts";

/** Weeks are days, and years are months. */
export interface CalendarRule {
  readonly kind: "calendar";
  readonly unit: "day" | "month";
  /** Units from one planned time to the next. */
  readonly count: number;
  readonly timeZone: string;
  /** Planned times are counted from this epoch millisecond on. */
  readonly anchor: number;
  /** Present when the caller gave the anchor: it is then part of the rule, and itself a planned time. */
  readonly isAnchored?: true;
}

const UNITS = {
  d: { unit: "day", count: 1, max: 36_525 },
  w: { unit: "day", count: 7, max: 5_217 },
  m: { unit: "month", count: 1, max: 1_200 },
  y: { unit: "month", count: 12, max: 100 },
} as const;

/** The shortest that a unit can be. */
const SHORTEST_MS = { day: DAY_MS, month: 28 * DAY_MS } as const;

/** Reads whole days, weeks, months or years, from 1 to 100 years; undefined for anything else. */
export function parseCalendar(text: string): Pick<CalendarRule, "unit" | "count"> | undefined {
  const [, number, word] =
    text.match(/^\s*(\d{1,9})\s*(d|days?|w|wks?|weeks?|mo|mos|months?|y|yrs?|years?)\s*$/i) ?? [];
  if (number === undefined || word === undefined) return undefined;
  const { unit, count, max } = UNITS[word.charAt(0).toLowerCase() as keyof typeof UNITS];
  const units = Number(number);
  return units >= 1 && units <= max ? { unit, count: units * count } : undefined;
}

/** Whether it is a rule that {@link parseCalendar} has made. */
export function isCalendar(rule: Partial<Record<keyof CalendarRule, unknown>>): boolean {
  const { kind, unit, count, timeZone, anchor, isAnchored } = rule;
  return (
    kind === "calendar" &&
    (unit === "day" || unit === "month") &&
    isNumber(count, 1, UNITS.d.max) &&
    Number.isInteger(count) &&
    isText(timeZone) &&
    isZone(timeZone) &&
    isTime(anchor) &&
    isAbsentOr(isAnchored, (flag) => flag === true)
  );
}

/** A lower bound of the distance between two planned times. */
export function calendarSpacingMs({ unit, count }: Pick<CalendarRule, "unit" | "count">): number {
  return SHORTEST_MS[unit] * count;
}

/** The n-th planned time; undefined when it is beyond all times. */
export function calendarTime(rule: CalendarRule, index: number): number | undefined {
  // The anchor is an instant: where clocks show its time twice, it may be in the second pass.
  if (index === 0) return rule.anchor;
  const wallTime = wallTimeOf(rule, index);
  return wallTime < END_MS ? instantOf(wallTime, rule.timeZone) : undefined;
}

/** The number of the last planned time that is not after; -1 when there is none. */
export function calendarIndex(rule: CalendarRule, atMost: number): number {
  if (atMost < rule.anchor) return -1;
  const wallTime = lastWallTime(Math.min(atMost, END_MS), rule.timeZone);
  const anchor = wallTimeOf(rule, 0);
  if (rule.unit === "day") return Math.max(0, Math.floor((wallTime - anchor) / (DAY_MS * rule.count)));
  const months = monthOf(wallTime) - monthOf(anchor);
  const index = Math.floor(months / rule.count);
  return Math.max(0, wallTimeOf(rule, index) > wallTime ? index - 1 : index);
}

/** A calendar interval for people to read, in its largest unit: `2 weeks in Europe/Berlin`. */
export function describeCalendar({ unit, count, timeZone }: CalendarRule): string {
  const [most, name] = unit === "day" ? ([7, "week"] as const) : ([12, "year"] as const);
  const [size, word] = count % most === 0 ? [count / most, name] : [count, unit];
  return `${size} ${word}${size === 1 ? "" : "s"} in ${timeZone}`;
}

/** What the clocks of the zone show at the n-th planned time, if they ever do. */
function wallTimeOf({ unit, count, timeZone, anchor }: CalendarRule, index: number): number {
  const wallTime = anchor + offsetAt(anchor, timeZone);
  if (unit === "day") return wallTime + index * count * DAY_MS;
  const date = dateOf(wallTime);
  const day = date.getUTCDate();
  // To the first of the month before it is moved, so that no day is carried over into the next one.
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + index * count);
  const month = date.getTime();
  date.setUTCMonth(date.getUTCMonth() + 1, 0);
  return month + (Math.min(day, date.getUTCDate()) - 1) * DAY_MS;
}

/** The months since year 0. */
function monthOf(wallTime: number): number {
  const date = dateOf(wallTime);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
