import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidDurationError, InvalidMomentError } from "../../mailbox/errors.ts";
import { formatDuration, MAX_AHEAD_MS, parseDuration, parseMoment } from "../../mailbox/time/duration.ts";

const NOW = Date.UTC(2026, 10, 24);

describe("a duration", () => {
  const readable: readonly [value: unknown, ms: number][] = [
    [0, 0],
    [-0, 0],
    [1500, 1500],
    [0.1, 1],
    [1500.2, 1501],
    [1e12 - 1, 1e12 - 1],
    ["0 s", 0],
    ["0.0 minutes", 0],
    ["250 ms", 250],
    ["0.5ms", 1],
    ["1 second", 1000],
    ["30 seconds", 30_000],
    ["5 minutes", 300_000],
    [" 5m ", 300_000],
    ["1.5 hours", 5_400_000],
    [".5 h", 1_800_000],
    ["1.1 minutes", 66_000],
    ["2 Days", 172_800_000],
    ["1 week", 604_800_000],
    ["36525 days", MAX_AHEAD_MS],
  ];
  it.each(readable)("is read in whole milliseconds, rounded up: %j is %d", (value, ms) => {
    expect(parseDuration(value, "delay")).toBe(ms);
  });

  const refused: readonly [value: unknown, problem: string][] = [
    [-1, "-1 is negative"],
    [-0.5, "-0.5 is negative"],
    [Number.NaN, "NaN is not a duration"],
    [Number.POSITIVE_INFINITY, "Infinity is over 100 years"],
    [Number.NEGATIVE_INFINITY, "-Infinity is negative"],
    [1e12, "1000000000000 looks like a moment; pass a Date"],
    [NOW, `${NOW} looks like a moment`],
    [MAX_AHEAD_MS + 1, "3155760000001 looks like a moment"],
    ["-5 minutes", '"-5 minutes" is negative'],
    ["", "an empty text is not a duration"],
    ["  ", "an empty text is not a duration"],
    ["5", '"5" has no unit; write one, or pass a number for milliseconds'],
    ["5 parsecs", '"5 parsecs" is not a duration'],
    ["soon", '"soon" is not a duration'],
    ["1e3 s", '"1e3 s" is not a duration'],
    ["2 months", '"2 months" has no fixed length; count in days'],
    ["1 mo", '"1 mo" has no fixed length'],
    ["1 year", '"1 year" has no fixed length'],
    ["1y", '"1y" has no fixed length'],
    ["40000 days", '"40000 days" is over 100 years'],
    [new Date(0), "a Date is a moment, not a duration"],
    [undefined, "undefined is not a duration"],
    [null, "null is not a duration"],
    [{}, "an object is not a duration"],
    [["5 s"], "an array is not a duration"],
    [5n, "a bigint is not a duration"],
    ["9".repeat(100_000), `"${"9".repeat(59)}…" has no unit`],
  ];
  it.each(refused)("is refused with the reason: %o", (value, problem) => {
    expect(() => parseDuration(value, "delay")).toThrow(InvalidDurationError);
    expect(() => parseDuration(value, "delay")).toThrow(`delay: ${problem}`);
  });

  it("is a whole number in range, or refused, for any text and number", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.double(), fc.tuple(fc.double(), fc.string()).map(String)),
        (value) => {
          try {
            const ms = parseDuration(value, "delay");
            expect(Number.isInteger(ms) && ms >= 0 && ms <= MAX_AHEAD_MS && !Object.is(ms, -0)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidDurationError);
          }
        },
      ),
    );
  });
});

describe("a moment", () => {
  const readable: readonly [value: unknown, ms: number][] = [
    [new Date(NOW), NOW],
    [NOW, NOW],
    [NOW + 0.1, NOW + 1],
    [1e11, 1e11],
    [new Date(0), 0],
    [new Date(-8.64e15), -8.64e15],
    [NOW + MAX_AHEAD_MS, NOW + MAX_AHEAD_MS],
  ];
  it.each(readable)("is read in whole epoch milliseconds, rounded up: %s", (value, ms) => {
    expect(parseMoment(value, "at", NOW)).toBe(ms);
  });

  const refused: readonly [value: unknown, problem: string][] = [
    [new Date(Number.NaN), "the Date is invalid"],
    [Number.NaN, "NaN is not a moment"],
    [Number.POSITIVE_INFINITY, "Infinity is beyond what a Date can hold"],
    [8.64e15 + 2, "8640000000000002 is beyond what a Date can hold"],
    [NOW / 1000, "1795478400 looks like seconds or a delay; multiply seconds by 1000 or pass a Date"],
    [0, "0 looks like seconds"],
    [-NOW, `${-NOW} looks like seconds`],
    ["2027-01-01", '"2027-01-01" is a string, and a string is a duration, not a moment; pass a Date'],
    [NOW + MAX_AHEAD_MS + 1, "is more than 100 years ahead"],
    [new Date(8.64e15), "a Date is more than 100 years ahead"],
    [undefined, "undefined is not a moment"],
    [{ getTime: () => NOW }, "an object is not a moment"],
  ];
  it.each(refused)("is refused with the reason: %s", (value, problem) => {
    expect(() => parseMoment(value, "at", NOW)).toThrow(InvalidMomentError);
    expect(() => parseMoment(value, "at", NOW)).toThrow(problem);
    expect(() => parseMoment(value, "at", NOW)).toThrow(/^at: /);
  });
});

describe("a duration for people", () => {
  const shown: readonly [ms: number, text: string][] = [
    [0, "0 ms"],
    [250, "250 ms"],
    [999.96, "1 s"],
    [1000, "1 s"],
    [1500, "1.5 s"],
    [59_940, "59.9 s"],
    [59_960, "1 min"],
    [120_000, "2 min"],
    [10_800_000, "3 h"],
    [86_400_000, "1 d"],
    [345_600_000, "4 d"],
    [-1500, "-1.5 s"],
  ];
  it.each(shown)("is short: %d is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("reads back to within its rounding", () => {
    fc.assert(
      fc.property(fc.nat(1e12), (ms) => {
        expect(Math.abs(parseDuration(formatDuration(ms), "shown") - ms)).toBeLessThanOrEqual(
          Math.max(1, ms * 0.051),
        );
      }),
    );
  });
});
