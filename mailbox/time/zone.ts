// Owns the step between instants and the wall clock of a time zone. A wall time is the number of
// milliseconds after 1970 at which UTC shows that date and time, so it can be counted like an instant.
// Invariant: `instantOf` never decreases as the wall time grows; `lastWallTime` is its inverse.
// Holds while a zone changes its clocks at most once within two days, which all have done for decades.

const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether the runtime knows the time zone: an IANA name, or a fixed offset such as `+02:00`. */
export function isTimeZone(timeZone: string): boolean {
  try {
    offsetAt(0, timeZone);
    return true;
  } catch {
    return false;
  }
}

/**
 * The instant at which the clocks of the zone show the wall time: the first, where they show it
 * twice; the first after the gap, where they never do.
 */
export function instantOf(wallTime: number, timeZone: string): number {
  // No clock is a day from UTC, so these are the offsets before and after a change that could matter.
  const before = offsetAt(wallTime - DAY_MS, timeZone);
  const first = wallTime - before;
  if (offsetAt(first, timeZone) === before) return first;
  const after = offsetAt(wallTime + DAY_MS, timeZone);
  const last = wallTime - after;
  return offsetAt(last, timeZone) === after ? last : changeBetween(last, first, timeZone);
}

/** The last wall time whose `instantOf` is not after the instant, to the millisecond. */
export function lastWallTime(instant: number, timeZone: string): number {
  const offset = offsetAt(instant, timeZone);
  const before = offsetAt(instant - DAY_MS, timeZone);
  // In the second pass after the clocks went back, all that is shown again was due in the first.
  const isRepeated = before > offset && offsetAt(instant - (before - offset), timeZone) === before;
  if (!isRepeated) return instant + offset;
  return changeBetween(instant - (before - offset), instant, timeZone) + before - 1;
}

/** The first instant of the offset that holds at `end`, where exactly one change lies after `start` and up to `end`. */
function changeBetween(start: number, end: number, timeZone: string): number {
  const before = offsetAt(start, timeZone);
  let from = start;
  let to = end;
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    if (offsetAt(middle, timeZone) === before) from = middle;
    else to = middle;
  }
  return to;
}

/** How far the clocks of the zone are ahead of UTC at an instant, in milliseconds. */
function offsetAt(instant: number, timeZone: string): number {
  if (timeZone === "UTC") return 0;
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
    formats.set(timeZone, format);
  }
  // Shown as "1/31/2027, GMT-03:30"; with seconds in old times, without anything at UTC itself.
  const [, sign, hours, minutes, seconds] =
    format.format(instant).match(/([+-])(\d\d):(\d\d)(?::(\d\d))?$/) ?? [];
  const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
  return (sign === "-" ? -size : size) * 1000;
}
