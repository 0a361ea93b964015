import { describe, expect, it } from "vitest";
import { InvalidDurationError, InvalidRecurrenceError } from "../../mailbox/errors.ts";
import {
  describeRule,
  firstPlanned,
  missedBetween,
  newestPlanned,
  parseEvery,
  periodMs,
  type Rule,
  sameRule,
} from "../../mailbox/time/rule.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const HOUR = 3_600_000;

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace(/:00\.000Z$/, "Z");

function every(
  value: unknown,
  options: { startAt?: number; now?: number; minIntervalMs?: number } = {},
): Rule {
  return parseEvery(value, { now: NOW, minIntervalMs: 1000, ...options });
}

function cron(expression: string, timeZone?: string): Rule {
  return every(timeZone === undefined ? { cron: expression } : { cron: expression, timeZone });
}

describe("a rule", () => {
  it("is an interval from the first send on, or from startAt", () => {
    expect(every("15 minutes")).toEqual({ kind: "interval", everyMs: 900_000, anchor: NOW });
    expect(every(1000, { startAt: 5 })).toEqual({
      kind: "interval",
      everyMs: 1000,
      anchor: 5,
      isAnchored: true,
    });
  });

  it("is cron text with single spaces, in UTC where no zone is given", () => {
    expect(every({ cron: "  0  9 * * MON " })).toEqual({
      kind: "cron",
      cron: "0 9 * * MON",
      timeZone: "UTC",
    });
    expect(every({ cron: "*/10 * * * * *", timeZone: "Europe/Berlin" })).toEqual({
      kind: "cron",
      cron: "*/10 * * * * *",
      timeZone: "Europe/Berlin",
    });
  });

  it("is stored as JSON without loss", () => {
    for (const rule of [every(1000), every(1000, { startAt: NOW }), cron("@daily", "Asia/Tokyo")]) {
      expect(JSON.parse(JSON.stringify(rule))).toEqual(rule);
    }
  });

  const refused: readonly [value: unknown, message: string][] = [
    [999, "every: 999 ms is due more often than every 1 s"],
    [0, "every: 0 ms is due more often"],
    [
      "0 9 * * 1",
      'every: "0 9 * * 1" looks like a cron expression; pass it as { cron: "0 9 * * 1", timeZone }',
    ],
    [{ cron: "0 9 * *" }, 'every.cron: "0 9 * *" cannot be used: '],
    [{ cron: "0 0 1 1 * 2027 *" }, "every.cron: "],
    [{ cron: "60 * * * *" }, "Invalid value for minute: 60"],
    [{ cron: "nonsense" }, 'every.cron: "nonsense" cannot be used'],
    [{ cron: "" }, 'every.cron: "" cannot be used'],
    [{ cron: "2027-01-01T00:00:00" }, "it is no cron expression"],
    [{ cron: 5 }, "every.cron: 5 cannot be used: it is no cron expression"],
    [{ cron: "0 ".repeat(10_000) }, "it is no cron expression"],
    [{ cron: "0 0 30 2 *" }, 'every.cron: "0 0 30 2 *" cannot be used: it is never due'],
    [{ cron: "0 0 31 4,6,9,11 *" }, "it is never due"],
    [{ cron: "0 9 * * 1", timeZone: "Europe/Berln" }, 'every.timeZone: "Europe/Berln" is unknown'],
    [{ cron: "0 9 * * 1", timeZone: "" }, 'every.timeZone: "" is unknown'],
    [{ cron: "0 9 * * 1", timeZone: 1 }, "every.timeZone: 1 is unknown"],
  ];
  it.each(refused)("is refused with the reason: %j", (value, message) => {
    expect(() => every(value)).toThrow(InvalidRecurrenceError);
    expect(() => every(value)).toThrow(message);
  });

  it.each([-1, "5 parsecs", "1 month", {}, undefined, null, new Date(NOW)])(
    "is refused where the interval is no duration: %s",
    (value) => expect(() => every(value)).toThrow(InvalidDurationError),
  );

  const spacings: readonly [cron: string, spacingMs: number][] = [
    ["* * * * * *", 1000],
    ["*/10 * * * * *", 10_000],
    ["0,7,30 * * * * *", 7000],
    ["50 * * * * *", 60_000],
    ["5,55 * * * * *", 10_000],
    ["* * * * *", 60_000],
    ["*/7 * * * *", 240_000],
    ["0 9,17 * * *", 8 * HOUR],
    ["0 0,23 * * *", HOUR],
    ["0 9 * * 1", 24 * HOUR],
  ];
  it.each(spacings)("is measured by its two closest times: %s", (expression, spacingMs) => {
    const value = { cron: expression };
    expect(every(value, { minIntervalMs: spacingMs }).kind).toBe("cron");
    expect(() => every(value, { minIntervalMs: spacingMs + 1 })).toThrow("is due more often than every");
  });

  it("is the same when it plans alike", () => {
    expect(sameRule(every(1000), every(1000, { now: NOW + 1 }))).toBe(true);
    expect(sameRule(every(1000), every(2000))).toBe(false);
    expect(sameRule(every(1000, { startAt: 5 }), every(1000, { startAt: 5, now: 9 }))).toBe(true);
    expect(sameRule(every(1000, { startAt: 5 }), every(1000, { startAt: 6 }))).toBe(false);
    expect(sameRule(every(1000, { startAt: NOW }), every(1000))).toBe(false);
    expect(sameRule(cron("0 9 * * 1"), cron("0  9 * * 1", "UTC"))).toBe(true);
    expect(sameRule(cron("0 9 * * 1"), cron("0 9 * * 2"))).toBe(false);
    expect(sameRule(cron("0 9 * * 1"), cron("0 9 * * 1", "Europe/Berlin"))).toBe(false);
    expect(sameRule(cron("* * * * *"), every("1 minute"))).toBe(false);
  });

  it("is described for people", () => {
    expect(describeRule(every("90 seconds"))).toBe("every 1.5 min");
    expect(describeRule(cron("0 9 * * 1", "Europe/Berlin"))).toBe('cron "0 9 * * 1" in Europe/Berlin');
  });
});

