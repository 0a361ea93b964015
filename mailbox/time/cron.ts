// Owns when a cron expression is due, by the clocks of a time zone; the only file that knows croner.
//
// A rule whose seconds, minutes and hours are plain numbers, lists or ranges is due once for each wall
// time: in a gap (clocks go forward) at the first instant after it, in an overlap (clocks go back) in
// the first pass. With a `*` or a step among the three it runs in real time: not in a gap, and in both
// passes of an overlap. croner does the second kind; of the first it loses a gap that ends at midnight
// (America/Nuuk), so there it only finds wall times, as in UTC, and zone.ts makes instants of them.

import { dateOf } from "./clock.ts";
import { Cron, type CronOptions, CronPattern } from "croner";
import { instantOf, lastWallTime } from "./zone.ts";

/** The planned times of one expression in one zone, in whole seconds. */
export interface Calendar {
  /** The first planned time strictly after; undefined when there is none before the year 3000. */
  next(after: number): number | undefined;
  /** The last planned time that is not after. */
  previous(atMost: number): number | undefined;
  /** The shortest distance between two planned times, as if every day matched and no clock ever changed. */
  readonly spacingMs: number;
}

const OPTIONS = { mode: "5-or-6-parts", fixedTimeRule: "no-wildcard" } as const satisfies CronOptions;

/** Parsing costs as much as finding a time, and one actor has few rules. */
const MAX_CALENDARS = 64;
const END_MS = 8.64e15 - 366 * 86_400_000;
const calendars = new Map<string, Calendar>();

/** The calendar of an expression. @throws what croner throws for one that it cannot read */
export function calendarOf(cron: string, timeZone: string): Calendar {
  const key = `${timeZone} ${cron}`;
  let calendar = calendars.get(key);
  if (calendar === undefined) {
    const pattern = new CronPattern(cron, undefined, OPTIONS);
    calendar = withinTime(
      pattern.isFixedTime || timeZone === "UTC"
        ? wallTimeCalendar(cron, timeZone, spacingMs(pattern))
        : realTimeCalendar(cron, timeZone, spacingMs(pattern)),
    );
    if (calendars.size >= MAX_CALENDARS) calendars.clear();
    calendars.set(key, calendar);
  }
  return calendar;
}

/** At the ends of what a Date can hold, a zone's offset leads out of it: there is nothing planned in their last year. */
function withinTime({ spacingMs, next, previous }: Calendar): Calendar {
  return {
    spacingMs,
    next: (after) => (after >= END_MS ? undefined : next(Math.max(after, -END_MS))),
    previous: (atMost) => (atMost <= -END_MS ? undefined : previous(Math.min(atMost, END_MS))),
  };
}

function wallTimeCalendar(cron: string, timeZone: string, spacingMs: number): Calendar {
  const wallTimes = new Cron(cron, { ...OPTIONS, utcOffset: 0 });
  const toInstant = (wallTime: Date | null | undefined): number | undefined =>
    wallTime == null ? undefined : instantOf(wallTime.getTime(), timeZone);
  return {
    spacingMs,
    next: (after) => toInstant(wallTimes.nextRun(dateOf(lastWallTime(after, timeZone)))),
    previous: (atMost) => toInstant(wallTimes.previousRuns(1, dateOf(lastWallTime(atMost, timeZone) + 1))[0]),
  };
}

function realTimeCalendar(cron: string, timeZone: string, spacingMs: number): Calendar {
  const instants = new Cron(cron, { ...OPTIONS, timezone: timeZone });
  return {
    spacingMs,
    next: (after) => instants.nextRun(dateOf(after))?.getTime(),
    previous: (atMost) => instants.previousRuns(1, dateOf(atMost + 1))[0]?.getTime(),
  };
}

function spacingMs({ second, minute, hour }: CronPattern): number {
  // From the seconds outwards: the first, the last and the closest two times of one minute, hour, day.
  let unit = { first: 0, last: 0, closest: Number.POSITIVE_INFINITY };
  for (const [marks, ms] of [
    [second, 1000],
    [minute, 60_000],
    [hour, 3_600_000],
  ] as const) {
    const times = marks.flatMap((mark, value) => (mark === 0 ? [] : [value * ms]));
    const inner = unit;
    const between = times
      .slice(1)
      .map((time, index) => time - (times[index] ?? 0) - (inner.last - inner.first));
    unit = {
      first: (times[0] ?? 0) + inner.first,
      last: (times.at(-1) ?? 0) + inner.last,
      closest: Math.min(inner.closest, ...between),
    };
  }
  return Math.min(unit.closest, 86_400_000 - (unit.last - unit.first));
}
