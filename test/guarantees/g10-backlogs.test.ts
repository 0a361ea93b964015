import { describe, expect, it, vi } from "vitest";
import type { RecurrenceOptions } from "../../actors/index.ts";
import { calendarOf } from "../../mailbox/time/cron.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An actor with a recurrence that is declared on a full hour, and what it delivered. */
async function declared(
  cron: string,
  options: RecurrenceOptions,
): Promise<{ box: Scripted; planned: number[]; now: number }> {
  stopClockAhead();
  const now = moveClock(HOUR - (Date.now() % HOUR));
  const planned: number[] = [];
  const box = actor({
    receive: { tick: (_, { id }) => void planned.push(Number(id.split("@")[1])) },
  });
  await box.ref.sendEvery({ cron, timeZone: "Europe/Berlin" }, "tick", undefined, options);
  return { box, planned, now };
}

/** How many planned times are looked for while something is done. */
async function stepsOf(cron: string, act: () => Promise<unknown>): Promise<number> {
  const calendar = calendarOf(cron, "Europe/Berlin");
  const spies = [vi.spyOn(calendar, "next"), vi.spyOn(calendar, "previous")];
  await act();
  const steps = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  vi.restoreAllMocks();
  return steps;
}

describe("G10 A backlog of which all are delivered", () => {
  startClockAfterEach();

  it("is counted once, and not for each of its occurrences", async () => {
    for (const cron of ["* * * * *", "* 0-5,7-18,20-23 * * *"]) {
      const { box, planned } = await declared(cron, { missed: "all" });
      moveClock(999 * MINUTE);
      const steps = await stepsOf(cron, () => box.drain());
      expect(planned.length, cron).toBeGreaterThan(800);
      expect(steps, cron).toBeLessThan(planned.length * 4);
      expect(box.eventsOf("skipped"), cron).toEqual([]);
    }
  });

  it("is cut to its newest thousand once, however long it takes", async () => {
    const cron = "* * * * *";
    const { box, planned, now } = await declared(cron, { missed: "all" });
    moveClock(1_500 * MINUTE);
    const steps = await stepsOf(cron, () => box.drain());
    expect(planned).toEqual(Array.from({ length: 1_000 }, (_, n) => now + (501 + n) * MINUTE));
    expect(steps).toBeLessThan(8_000);
    expect(box.eventsOf("skipped")).toEqual([
      {
        event: "skipped",
        id: "every:tick:",
        type: "tick",
        count: 500,
        from: now + MINUTE,
        to: now + 500 * MINUTE,
      },
    ]);
    expect((await box.ref.recurrences()).items).toMatchObject([{ delivered: 1_000, skipped: 500 }]);
  });

  it("is cut again when the clock goes on while it is delivered", async () => {
    const { box, planned, now } = await declared("* * * * *", { missed: "all", key: "slow" });
    moveClock(1_100 * MINUTE);
    const slow = box.inside(async (self) => {
      self.mailbox.pause();
      await self.alarm();
      self.mailbox.resume();
    });
    await slow;
    moveClock(1_100 * MINUTE);
    await box.drain();
    expect(planned).toHaveLength(1_000);
    expect(planned[0]).toBe(now + 1_201 * MINUTE);
  });
});

describe("G10 The number of those that were skipped", () => {
  startClockAfterEach();

  const cases = [
    { missed: "latest", minutes: 700, count: 699, to: 699, atLeast: undefined },
    { missed: "skip", minutes: 700, count: 700, to: 700, atLeast: undefined },
    { missed: "all", minutes: 1_700, count: 700, to: 700, atLeast: undefined },
    { missed: "latest", minutes: 3_000, count: 1_000, to: 2_999, atLeast: true },
    { missed: "skip", minutes: 3_000, count: 1_001, to: 3_000, atLeast: true },
    { missed: "all", minutes: 3_000, count: 1_001, to: 2_000, atLeast: true },
  ] as const;
  for (const { missed, minutes, count, to, atLeast } of cases) {
    const what = atLeast === true ? "says that it is the least" : "is exact";
    it(`of a cron rule ${what}: ${missed}, after ${minutes} minutes`, async () => {
      const { box, now } = await declared("* * * * *", { missed });
      moveClock(minutes * MINUTE);
      await box.drain();
      const [event] = box.eventsOf("skipped");
      expect(event).toMatchObject({ count, from: now + MINUTE, to: now + to * MINUTE });
      expect(event?.atLeast).toBe(atLeast);
      const [recurrence] = (await box.ref.recurrences()).items;
      expect(recurrence).toMatchObject({ skipped: count });
      expect(recurrence?.atLeast).toBe(atLeast);
      // What was not counted stays so, whatever is counted after it.
      moveClock(3 * MINUTE);
      await box.drain();
      expect((await box.ref.recurrences()).items[0]?.atLeast).toBe(atLeast);
    });
  }

  it("of an interval is exact, however many they are", async () => {
    const now = stopClockAhead();
    const box = actor({ receive: { tick: () => {} } });
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(100_000 * MINUTE);
    await box.drain();
    expect(box.eventsOf("skipped")).toEqual([
      {
        event: "skipped",
        id: "every:tick:",
        type: "tick",
        count: 99_999,
        from: now + MINUTE,
        to: now + 99_999 * MINUTE,
      },
    ]);
  });
});
