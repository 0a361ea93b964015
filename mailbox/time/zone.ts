// Owns the step between instants and the wall clock of a time zone. A wall time is the number of
// milliseconds after 1970 at which UTC shows that date and time, so it can be counted like an instant.
// Invariant: `instantOf` never decreases as the wall time grows; `lastWallTime` is its inverse.
// Holds while a zone changes its clocks at most once within two days, which all have done for decades.

export const DAY_MS = 86_400_000;

/** A formatter holds some 100 KB, and the zone is what users choose. */
const MAX_FORMATS = 64;
const MAX_NAMES = 256;
/** No name of a zone is longer. */
const MAX_NAME_LENGTH = 64;

/** By the canonical name. */
const formats = new Map<string, Intl.DateTimeFormat>();
/** The canonical name of what was written; undefined when it is no zone. */
const canonicalNames = new Map<string, string | undefined>();

/** The names of three letters that are IANA's. Engines take others for zones too: BST for Asia/Dhaka. */
const THREE_LETTERS = /^(?:cet|eet|est|gmt|hst|met|mst|prc|roc|rok|uct|utc|wet)$/i;

/** What a map holds under a key, made when it is not there; the oldest gives way to one more than `max`. */
export function remembered<V>(map: Map<string, V>, max: number, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined || map.has(key)) return known as V;
  const made = make();
  const [oldest] = map.size < max ? [] : map.keys();
  if (oldest !== undefined) map.delete(oldest);
  map.set(key, made);
  return made;
}

/** The one name of a zone, however it was written; undefined when the runtime knows none such. */
export function canonicalZone(timeZone: string): string | undefined {
  if (timeZone.length > MAX_NAME_LENGTH) return undefined;
  return remembered(canonicalNames, MAX_NAMES, timeZone, () => {
    try {
      return new Intl.DateTimeFormat("en-US", { timeZone }).resolvedOptions().timeZone;
    } catch {
      return undefined;
    }
  });
}

/** Whether the runtime knows the zone; also by an alias, because what is stored is believed. */
export function isZone(timeZone: string): boolean {
  return canonicalZone(timeZone) !== undefined;
}

/** Whether it is a name that only the engine knows: an abbreviation means another zone in each country. */
export function isAlias(timeZone: string): boolean {
  return (timeZone.length === 3 && !THREE_LETTERS.test(timeZone)) || /^systemv\//i.test(timeZone);
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
export function changeBetween(start: number, end: number, timeZone: string): number {
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
export function offsetAt(instant: number, timeZone: string): number {
  if (timeZone === "UTC") return 0;
  const format = remembered(
    formats,
    MAX_FORMATS,
    canonicalZone(timeZone) ?? timeZone,
    () => new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" }),
  );
  // Shown as "1/31/2027, GMT-03:30"; with seconds in old times, without anything at UTC itself.
  const [, sign, hours, minutes, seconds] =
    format.format(instant).match(/([+-])(\d\d):(\d\d)(?::(\d\d))?$/) ?? [];
  const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
  return (sign === "-" ? -size : size) * 1000;
}
