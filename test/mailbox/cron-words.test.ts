// A cron expression or a zone that would be taken for something else is refused, in words about what was written.

import { afterEach, describe, expect, it, vi } from "vitest";
import { InvalidRecurrenceError } from "../../mailbox/errors.ts";
import { isStoredRule, nextPlanned, parseEvery, type Rule, sameRule } from "../../mailbox/time/rule.ts";

const NOW = Date.UTC(2026, 10, 24, 12);

function cron(expression: string, timeZone?: string): Rule {
  return parseEvery(timeZone === undefined ? { cron: expression } : { cron: expression, timeZone }, {
    now: NOW,
    minIntervalMs: 1000,
  });
}

describe("a cron expression", () => {
  const refused: readonly [cron: string, words: string][] = [
    // The dialect of AWS: the year at the end, ? for one of the days.
    ["0 12 * * ? *", "it has the six fields of AWS, of which the last is the year; leave the year out"],
    ["15 10 ? * MON-FRI *", "the six fields of AWS"],
    ["0 8 1 * ? 2027", "the six fields of AWS"],
    ["0 12 ? * 6L 2026-2028", "the six fields of AWS"],
    ["cron(0 12 * * ? *)", "it is in the form of AWS"],
    ["rate(5 minutes)", "it is in the form of AWS"],
    ["? 12 * * *", "? is only for a day; write * for every minute"],
    ["0 ? * * *", "write * for every hour"],
    ["0 0 * ? *", "write * for every month"],
    ["? 0 0 * * *", "write * for every second"],
    ["0 0 1,? * *", "? is only for a day"],
    // The number that was written, and what it may be.
    ["0 0 1 13 *", "Invalid value for month: 13; expected 1 to 12, or JAN to DEC"],
    ["0 0 1 0 *", "Invalid value for month: 0; expected 1 to 12"],
    ["0 0 1-13 13 *", "Invalid value for month: 13"],
    ["0 0 0 * *", "Invalid value for day: 0; expected 1 to 31"],
    ["0 0 32 * *", "Invalid value for day: 32; expected 1 to 31"],
    ["0 0 1-32 * *", "Invalid value for day: 32"],
    ["0 0 32W * *", "Invalid value for day: 32"],
    ["60 * * * *", "Invalid value for minute: 60; expected 0 to 59"],
    ["60 * * * * *", "Invalid value for second: 60; expected 0 to 59"],
    ["0 24 * * *", "Invalid value for hour: 24; expected 0 to 23"],
    ["0 0 * * 8", "Invalid value for day of the week: 8; expected 0 to 7, or SUN to SAT"],
    ["0 0 * FOO *", 'Invalid value for month: "FOO"; expected 1 to 12, or JAN to DEC'],
    ["0 0 * JANUARY *", 'Invalid value for month: "JANUARY"'],
    ["0 0 * * MO", 'Invalid value for day of the week: "MO"'],
    ["a * * * *", 'Invalid value for minute: "a"'],
    ["1.5 * * * *", 'Invalid value for minute: "1.5"'],
    ["-1 * * * *", 'Invalid value for minute: "-1"'],
    ["0 0 1- * *", 'Invalid value for day: "1-"'],
    ["0 0 1,,2 * *", 'Invalid value for day: ""'],
    ["0 0 W * *", 'Invalid value for day: "W"'],
    ["0 0 L-3 * *", 'Invalid value for day: "L"'],
    ["0 0 * * 5#9", 'Invalid value for day of the week: "5#9"'],
    ["0 0 * * #2", 'Invalid value for day of the week: "#2"'],
    ["H * * * *", 'Invalid value for minute: "H"'],
    ["*/5/2 * * * *", 'Invalid value for minute: "*/5/2"'],
    // The form that was written, and how to write it.
    ["0 22-2 * * *", "the range 22-2 runs backwards; write it as two: 22-23,0-2"],
    ["0 0 * * FRI-MON", "the range FRI-MON runs backwards; write it as two: 5-6,0-1"],
    ["5/15 * * * *", "the step of 5/15 needs a range or *; write 5-59/15"],
    ["*/0 * * * *", "the step of */0 is 0; expected a whole number from 1 to 60"],
    ["*/90 * * * *", "the step of */90 is 90"],
    ["0 0 * */13 *", "expected a whole number from 1 to 12"],
    ["*/x * * * *", "the step of */x is x"],
    ["@every 1h", 'it is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly; pass an interval by itself, such as "1 hour"'],
    ["@reboot", "it is none of @yearly"],
    ["0 9 * *", "it has 4 fields"],
    ["0 0 0 1 1 * 2027", "it has 7 fields; leave the year out"],
    ["nonsense", "it has one field"],
  ]; // prettier-ignore
  it.each(refused)("is refused in words: %s", (expression, words) => {
    expect(() => cron(expression)).toThrow(InvalidRecurrenceError);
    expect(() => cron(expression)).toThrow(`${JSON.stringify(expression)} cannot be used: `);
    expect(() => cron(expression)).toThrow(words);
  });

  it.each(["@daily", "0 9 * * 1", "cron(0 12 * * ? *)", "0 12 * * ? *"])(
    "is asked for as one: %s",
    (text) => {
      expect(() => parseEvery(text, { now: NOW, minIntervalMs: 1000 })).toThrow(
        "looks like a cron expression",
      );
    },
  );

  it.each([
    "* * * * *", "0 9 * * 1", "0 9 * * MON-FRI", "*/10 * * * * *", "0 0 1,15 * *", "5-59/15 * * * *", "0 0 L * *", "0 0 LW * *",
    "0 0 l,15 * *", "0 9 1W,15W * *", "0 0 * * 5L", "0 0 * * FRIL", "0 0 * * 5#2", "0 0 * * mon#L", "0 0 ? * 1", "0 0 1 * ?", "0 0 * jan-mar *",
    "0 0 1 * +MON", "0 0 * * 7", "0 0 * * 1-7", "05 09 * * *", "@daily", "@YEARLY", "0 0 * JAN,MAR *", "0 0 29 2 *", "0 0-23/2 * * *",
  ])("is taken as it is: %s", (expression) => {
    const rule = cron(expression);
    expect(rule).toMatchObject({ kind: "cron", cron: expression });
    expect(nextPlanned(rule, NOW)).toBeGreaterThan(NOW);
  }); // prettier-ignore

  it("that is stored already is believed, whatever it would be told now", () => {
    const bounds = { missed: "latest" };
    expect(isStoredRule({ rule: { kind: "cron", cron: "? 12 * * *", timeZone: "UTC" }, bounds })).toBe(true);
    expect(isStoredRule({ rule: { kind: "cron", cron: "0 12 * * *", timeZone: "BST" }, bounds })).toBe(true);
    expect(isStoredRule({ rule: { kind: "cron", cron: "0 12 * * *", timeZone: "Mars" }, bounds })).toBe(
      false,
    );
  });
});