describe("the first planned time", () => {
  it("of an interval is one interval away, or startAt, or the first after a startAt that has passed", () => {
    expect(firstPlanned(every(HOUR), { now: NOW })).toBe(NOW + HOUR);
    expect(firstPlanned(every(HOUR), { now: NOW + 1.5 * HOUR })).toBe(NOW + 2 * HOUR);
    const first = (startAt: number): number | undefined =>
      firstPlanned(every(HOUR, { startAt }), { startAt, now: NOW });
    expect(first(NOW)).toBe(NOW);
    expect(first(NOW + 1)).toBe(NOW + 1);
    expect(first(NOW - 1)).toBe(NOW - 1 + HOUR);
    expect(first(NOW - HOUR)).toBe(NOW + HOUR);
    expect(first(NOW - 1.5 * HOUR)).toBe(NOW + 0.5 * HOUR);
  });

  it("of a cron rule is the first match from startAt on, or after now", () => {
    const rule = cron("0 * * * *");
    expect(firstPlanned(rule, { now: NOW })).toBe(NOW + HOUR);
    expect(firstPlanned(rule, { now: NOW - 1 })).toBe(NOW);
    expect(firstPlanned(rule, { startAt: NOW, now: NOW })).toBe(NOW);
    expect(firstPlanned(rule, { startAt: NOW + 1, now: NOW })).toBe(NOW + HOUR);
    expect(firstPlanned(rule, { startAt: NOW - 5 * HOUR, now: NOW })).toBe(NOW + HOUR);
  });
});

describe("missed times", () => {
  it("of an interval are counted at once, however many", () => {
    const rule = every(1000);
    expect(missedBetween(rule, NOW + 1000, NOW + 1999, 10)).toEqual({
      latest: NOW + 1000,
      count: 0,
      countIsExact: true,
    });
    expect(missedBetween(rule, NOW + 1000, NOW + 1e12 + 1, 10)).toEqual({
      latest: NOW + 1e12,
      count: 1e9 - 1,
      countIsExact: true,
    });
  });

  it("of a cron rule are counted up to the limit, and the newest is right all the same", () => {
    const rule = cron("*/5 * * * *", "Europe/Berlin");
    const late = { latest: NOW + 24 * HOUR, countIsExact: true };
    expect(missedBetween(rule, NOW, NOW + 24 * HOUR, 1000)).toEqual({ ...late, count: 288 });
    expect(missedBetween(rule, NOW, NOW + 24 * HOUR, 288)).toEqual({ ...late, count: 288 });
    expect(missedBetween(rule, NOW, NOW + 24 * HOUR, 287)).toEqual({
      ...late,
      count: 287,
      countIsExact: false,
    });
    expect(missedBetween(rule, NOW, NOW + 299_999, 9)).toEqual({ latest: NOW, count: 0, countIsExact: true });
    expect(missedBetween(rule, NOW, NOW - 1, 9)).toEqual({ latest: NOW, count: 0, countIsExact: true });
  });

  it("are listed from the newest back, oldest first", () => {
    expect(newestPlanned(every(1000), NOW + 3500, 2)).toEqual([NOW + 2000, NOW + 3000]);
    expect(newestPlanned(every(1000), NOW + 3500, 9)).toEqual([NOW + 1000, NOW + 2000, NOW + 3000]);
    expect(newestPlanned(every(1000, { startAt: NOW }), NOW + 1500, 9)).toEqual([NOW, NOW + 1000]);
    expect(newestPlanned(every(1000), NOW, 9)).toEqual([]);
    expect(newestPlanned(cron("0 9 * * *"), NOW, 2).map(iso)).toEqual([
      "2026-11-23T09:00Z",
      "2026-11-24T09:00Z",
    ]);
    expect(newestPlanned(cron("0 12 * * *"), NOW, 1)).toEqual([NOW]);
  });

  it("are one period apart", () => {
    expect(periodMs(every(HOUR), NOW)).toBe(HOUR);
    expect(periodMs(cron("0 12 * * *"), NOW)).toBe(24 * HOUR);
    expect(periodMs(every("36525 days"), 8.64e15)).toBe(Number.POSITIVE_INFINITY);
  });
});
