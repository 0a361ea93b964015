import { describe, expect, it } from "vitest";
import { type Delivery, type RecurrenceOptions, RetryAfterError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { actor, crashAll, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

interface Run {
  readonly at: number;
  readonly planned: number;
  readonly attempt: number;
}

/** An actor that notes when each occurrence ran, and does what the test says in it. */
function ticker(act: (self: ScriptedActor, delivery: Delivery) => unknown = () => {}): {
  box: Scripted;
  runs: Run[];
  planned: () => number[];
} {
  const runs: Run[] = [];
  const box = actor((self) => ({
    policy: { backoff: "10 seconds", maxAttempts: 2 },
    receive: {
      tick: (_, delivery) => {
        runs.push({ at: Date.now(), planned: Number(delivery.id.split("@")[1]), attempt: delivery.attempt });
        return act(self, delivery);
      },
    },
  }));
  return { box, runs, planned: () => runs.map((run) => run.planned) };
}

const recurrence = async (box: Scripted): Promise<unknown> => (await box.ref.recurrences()).items[0];

/** Moves the clock from wake to wake, as the platform's alarm would, up to a moment. */
async function runUntil(box: Scripted, end: number): Promise<void> {
  for (;;) {
    await box.drain();
    const { nextWake } = await box.ref.stats();
    if (nextWake === undefined || nextWake > end) break;
    if (nextWake > Date.now()) moveClock(nextWake - Date.now());
  }
  moveClock(end - Date.now());
}

describe("G10 Recurrences do not drift", () => {
  startClockAfterEach();

  it("however late each wake is", async () => {
    const now = stopClockAhead();
    const { box, planned } = ticker();
    await box.ref.sendEvery("1 minute", "tick", undefined);
    for (const late of [0, 1, 999, 30 * SECOND, 59_999, 7]) {
      moveClock(now + (planned().length + 1) * MINUTE + late - Date.now());
      await box.drain();
    }
    expect(planned()).toEqual([1, 2, 3, 4, 5, 6].map((n) => now + n * MINUTE));
    expect(await recurrence(box)).toMatchObject({ delivered: 6, skipped: 0, nextAt: now + 7 * MINUTE });
  });

  it("over evictions and kills", async () => {
    const now = stopClockAhead();
    const { box, planned } = ticker();
    await box.ref.sendEvery("1 minute", "tick", undefined);
    for (const end of [() => box.evict(), crashAll, () => box.evict(), crashAll]) {
      await end();
      moveClock(MINUTE);
      await box.drain();
    }
    expect(planned()).toEqual([1, 2, 3, 4].map((n) => now + n * MINUTE));
  });

  it("over failed attempts, which keep the occurrence's id and count as any message's", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker((_, { attempt, recurrence, sentAt, id }) => {
      expect({ recurrence, id }).toEqual({ recurrence: "every:tick:", id: `every:tick:@${sentAt}` });
      if (attempt === 1) throw new Error("no");
    });
    await box.ref.sendEvery("1 minute", "tick", undefined);
    await runUntil(box, now + 3 * MINUTE);
    const once = (n: number): Run[] => [
      { at: now + n * MINUTE, planned: now + n * MINUTE, attempt: 1 },
      { at: now + n * MINUTE + 10 * SECOND, planned: now + n * MINUTE, attempt: 2 },
    ];
    expect(runs).toEqual([...once(1), ...once(2), ...once(3)].slice(0, 5));
  });

  it("by real alarms", async () => {
    const runs: number[] = [];
    const box = actor({
      settings: { minInterval: 100, console: false },
      receive: { tick: (_, { id }) => void runs.push(Number(id.split("@")[1])) },
    });
    await box.ref.sendEvery(100, "tick", undefined, { missed: "all" });
    await until(() => runs.length >= 5);
    await box.ref.cancel("every:tick:");
    expect(runs.map((at) => at - (runs[0] ?? 0)).slice(0, 5)).toEqual([0, 100, 200, 300, 400]);
  });

  it("when an occurrence is rescheduled or deferred: the next one is where it was planned", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker((_, { defer, dueAt }) => {
      if (dueAt === now + MINUTE + 30 * SECOND) defer(5 * SECOND);
    });
    await box.ref.sendEvery("1 minute", "tick", undefined);
    expect(await box.ref.reschedule(`every:tick:@${now + MINUTE}`, now + MINUTE + 30 * SECOND)).toBe(true);
    await runUntil(box, now + 2 * MINUTE);
    expect(runs.map(({ at, planned }) => [at - now, planned - now])).toEqual([
      [90 * SECOND, MINUTE],
      [95 * SECOND, MINUTE],
      [2 * MINUTE, 2 * MINUTE],
    ]);
  });

  it("is delivered early when it is rescheduled so, and not a second time at its planned time", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker();
    await box.ref.sendEvery("1 minute", "tick", undefined);
    expect(await box.ref.reschedule(`every:tick:@${now + MINUTE}`, now)).toBe(true);
    await runUntil(box, now + 2 * MINUTE);
    expect(runs.map(({ at }) => at - now)).toEqual([0, 2 * MINUTE]);
  });
});

