// What the clocks of a zone show, by brute force: nothing but Intl, and looking at one moment after the other.

const MINUTE = 60_000;
/** All clocks of these years are so many quarters of an hour from UTC. They change at any minute. */
const QUARTER = 15 * MINUTE;
const HOUR = 60 * MINUTE;

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clocks show at an instant, as the moment at which those of UTC show it. */
export function wallOf(instant: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(
    format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts;
  const ms = ((instant % 1000) + 1000) % 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

/** The first instant at which the clocks show a wall time; where they never do, the first after the gap. */
export function firstShowing(wall: number, timeZone: string): number {
  const rest = ((wall % QUARTER) + QUARTER) % QUARTER;
  const start = Math.floor((wall - 28 * HOUR) / QUARTER) * QUARTER;
  const end = wall + 28 * HOUR;
  for (let instant = start + rest; instant <= end; instant += QUARTER)
    if (wallOf(instant, timeZone) === wall) return instant;
  for (let instant = start; instant <= end; instant += MINUTE)
    if (wallOf(instant, timeZone) > wall) return instant;
  throw new Error(`${timeZone} never shows ${wall}, and nothing after it.`);
}

/** The days of a month, counted from 0 in any year. */
function daysIn(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month] ?? 0;
}

/** A wall time so many days or months later, one at a time, the day cut to the last of its month at the end. */
export function later(wall: number, unit: "day" | "month", count: number): number {
  const from = new Date(wall);
  let [year, month, day] = [from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate()];
  for (let step = 0; step < count; step += 1) {
    if (unit === "month") month += 1;
    else if ((day += 1) > daysIn(year, month)) [day, month] = [1, month + 1];
    if (month === 12) [month, year] = [0, year + 1];
  }
  const time = ((wall % (24 * HOUR)) + 24 * HOUR) % (24 * HOUR);
  return Date.UTC(year, month, Math.min(day, daysIn(year, month))) + time;
}

/** The instants between two moments at which the clocks of a zone change. */
export function changesOf(timeZone: string, from: number, to: number): number[] {
  const offset = (instant: number): number => wallOf(instant, timeZone) - instant;
  const changes: number[] = [];
  for (let day = from; day < to; day += 24 * HOUR) {
    if (offset(day) === offset(day + 24 * HOUR)) continue;
    let instant = day;
    while (offset(instant) === offset(day)) instant += MINUTE;
    changes.push(instant);
  }
  return changes;
}
