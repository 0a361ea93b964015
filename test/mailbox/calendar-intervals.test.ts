import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidDurationError, InvalidOptionError, InvalidRecurrenceError } from "../../mailbox/errors.ts";
import {
  describeRule,
  firstPlanned,
  isStoredRule,
  missedBetween,
  newestPlanned,
  nextPlanned,
  parseEvery,
  periodMs,
  type Rule,
  sameRule,
} from "../../mailbox/time/rule.ts";
import { changesOf, firstShowing, later, wallOf } from "../support/wall.ts";

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 24, 12);

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace(/(?::00)?\.000Z$/, "Z");

function every(interval: unknown, timeZone?: string, startAt?: number, now: number = NOW): Rule {
  const given = timeZone === undefined ? { every: interval } : { every: interval, timeZone };
  return parseEvery(given, { now, minIntervalMs: 1000, startAt });
}

function timesFrom(rule: Rule, start: number, count: number): number[] {
  const times: number[] = [];
  for (let time = nextPlanned(rule, start - 1); time !== undefined && times.length < count;) {
    times.push(time);
    time = nextPlanned(rule, time);
  }
  return times;
}

describe("an interval of the calendar", () => {
  const tables: readonly [interval: string, zone: string, startAt: string, times: readonly string[]][] = [
    ["1 month", "UTC", "2026-01-31T09:00Z", [
      "2026-01-31T09:00Z", "2026-02-28T09:00Z", "2026-03-31T09:00Z", "2026-04-30T09:00Z", "2026-05-31T09:00Z"]],
    ["1 month", "UTC", "2027-12-30T09:00Z", ["2027-12-30T09:00Z", "2028-01-30T09:00Z", "2028-02-29T09:00Z", "2028-03-30T09:00Z"]],
    ["3 months", "UTC", "2026-11-30T00:00Z", ["2026-11-30T00:00Z", "2027-02-28T00:00Z", "2027-05-30T00:00Z"]],
    ["1 year", "UTC", "2028-02-29T12:00Z", [
      "2028-02-29T12:00Z", "2029-02-28T12:00Z", "2030-02-28T12:00Z", "2031-02-28T12:00Z", "2032-02-29T12:00Z"]],
    ["2 weeks", "UTC", "2026-11-24T12:00Z", ["2026-11-24T12:00Z", "2026-12-08T12:00Z"]],
    // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00Z; 25 October: 03:00 becomes 02:00 at 01:00Z.
    ["1 day", "Europe/Berlin", "2026-03-27T01:30Z", [
      "2026-03-27T01:30Z", "2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]],
    ["1 day", "Europe/Berlin", "2026-10-24T00:30Z", ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
    ["1 week", "Europe/Berlin", "2026-10-18T07:00Z", ["2026-10-18T07:00Z", "2026-10-25T08:00Z"]],
    // What begins in the second pass is itself the first, and later ones are by the wall time.
    ["1 day", "Europe/Berlin", "2026-10-25T01:30Z", ["2026-10-25T01:30Z", "2026-10-26T01:30Z"]],
    ["1 year", "Europe/Berlin", "2026-10-25T01:30Z", ["2026-10-25T01:30Z", "2027-10-25T00:30Z"]],
    ["1 month", "Australia/Lord_Howe", "2026-09-04T15:45Z", ["2026-09-04T15:45Z", "2026-10-04T15:15Z"]],
  ]; // prettier-ignore
  it.each(tables)("of %s in %s from %s on", (interval, zone, startAt, times) => {
    const rule = every(interval, zone, at(startAt));
    expect(timesFrom(rule, at(startAt), times.length).map(iso)).toEqual(times.map((time) => iso(at(time))));
  });

  it("counts from now, and in UTC, by default", () => {
    const rule = every("1 month");
    expect(rule).toEqual({ kind: "calendar", unit: "month", count: 1, timeZone: "UTC", anchor: NOW });
    expect(iso(firstPlanned(rule, { now: NOW }))).toBe("2026-12-24T12:00Z");
    expect(newestPlanned(rule, NOW, 5)).toEqual([]);
  });

  it("begins with startAt, or with the first after a startAt that has passed", () => {
    const first = (startAt: string): string | undefined =>
      iso(firstPlanned(every("1 month", "UTC", at(startAt)), { startAt: at(startAt), now: NOW }));
    expect(first("2026-11-24T12:00Z")).toBe("2026-11-24T12:00Z");
    expect(first("2027-01-31T00:00Z")).toBe("2027-01-31T00:00Z");
    expect(first("2025-12-31T00:00Z")).toBe("2026-11-30T00:00Z");
  });

  it("is read in whole days, weeks, months and years, which are stored as days and months", () => {
    const read: readonly [text: string, unit: string, count: number][] = [
      ["1 day", "day", 1],
      ["10 days", "day", 10],
      ["2 weeks", "day", 14],
      ["1w", "day", 7],
      ["1 month", "month", 1],
      [" 18 Months ", "month", 18],
      ["1 mo", "month", 1],
      ["1 year", "month", 12],
      ["100 years", "month", 1200],
      ["36525 days", "day", 36_525],
    ];
    for (const [text, unit, count] of read) expect(every(text)).toMatchObject({ unit, count });
    expect(sameRule(every("1 week"), every("7 days"))).toBe(true);
    expect(sameRule(every("12 months"), every("1 year"))).toBe(true);
  });

  it.each([
    "0 days", "-1 day", "1.5 months", "90 minutes", "24 hours", "month", "1", "", "101 years", "1 decade", 5, null,
    "1 day 2 hours", "9".repeat(100_000),
  ])("is refused in words where it is none: %j", (interval) => {
    expect(() => every(interval)).toThrow(InvalidRecurrenceError);
    expect(() => every(interval)).toThrow("is no interval of the calendar; expected 1 or more whole days");
  }); // prettier-ignore

  it("is refused together with cron, with names that nobody knows, and below the smallest interval", () => {
    const options = { now: NOW, minIntervalMs: 1000 };
    expect(() => parseEvery({ every: "1 day", cron: "* * * * *" }, options)).toThrow(
      "it has both cron and every",
    );
    expect(() => parseEvery({ every: "1 day", timezone: "UTC" }, options)).toThrow(InvalidOptionError);
    expect(() => parseEvery({ every: "1 day" }, { now: NOW, minIntervalMs: 48 * HOUR })).toThrow(
      "more often",
    );
    expect(() => parseEvery({ timeZone: "UTC" }, options)).toThrow(InvalidRecurrenceError);
  });

  it.each(["1 month", "2 years", "3mo"])(
    "is named where a plain interval has no fixed length: %s",
    (text) => {
      const run = (): Rule => parseEvery(text, { now: NOW, minIntervalMs: 1000 });
      expect(run).toThrow(InvalidDurationError);
      expect(run).toThrow(`pass it as { every: "${text}", timeZone }`);
    },
  );

  it("is the same when it plans alike", () => {
    const monthly = every("1 month", "Europe/Berlin");
    expect(sameRule(monthly, every("1 month", "Europe/Berlin", undefined, NOW + 5))).toBe(true);
    expect(sameRule(monthly, every("1 month", "europe/BERLIN"))).toBe(true);
    expect(sameRule(monthly, every("1 month", "UTC"))).toBe(false);
    expect(sameRule(monthly, every("2 months", "Europe/Berlin"))).toBe(false);
    expect(sameRule(monthly, every("1 month", "Europe/Berlin", NOW))).toBe(false);
    expect(sameRule(every("1 day", "UTC", 5), every("1 day", "UTC", 5))).toBe(true);
    expect(sameRule(every("1 day", "UTC", 5), every("1 day", "UTC", 6))).toBe(false);
    expect(sameRule(every("1 day"), parseEvery("1 day", { now: NOW, minIntervalMs: 1 }))).toBe(false);
  });

  it("is described for people in its largest unit", () => {
    expect(describeRule(every("1 month", "Europe/Berlin"))).toBe("every 1 month in Europe/Berlin");
    expect(describeRule(every("14 days"))).toBe("every 2 weeks in UTC");
    expect(describeRule(every("10 days"))).toBe("every 10 days in UTC");
    expect(describeRule(every("24 months"))).toBe("every 2 years in UTC");
  });

  it("is stored as JSON without loss, and believed as it is stored", () => {
    const bounds = { missed: "latest" };
    for (const rule of [every("1 month", "Europe/Berlin"), every("3 days", "UTC", 5)]) {
      expect(JSON.parse(JSON.stringify(rule))).toEqual(rule);
      expect(isStoredRule({ rule, bounds })).toBe(true);
      for (const wrong of [
        { unit: "year" },
        { count: 0 },
        { count: 1.5 },
        { anchor: "x" },
        { timeZone: "Mars" },
      ])
        expect(isStoredRule({ rule: { ...rule, ...wrong }, bounds })).toBe(false);
    }
  });

  it("has none beyond all times", () => {
    expect(nextPlanned(every("100 years", "Asia/Tokyo", 8.6e15), 8.639e15)).toBeUndefined();
    expect(nextPlanned(every("1 month", "Asia/Tokyo", 8.6e15), 8.64e15)).toBeUndefined();
    expect(periodMs(every("1 month", "UTC", NOW), NOW)).toBe(30 * 24 * HOUR);
  });
});

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "Europe/Dublin",
  "America/New_York",
  "America/Sao_Paulo",
  "America/Santiago",
  "America/Havana",
  "America/Nuuk",
  "America/St_Johns",
  "Africa/Cairo",
  "Africa/Casablanca",
  "Asia/Beirut",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Chatham",
  "+05:30",
] as const;

// Years in which these zones change their clocks: Apia left out 30 December 2011, Sao Paulo stopped in 2019.
const FROM = Date.UTC(2010, 0);
const TO = Date.UTC(2036, 0);
const changes = new Map(ZONES.map((zone) => [zone, changesOf(zone, FROM, TO)]));

/** A zone, and a moment that half of the time is within two hours of a change of its clocks. */
const place = fc.constantFrom(...ZONES).chain((zone) => {
  const own = changes.get(zone) ?? [];
  const anywhere = fc.integer({ min: FROM, max: TO });
  const near =
    own.length === 0
      ? anywhere
      : fc
          .tuple(fc.constantFrom(...own), fc.integer({ min: -120, max: 120 }))
          .map(([change, minutes]) => change + minutes * 60_000);
  return fc.record({ zone: fc.constant(zone), moment: fc.oneof(anywhere, near) });
});

describe("against brute force, in 17 zones and at the edges of their changes,", () => {
  it("the n-th time of a calendar interval is the anchor's wall time n units later", () => {
    const units = fc.constantFrom("day", "week", "month", "year");
    fc.assert(
      fc.property(place, units, fc.integer({ min: 1, max: 5 }), fc.nat(30), (where, unit, count, index) => {
        const { zone, moment } = where;
        const rule = every(`${count} ${unit}`, zone, moment);
        const [base, size] =
          unit === "week"
            ? (["day", 7] as const)
            : unit === "year"
              ? (["month", 12] as const)
              : ([unit, 1] as const);
        const planned = (n: number): number =>
          n === 0 ? moment : firstShowing(later(wallOf(moment, zone), base, n * count * size), zone);
        const [time, next] = [planned(index), planned(index + 1)];
        // A whole day that a zone leaves out makes one instant of two of its days.
        fc.pre(next > time);
        expect(nextPlanned(rule, time)).toBe(next);
        expect(nextPlanned(rule, next - 1)).toBe(next);
        expect(nextPlanned(rule, time - 1)).toBe(time);
        expect(newestPlanned(rule, next - 1, 1)).toEqual([time]);
        expect(newestPlanned(rule, next, 2)).toEqual([time, next]);
        expect(missedBetween(rule, moment, next, 1)).toEqual({
          latest: next,
          count: index + 1,
          countIsExact: true,
        });
      }),
      { numRuns: 300 },
    );
  });

  it("a time that falls on a change of the clocks is right, as every other", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.integer({ min: 1, max: 27 }), (zone, days) => {
        for (const change of (changes.get(zone) ?? []).slice(0, 6)) {
          const moment = change - days * 24 * HOUR;
          const [first, second] = timesFrom(every(`${days} days`, zone, moment), moment, 2);
          expect(first).toBe(moment);
          expect(second).toBe(firstShowing(later(wallOf(moment, zone), "day", days), zone));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("a cron rule in real time is due whenever the clocks show a time that matches, both ways", () => {
    const rules = fc.constantFrom(
      "* * * * *",
      "*/7 * * * *",
      "*/20 2 * * *",
      "0 * * * *",
      "10,40 */3 * * *",
      "*/30 0-2 * * 0,6",
      "* 1 29 3 *",
    );
    fc.assert(
      fc.property(place, rules, ({ zone, moment }, expression) => {
        const rule = parseEvery({ cron: expression, timeZone: zone }, { now: NOW, minIntervalMs: 1000 });
        const matches = matcherOf(expression);
        const start = Math.floor(moment / 60_000) * 60_000;
        const scan = (from: number, step: number): number | undefined => {
          for (let n = 0; n < 3 * 1440; n += 1)
            if (matches(wallOf(from + n * step, zone))) return from + n * step;
          return undefined;
        };
        const next = scan(start + 60_000, 60_000);
        if (next !== undefined) expect(nextPlanned(rule, start)).toBe(next);
        const last = scan(start, -60_000);
        if (last !== undefined) expect(newestPlanned(rule, start, 1)).toEqual([last]);
      }),
      { numRuns: 120 },
    );
  });
});

/** Whether a wall time matches an expression of numbers, lists, ranges and steps. */
function matcherOf(expression: string): (wall: number) => boolean {
  const has = (field: string, value: number): boolean =>
    field.split(",").some((item) => {
      const [range = "", step = "1"] = item.split("/");
      const [from, to = from] = range === "*" ? [0, 60] : range.split("-").map(Number);
      return value >= Number(from) && value <= Number(to) && (value - Number(from)) % Number(step) === 0;
    });
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ");
  return (wall) => {
    const date = new Date(wall);
    return (
      has(minute, date.getUTCMinutes()) &&
      has(hour, date.getUTCHours()) &&
      has(day, date.getUTCDate()) &&
      has(month, date.getUTCMonth() + 1) &&
      has(weekday, date.getUTCDay())
    );
  };
}