describe("G10 Recurrences do not pile up", () => {
  startClockAfterEach();

  it("when a handler is slower than the period: one waits or runs, the others are skipped", async () => {
    const now = stopClockAhead();
    let most = 0;
    const { box, runs } = ticker(async (self) => {
      moveClock(2.5 * MINUTE);
      await scheduler.wait(1);
      most = Math.max(most, self.mailbox.pending().items.length);
    });
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(MINUTE);
    for (let n = 0; n < 3; n += 1) await box.drain();
    expect(most).toBe(1);
    expect(runs.map(({ planned }) => (planned - now) / MINUTE)).toEqual([1, 3, 6].slice(0, runs.length));
    expect(runs.length).toBeGreaterThanOrEqual(2);
    expect((await box.ref.pending()).items).toHaveLength(1);
  });

  it("while an occurrence is being redelivered for longer than the period", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker((_, { attempt }) => {
      if (attempt === 1) throw new RetryAfterError(3.5 * MINUTE);
    });
    await box.ref.sendEvery("1 minute", "tick", undefined);
    await runUntil(box, now + 4.6 * MINUTE);
    expect(runs.map(({ planned, attempt }) => [(planned - now) / MINUTE, attempt])).toEqual([
      [1, 1],
      [1, 2],
      [4, 1],
    ]);
    expect(box.eventsOf("skipped")).toMatchObject([
      { count: 2, from: now + 2 * MINUTE, to: now + 3 * MINUTE },
    ]);
    expect((await box.ref.pending()).items).toHaveLength(1);
  });

  /** What is delivered, and what is told, when five planned times have passed. */
  async function afterFive(options: RecurrenceOptions): Promise<{ planned: number[]; skipped: unknown[] }> {
    const now = stopClockAhead();
    const { box, planned } = ticker();
    await box.ref.sendEvery("1 hour", "tick", undefined, options);
    moveClock(5.5 * HOUR);
    await box.drain();
    await runUntil(box, now + 6 * HOUR);
    const skipped = box
      .eventsOf("skipped")
      .map(({ count, from, to }) => [count, (from - now) / HOUR, (to - now) / HOUR]);
    expect(await recurrence(box)).toMatchObject({
      delivered: planned().length,
      skipped: skipped.reduce((sum, [count = 0]) => sum + count, 0),
    });
    return { planned: planned().map((at) => (at - now) / HOUR), skipped };
  }

  it("missed: the latest is delivered by default, and one event says which were skipped", async () => {
    expect(await afterFive({})).toEqual({ planned: [5, 6], skipped: [[4, 1, 4]] });
  });

  it("missed: skip delivers none of them", async () => {
    expect(await afterFive({ missed: "skip" })).toEqual({ planned: [6], skipped: [[5, 1, 5]] });
  });

  it("missed: all delivers each in order", async () => {
    expect(await afterFive({ missed: "all" })).toEqual({ planned: [1, 2, 3, 4, 5, 6], skipped: [] });
  });

  it("missed: none is behind until, and times ends it in the middle", async () => {
    const now = Date.now() + 24 * HOUR;
    expect(await afterFive({ missed: "all", times: 3 })).toEqual({ planned: [1, 2, 3], skipped: [] });
    expect(await afterFive({ times: 1 })).toEqual({ planned: [5], skipped: [[4, 1, 4]] });
    stopClock(now - 24 * HOUR);
    expect(await afterFive({ until: new Date(now + 3 * HOUR) })).toEqual({
      planned: [3],
      skipped: [[2, 1, 2]],
    });
  });

  it("missed: all delivers at most the newest thousand", async () => {
    const now = stopClockAhead();
    const { box, planned } = ticker();
    await box.ref.sendEvery("1 second", "tick", undefined, { missed: "all" });
    moveClock(2_500 * SECOND);
    await box.drain();
    expect(planned()).toEqual(Array.from({ length: 1_000 }, (_, n) => now + (1_501 + n) * SECOND));
    expect(box.eventsOf("skipped")).toMatchObject([
      { count: 1_500, from: now + SECOND, to: now + 1_500_000 },
    ]);
  });

  it("missed: an occurrence is late by more than the period, or five minutes, whichever is less", async () => {
    const now = stopClockAhead();
    for (const [every, late, isDelivered] of [
      ["1 day", 5 * MINUTE, true],
      ["1 day", 5 * MINUTE + 1, false],
      ["2 minutes", 2 * MINUTE - 1, true],
    ] as const) {
      stopClock(now);
      const { box, runs } = ticker();
      await box.ref.sendEvery(every, "tick", undefined, { missed: "skip", startAt: new Date(now + HOUR) });
      moveClock(HOUR + late);
      await box.drain();
      expect(runs.length, `${every}, ${late} ms late`).toBe(isDelivered ? 1 : 0);
    }
  });

  it("while it is paused: what was missed is missed", async () => {
    const now = stopClockAhead();
    const { box, planned } = ticker();
    await box.ref.sendEvery("1 minute", "tick", undefined);
    await box.ref.pause();
    moveClock(10.5 * MINUTE);
    await box.drain();
    expect(planned()).toEqual([]);
    await box.ref.resume();
    await box.drain();
    expect(planned()).toEqual([now + 10 * MINUTE]);
  });
});