describe("a time zone", () => {
  afterEach(() => vi.restoreAllMocks());

  // Each of them is a zone for the engine, and another than most who write it mean.
  it.each([
    "ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT", "CST", "CTT", "EAT", "ECT", "IET", "IST", "JST", "MIT", "NET",
    "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST", "bst", "SystemV/EST5EDT",
  ])("that is an abbreviation, and no IANA name, is refused: %s", (zone) => {
    expect(() => cron("0 9 * * *", zone)).toThrow(InvalidRecurrenceError);
    expect(() => cron("0 9 * * *", zone)).toThrow(`every.timeZone: "${zone}" is no IANA name, and would be taken for `);
    expect(() => parseEvery({ every: "1 day", timeZone: zone }, { now: NOW, minIntervalMs: 1 })).toThrow("no IANA name");
  }); // prettier-ignore

  it.each(["UTC", "GMT", "CET", "EST", "EST5EDT", "Etc/GMT+5", "GB", "America/Argentina/Ushuaia", "+02:00"])(
    "that IANA or the standard has is taken: %s",
    (zone) => expect(cron("0 9 * * *", zone).kind).toBe("cron"),
  );

  it.each(["Mars/Base", "", "Europe/Berln", "x".repeat(100_000), 5, null])(
    "that is none is refused: %s",
    (zone) => {
      expect(() => cron("0 9 * * *", zone as string)).toThrow("is unknown; expected an IANA name");
    },
  );

  it("is one zone however it is written, and stored by its one name", () => {
    const berlin = cron("0 9 * * *", "Europe/Berlin");
    const other = cron("0 9 * * *", "europe/BERLIN");
    expect(other).toEqual(berlin);
    expect(other).toMatchObject({ timeZone: "Europe/Berlin" });
    expect(cron("0 9 * * *", "+0200")).toEqual(cron("0 9 * * *", "+02:00"));
    expect(cron("0 9 * * *", "Etc/UTC")).toEqual(cron("0 9 * * *"));
    // As an earlier version has stored it.
    expect(sameRule({ kind: "cron", cron: "0 9 * * *", timeZone: "europe/berlin" }, berlin)).toBe(true);
  });

  it("is held in memory once, whatever its spellings, and only so many are", () => {
    const { DateTimeFormat } = Intl;
    const made: string[] = [];
    const spy = vi.spyOn(Intl, "DateTimeFormat").mockImplementation(function make(locale, options) {
      // Those that know an offset are the heavy ones, and are kept.
      if (options?.timeZoneName !== undefined) made.push(options.timeZone ?? "");
      return new DateTimeFormat(locale, options);
    });
    const letters = "asia/ho_chi_minh";
    for (let n = 0; n < 200; n += 1) {
      const spelling = Array.from(letters)
        .map((letter, at) => ((n >> (at % 8)) & 1 ? letter.toUpperCase() : letter))
        .join("");
      nextPlanned(cron("*/5 * * * *", spelling), NOW);
    }
    expect(made).toHaveLength(1);
    const offsets = Array.from(
      { length: 200 },
      (_, n) => `+${String(Math.floor(n / 60)).padStart(2, "0")}:${String(n % 60).padStart(2, "0")}`,
    );
    for (const zone of offsets) nextPlanned(cron("*/5 * * * *", zone), NOW);
    const before = made.length;
    // The last is still there, the first has given way.
    nextPlanned(cron("*/5 * * * *", offsets.at(-1)), NOW + 1);
    expect(made).toHaveLength(before);
    nextPlanned(cron("*/5 * * * *", offsets[1]), NOW + 1);
    expect(made).toHaveLength(before + 1);
    expect(spy).toHaveBeenCalled();
  });
});
