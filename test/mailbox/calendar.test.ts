import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { missedBetween, newestPlanned, nextPlanned, parseEvery, type Rule } from "../../mailbox/time/rule.ts";

const HOUR = 3_600_000;

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace(/:00\.000Z$/, "Z");

function cron(expression: string, timeZone: string): Rule {
  return parseEvery({ cron: expression, timeZone }, { now: 0, minIntervalMs: 1000 });
}

/** The first planned times after a moment, in UTC. */
function timesAfter(rule: Rule, after: string, count: number): (string | undefined)[] {
  const times: (string | undefined)[] = [];
  for (
    let time = nextPlanned(rule, at(after));
    times.length < count;
    time = nextPlanned(rule, time ?? Number.NaN)
  ) {
    times.push(iso(time));
    if (time === undefined) break;
  }
  return times;
}

describe("where the clocks change", () => {
  const berlin = "Europe/Berlin";
  const newYork = "America/New_York";
  const lordHowe = "Australia/Lord_Howe";
  const saoPaulo = "America/Sao_Paulo";
  const tables: readonly [what: string, zone: string, cron: string, after: string, times: readonly string[]][] = [
    // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00Z; 25 October: 03:00 becomes 02:00 at 01:00Z.
    ["a time in a gap runs right after it", berlin, "30 2 * * *", "2026-03-28T00:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]],
    ["the beginning of a gap runs right after it", berlin, "0 2 * * *", "2026-03-28T12:00Z",
      ["2026-03-29T01:00Z", "2026-03-30T00:00Z"]],
    ["the end of a gap runs as ever", berlin, "0 3 * * *", "2026-03-28T12:00Z",
      ["2026-03-29T01:00Z", "2026-03-30T01:00Z"]],
    ["several times in a gap run as one", berlin, "0,15,30 2,3 * * *", "2026-03-29T00:00Z",
      ["2026-03-29T01:00Z", "2026-03-29T01:15Z", "2026-03-29T01:30Z", "2026-03-30T00:00Z"]],
    ["a range of hours runs once for the gap", berlin, "30 1-3 * * *", "2026-03-29T00:00Z",
      ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"]],
    ["every hour is in real time over a gap", berlin, "0 * * * *", "2026-03-28T23:30Z",
      ["2026-03-29T00:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"]],
    ["a step is in real time over a gap", berlin, "*/20 2 * * *", "2026-03-28T12:00Z",
      ["2026-03-30T00:00Z", "2026-03-30T00:20Z"]],
    ["a time in an overlap runs the first time", berlin, "30 2 * * *", "2026-10-24T12:00Z",
      ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
    ["the beginning of an overlap runs the first time", berlin, "0 2 * * *", "2026-10-24T12:00Z",
      ["2026-10-25T00:00Z", "2026-10-26T01:00Z"]],
    ["the end of an overlap runs as ever", berlin, "0 3 * * *", "2026-10-24T12:00Z",
      ["2026-10-25T02:00Z", "2026-10-26T02:00Z"]],
    ["several times in an overlap run the first time each", berlin, "0,30 2,3 * * *", "2026-10-24T12:00Z",
      ["2026-10-25T00:00Z", "2026-10-25T00:30Z", "2026-10-25T02:00Z", "2026-10-25T02:30Z"]],
    ["looking from the second pass finds no second run", berlin, "15,45 2 * * *", "2026-10-25T01:20Z",
      ["2026-10-26T01:15Z", "2026-10-26T01:45Z"]],
    ["every hour is in real time over an overlap", berlin, "0 * * * *", "2026-10-24T23:30Z",
      ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"]],
    ["a step is in real time over an overlap", berlin, "*/30 2 * * *", "2026-10-24T12:00Z",
      ["2026-10-25T00:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-26T01:00Z"]],
    ["every second is in real time over an overlap", berlin, "* * * * * *", "2026-10-25T00:59:59Z",
      ["2026-10-25T01:00Z", "2026-10-25T01:00:01.000Z"]],
    ["a weekday is that of the zone", berlin, "30 0 * * 1", "2026-11-22T00:00Z", ["2026-11-22T23:30Z"]],
    // New York, 8 March 2026: 02:00 becomes 03:00 at 07:00Z; 1 November: 02:00 becomes 01:00 at 06:00Z.
    ["a gap in New York", newYork, "30 2 * * *", "2026-03-07T12:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:30Z"]],
    ["an overlap in New York", newYork, "30 1 * * *", "2026-10-31T12:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]],
    ["every 30 minutes in New York", newYork, "*/30 * * * *", "2026-11-01T05:00Z",
      ["2026-11-01T05:30Z", "2026-11-01T06:00Z", "2026-11-01T06:30Z", "2026-11-01T07:00Z"]],
    // Lord Howe, half an hour. 4 October 2026: 02:00 becomes 02:30 at 15:30Z; 5 April: 02:00 becomes 01:30 at 15:00Z.
    ["a gap of half an hour", lordHowe, "15 2 * * *", "2026-10-03T00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]],
    ["after a gap of half an hour", lordHowe, "45 2 * * *", "2026-10-03T00:00Z", ["2026-10-03T15:45Z", "2026-10-04T15:45Z"]],
    ["an overlap of half an hour", lordHowe, "45 1 * * *", "2026-04-04T00:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]],
    ["before an overlap of half an hour", lordHowe, "15 1 * * *", "2026-04-04T00:00Z", ["2026-04-04T14:15Z", "2026-04-05T14:45Z"]],
    ["every 15 minutes over half an hour", lordHowe, "*/15 1 * * *", "2026-04-04T14:20Z",
      ["2026-04-04T14:30Z", "2026-04-04T14:45Z", "2026-04-04T15:00Z", "2026-04-04T15:15Z", "2026-04-05T14:30Z"]],
    // São Paulo, at midnight. 4 November 2018: 00:00 becomes 01:00 at 03:00Z; 18 February: 00:00 becomes 23:00 at 02:00Z.
    ["a gap at midnight", saoPaulo, "0 0 * * *", "2018-11-03T12:00Z", ["2018-11-04T03:00Z", "2018-11-05T02:00Z"]],
    ["a gap after midnight", saoPaulo, "30 0 * * *", "2018-11-03T12:00Z", ["2018-11-04T03:00Z", "2018-11-05T02:30Z"]],
    ["a gap on the one weekday", saoPaulo, "30 0 * * 0", "2018-11-03T12:00Z", ["2018-11-04T03:00Z", "2018-11-11T02:30Z"]],
    ["a gap at midnight, the year before", saoPaulo, "30 0 * * *", "2017-10-14T12:00Z", ["2017-10-15T03:00Z", "2017-10-16T02:30Z"]],
    ["an overlap before midnight", saoPaulo, "30 23 * * *", "2018-02-17T12:00Z", ["2018-02-18T01:30Z", "2018-02-19T02:30Z"]],
    ["an overlap on the one weekday", saoPaulo, "30 23 * * 6", "2018-02-17T12:00Z", ["2018-02-18T01:30Z", "2018-02-25T02:30Z"]],
    ["midnight after an overlap", saoPaulo, "0 0 * * *", "2018-02-17T12:00Z", ["2018-02-18T03:00Z", "2018-02-19T03:00Z"]],
    // Nuuk, 28 March 2026: 23:00 becomes midnight at 01:00Z. croner alone leaves this day out.
    ["a gap that ends at midnight", "America/Nuuk", "30 23 * * *", "2026-03-27T12:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]],
    // Apia left out the whole of 30 December 2011.
    ["a day that does not exist", "Pacific/Apia", "0 12 * * *", "2011-12-29T00:00Z",
      ["2011-12-29T22:00Z", "2011-12-30T10:00Z", "2011-12-30T22:00Z"]],
    ["an offset instead of a zone", "+05:30", "0 9 * * *", "2026-01-01T00:00Z", ["2026-01-01T03:30Z", "2026-01-02T03:30Z"]],
    ["a leap day", "UTC", "0 0 29 2 *", "2026-01-01T00:00Z", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]],
  ]; // prettier-ignore

  it.each(tables)("%s (%s, %s)", (_, zone, expression, after, times) => {
    const rule = cron(expression, zone);
    expect(timesAfter(rule, after, times.length)).toEqual(times);
    // Looking back finds the same times.
    const last = at(times.at(-1) ?? "");
    expect(newestPlanned(rule, last, times.length).map(iso)).toEqual(times);
    expect(missedBetween(rule, at(times[0] ?? ""), last, 100)).toEqual({
      latest: last,
      count: times.length - 1,
      countIsExact: true,
    });
  });
});

describe("planned times", () => {
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/Nuuk",
    "Africa/Cairo",
    "Asia/Kathmandu",
  ];
  const field = (max: number): fc.Arbitrary<string> =>
    fc.oneof(
      fc.nat(max).map(String),
      fc.uniqueArray(fc.nat(max), { minLength: 1, maxLength: 3 }).map((values) => values.join(",")),
      fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.constantFrom("*", "*/7", "*/15"),
    );
  const cronRule = fc
    .record({
      minute: field(59),
      hour: field(23),
      weekday: fc.constantFrom("*", "0", "6,0"),
      zone: fc.constantFrom(...zones),
    })
    .map(({ minute, hour, weekday, zone }) => cron(`${minute} ${hour} * * ${weekday}`, zone));
  const intervalRule = fc
    .record({
      everyMs: fc.integer({ min: 1000, max: 1e9 }),
      startAt: fc.option(fc.nat(2e12), { nil: undefined }),
    })
    .map(({ everyMs, startAt }) => parseEvery(everyMs, { startAt, now: 1e12, minIntervalMs: 1000 }));
  // Half of the moments are near a change of some zone's clocks.
  const moment = fc.oneof(
    fc.integer({ min: Date.UTC(2017, 0), max: Date.UTC(2030, 0) }),
    fc
      .tuple(
        fc.constantFrom(
          "2018-11-04T03:00Z",
          "2018-02-18T02:00Z",
          "2026-03-29T01:00Z",
          "2026-10-25T01:00Z",
          "2026-11-01T06:00Z",
        ),
        fc.integer({ min: -2 * HOUR, max: 2 * HOUR }),
      )
      .map(([change, offset]) => at(change) + offset),
  );

  it("are strictly after, grow, and are the same looking back", () => {
    fc.assert(
      fc.property(fc.oneof(cronRule, intervalRule), moment, (rule, after) => {
        let time = after;
        const times: number[] = [];
        for (let index = 0; index < 4; index += 1) {
          const next = nextPlanned(rule, time);
          if (next === undefined) throw new Error("A rule of this test never ends");
          expect(next).toBeGreaterThan(time);
          // Nothing lies between: from just before the next one, the next one is next.
          expect(nextPlanned(rule, next - 1)).toBe(next);
          expect(newestPlanned(rule, next, 1)).toEqual([next]);
          if (index > 0) expect(newestPlanned(rule, next - 1, 1)).toEqual([time]);
          times.push((time = next));
        }
        expect(newestPlanned(rule, time, 4)).toEqual(times);
        expect(missedBetween(rule, times[0] ?? 0, time, 10)).toEqual({
          latest: time,
          count: 3,
          countIsExact: true,
        });
      }),
      { numRuns: 150 },
    );
  });
});