describe("G10 Recurrences do not die", () => {
  startClockAfterEach();

  it("when an occurrence dies: it is a letter, and the recurrence goes on", async () => {
    const now = stopClockAhead();
    let isBroken = true;
    const seen: unknown[] = [];
    const { box } = ticker((_, { id, recurrence }) => {
      if (isBroken) throw new Error("no");
      seen.push([id, recurrence]);
    });
    const id = await box.ref.sendEvery("1 minute", "tick", undefined);
    await runUntil(box, now + 1.5 * MINUTE);
    const occurrence = `${id}@${now + MINUTE}`;
    expect(await box.ref.deadLetter(occurrence)).toMatchObject({ recurrence: id, attempts: 2 });
    expect(await recurrence(box)).toMatchObject({ dead: 1, delivered: 0, nextAt: now + 2 * MINUTE });
    isBroken = false;
    // Redriven, it is a one-shot, and moves nothing on.
    expect(await box.ref.redrive(occurrence)).toBe(true);
    expect(await box.ref.get(occurrence)).toMatchObject({ dueAt: Date.now() });
    await box.drain();
    expect(seen).toEqual([[occurrence, undefined]]);
    expect(await recurrence(box)).toMatchObject({ dead: 1, delivered: 0, nextAt: now + 2 * MINUTE });
    await runUntil(box, now + 2 * MINUTE);
    expect(seen).toHaveLength(2);
    expect(await recurrence(box)).toMatchObject({ dead: 1, delivered: 1 });
  });

  it("ends after until, which is inclusive, or after times, of which the dead ones count", async () => {
    const now = stopClockAhead();
    for (const [options, expected] of [
      [{ until: new Date(now + 3 * MINUTE) }, [1, 2, 3]],
      [{ until: new Date(now + 3 * MINUTE - 1) }, [1, 2]],
      [{ times: 2 }, [1, 2]],
      [{ times: 3, until: new Date(now + 2 * MINUTE) }, [1, 2]],
      [{ startAt: new Date(now + 2 * MINUTE), times: 2 }, [2, 3]],
      [{ startAt: new Date(now), times: 2 }, [0, 1]],
      [{ startAt: new Date(now - 30 * SECOND), times: 2 }, [0.5, 1.5]],
    ] as const) {
      stopClock(now);
      let isFirst = true;
      const { box, planned } = ticker((_, { attempt }) => {
        if (isFirst && attempt === 2) isFirst = false;
        else if (!isFirst) return;
        throw new Error("no");
      });
      await box.ref.sendEvery("1 minute", "tick", undefined, options);
      await runUntil(box, now + 10 * MINUTE);
      const distinct = [...new Set(planned())].map((at) => (at - now) / MINUTE);
      expect(distinct, JSON.stringify(options)).toEqual(expected);
      expect(await recurrence(box)).toMatchObject({ ended: true, dead: 1, delivered: expected.length - 1 });
      expect(await box.ref.stats()).toMatchObject({ pending: 0 });
    }
  });

  it("is over at once when until has passed before its first", async () => {
    const now = stopClockAhead();
    const { box } = ticker();
    await box.ref.sendEvery("1 hour", "tick", undefined, { until: new Date(now + MINUTE) });
    expect(await recurrence(box)).toMatchObject({ ended: true });
    expect(await box.ref.stats()).toMatchObject({ pending: 0, nextWake: undefined });
  });
});

describe("G10 A cron rule", () => {
  startClockAfterEach();

  const at = (text: string): number => Date.parse(text);

  for (const { name, cron, timeZone, from, planned } of [
    {
      name: "runs once, right after the gap, at a wall time that does not exist",
      cron: "30 2 * * *",
      timeZone: "Europe/Berlin",
      from: "2027-03-27T00:00:00Z",
      planned: ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"],
    },
    {
      name: "runs the first time at a wall time that exists twice",
      cron: "30 2 * * *",
      timeZone: "Europe/Berlin",
      from: "2027-10-30T00:00:00Z",
      planned: ["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
    },
    {
      name: "keeps its wall time over a change of the clocks",
      cron: "0 9 * * *",
      timeZone: "America/New_York",
      from: "2027-03-13T00:00:00Z",
      planned: ["2027-03-13T14:00:00Z", "2027-03-14T13:00:00Z", "2027-03-15T13:00:00Z"],
    },
    {
      name: "is in UTC without a zone",
      cron: "0 9 * * 1",
      timeZone: undefined,
      from: "2027-03-20T00:00:00Z",
      planned: ["2027-03-22T09:00:00Z", "2027-03-29T09:00:00Z"],
    },
  ]) {
    it(name, async () => {
      stopClock(at(from));
      const { box, runs } = ticker();
      await box.ref.sendEvery(timeZone === undefined ? { cron } : { cron, timeZone }, "tick", undefined);
      await runUntil(box, at(planned.at(-1) ?? ""));
      expect(runs.map((run) => new Date(run.at).toISOString().replace(".000", ""))).toEqual(planned);
    });
  }
});
