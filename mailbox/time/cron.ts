// Owns when a cron expression is due, by the clocks of a time zone; the only file that knows croner, which
// finds wall times, as in UTC, and is told of no zone: zone.ts makes instants of them.
//
// A rule whose seconds, minutes and hours are plain numbers, lists or ranges is due once for each wall
// time: in a gap (clocks go forward) at the first instant after it, in an overlap (clocks go back) in
// the first pass. With a `*` or a step among the three it runs in real time: whenever the clocks show a time
// that matches, so not in a gap, and in both passes of an overlap.

import { dateOf } from "./clock.ts";
import { Cron, type CronOptions, CronPattern } from "croner";
import { changeBetween, DAY_MS, instantOf, lastWallTime, offsetAt, remembered } from "./zone.ts";

/** The planned times of one expression in one zone, in whole seconds. */
export interface Calendar {
  /** The first planned time strictly after; undefined when there is none before the year 3000. */
  next(after: number): number | undefined;
  /** The last planned time that is not after. */
  previous(atMost: number): number | undefined;
  /** The shortest distance between two planned times, as if every day matched and no clock ever changed. */
  readonly spacingMs: number;
}

/** The wall times that match an expression: the first after one, and the last that is not after it. */
interface WallTimes {
  next(after: number): number | undefined;
  previous(atMost: number): number | undefined;
}

const OPTIONS = { mode: "5-or-6-parts", fixedTimeRule: "no-wildcard" } as const satisfies CronOptions;

/** Parsing costs as much as finding a time, and one actor has few rules. */
const MAX_CALENDARS = 64;
/** At the ends of what a Date can hold, a zone's offset leads out of it: nothing is planned in their last year. */
export const END_MS: number = 8.64e15 - 366 * DAY_MS;
const calendars = new Map<string, Calendar>();

/** The calendar of an expression. @throws what croner throws for one that it cannot read */
export function calendarOf(cron: string, timeZone: string): Calendar {
  return remembered(calendars, MAX_CALENDARS, `${timeZone} ${cron}`, () => {
    const pattern = new CronPattern(cron, undefined, OPTIONS);
    const wallTimes = wallTimesOf(new Cron(cron, { ...OPTIONS, utcOffset: 0 }));
    const { next, previous } =
      pattern.isFixedTime || timeZone === "UTC"
        ? onceForEach(wallTimes, timeZone)
        : inRealTime(wallTimes, timeZone);
    return {
      spacingMs: spacingMs(pattern),
      next: (after) => (after >= END_MS ? undefined : next(Math.max(after, -END_MS))),
      previous: (atMost) => (atMost <= -END_MS ? undefined : previous(Math.min(atMost, END_MS))),
    };
  });
}

function wallTimesOf(cron: Cron): WallTimes {
  return {
    next: (after) => cron.nextRun(dateOf(after))?.getTime(),
    previous: (atMost) => cron.previousRuns(1, dateOf(atMost + 1))[0]?.getTime(),
  };
}

function onceForEach(wallTimes: WallTimes, timeZone: string): WallTimes {
  const toInstant = (wallTime: number | undefined): number | undefined =>
    wallTime === undefined ? undefined : instantOf(wallTime, timeZone);
  return {
    next: (after) => toInstant(wallTimes.next(lastWallTime(after, timeZone))),
    previous: (atMost) => toInstant(wallTimes.previous(lastWallTime(atMost, timeZone))),
  };
}

/**
 * Looks as if no clock ever changed from the present instant on; where one does before what was found, it
 * looks again from there. Of what lies between only the days at both ends can matter, because no change is
 * longer: all other wall times are between the two.
 */
function inRealTime(wallTimes: WallTimes, timeZone: string): WallTimes {
  return {
    next: (after) => {
      for (let from = after + 1; ;) {
        const offset = offsetAt(from, timeZone);
        const wallTime = wallTimes.next(from + offset - 1);
        if (wallTime === undefined) return undefined;
        const found = wallTime - offset;
        const near = Math.min(found, from + DAY_MS);
        if (offsetAt(near, timeZone) !== offset) from = changeBetween(from, near, timeZone);
        else if (found === near) return found;
        else from = found - DAY_MS;
      }
    },
    previous: (atMost) => {
      for (let to = atMost; ;) {
        const offset = offsetAt(to, timeZone);
        const wallTime = wallTimes.previous(to + offset);
        if (wallTime === undefined) return undefined;
        const found = wallTime - offset;
        const near = Math.max(found, to - DAY_MS);
        if (offsetAt(near, timeZone) !== offset) to = changeBetween(near, to, timeZone) - 1;
        else if (found === near) return found;
        else to = found + DAY_MS;
      }
    },
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
