import { beforeAll, describe, expect, it } from "vitest";
import type { Delivery, RecurrenceOptions } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { costOf, installMeter } from "../support/meter.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ID = "every:tick:";

interface Run {
  readonly at: number;
  readonly payload: unknown;
}

/** An actor that notes its occurrences, and does what the test says in each. */
function ticker(act: (self: ScriptedActor, delivery: Delivery) => unknown = () => {}): {
  box: Scripted;
  runs: Run[];
} {
  const runs: Run[] = [];
  const box = actor((self) => ({
    policy: { backoff: "10 seconds", maxAttempts: 3 },
    receive: {
      tick: (payload, delivery) => {
        runs.push({ at: Date.now(), payload });
        return act(self, delivery);
      },
      act: () => act(self, {} as Delivery),
    },
  }));
  return { box, runs };
}

const recurrences = async (box: Scripted): Promise<readonly unknown[]> => (await box.ref.recurrences()).items;

describe("G10 Recurrences do not fork, when they are declared again", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  it("from anywhere: it is one, its time stands, and nothing is written", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker();
    const { box: other } = ticker();
    const declare: (() => unknown)[] = [
      () => box.ref.sendEvery("1 hour", "tick", 1),
      () => box.ref.sendEvery(HOUR, "tick", 1),
      () => box.inside((self) => self.sendEvery("60 minutes", "tick", 1)),
      () => box.inside((self) => self.mailbox.sendEvery("1h", "tick", 1, { missed: "latest" })),
    ];
    for (const again of declare) expect(await again()).toBe(ID);
    moveClock(MINUTE);
    for (const again of declare) {
      const cost = await costOf(again);
      expect(cost).toMatchObject({ written: 0, setAlarm: 0 });
    }
    await box.evict();
    await other.inside((self) => self.other(box.name).sendEvery("1 hour", "tick", 1));
    await other.drain();
    await other.drain();
    await Promise.all(Array.from({ length: 10 }, () => box.ref.sendEvery("1 hour", "tick", 1)));
    expect(await recurrences(box)).toMatchObject([{ id: ID, nextAt: now + HOUR }]);
    moveClock(HOUR);
    await box.drain();
    expect(runs).toHaveLength(1);
  });

  it("in the constructor, on every start", async () => {
    const now = stopClockAhead();
    const runs: number[] = [];
    const box = actor({
      receive: { tick: () => void runs.push(Date.now() - now) },
      construct: (self) => void self.sendEvery("1 hour", "tick", undefined),
    });
    for (let n = 0; n < 8; n += 1) {
      await box.inside(() => {});
      moveClock(20 * MINUTE);
      await box.drain();
      await box.evict();
    }
    expect(runs).toEqual([HOUR, 2 * HOUR]);
  });

  for (const how of ["sync", "async", "promising"] as const) {
    it(`in its own ${how} handler`, async () => {
      const now = stopClockAhead();
      const { box, runs } = ticker((self) => {
        self.sendEvery("1 hour", "tick", 1);
        if (how === "sync") return undefined;
        return how === "async" ? scheduler.wait(1) : Promise.resolve();
      });
      await box.ref.sendEvery("1 hour", "tick", 1);
      for (let n = 0; n < 3; n += 1) {
        moveClock(HOUR);
        await box.drain();
      }
      expect(runs.map(({ at }) => at - now)).toEqual([HOUR, 2 * HOUR, 3 * HOUR]);
      expect(await recurrences(box)).toMatchObject([{ nextAt: now + 4 * HOUR, delivered: 3 }]);
    });

    it(`with other times, in its own ${how} handler: the run ends well, and the new times hold`, async () => {
      const now = stopClockAhead();
      const { box, runs } = ticker((self, { signal }) => {
        self.sendEvery("30 minutes", "tick", 1);
        if (how === "sync") return undefined;
        expect(signal.aborted).toBe(false);
        return how === "async" ? scheduler.wait(1) : Promise.resolve();
      });
      await box.ref.sendEvery("1 hour", "tick", 1);
      for (const minutes of [60, 30, 30]) {
        moveClock(minutes * MINUTE);
        await box.drain();
      }
      expect(runs.map(({ at }) => (at - now) / MINUTE)).toEqual([60, 90, 120]);
      expect(await recurrences(box)).toMatchObject([{ nextAt: now + 150 * MINUTE, rule: "every 30 min" }]);
      expect(await box.ref.stats()).toMatchObject({ pending: 1, deadLetters: 0 });
    });
  }

  it("in a handler that throws: it is not declared", async () => {
    stopClockAhead();
    const { box } = ticker((self) => {
      self.sendEvery("1 hour", "tick", 1);
      throw new Error("no");
    });
    await box.ref.send("act", undefined);
    await box.drain();
    expect(await recurrences(box)).toEqual([]);
    await box.ref.cancel((await box.ref.pending()).items[0]?.id ?? "");
    expect(await box.ref.stats()).toMatchObject({ nextWake: undefined });
  });

  it("while an occurrence of it is being redelivered", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker((_, { attempt }) => {
      if (attempt === 1) throw new Error("no");
    });
    await box.ref.sendEvery("1 hour", "tick", 1);
    moveClock(HOUR);
    await box.drain();
    await box.ref.sendEvery("1 hour", "tick", 1);
    expect((await box.ref.pending()).items).toMatchObject([{ id: `${ID}@${now + HOUR}`, attempts: 1 }]);
    // With other times it is another recurrence: what waits of the old one is gone.
    await box.ref.sendEvery("2 hours", "tick", 1);
    expect((await box.ref.pending()).items).toMatchObject([{ id: `${ID}@${now + 3 * HOUR}`, attempts: 0 }]);
    expect(box.eventsOf("skipped")).toMatchObject([{ count: 1, from: now + HOUR, to: now + HOUR }]);
    moveClock(MINUTE);
    await box.drain();
    expect(runs).toHaveLength(1);
  });

  it("with a startAt that has passed: its anchor stands", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker();
    const startAt = new Date(now + 10 * MINUTE);
    const declare = (): Promise<string> => box.ref.sendEvery("1 hour", "tick", 1, { startAt });
    await declare();
    for (const minutes of [10, 60, 60]) {
      moveClock(minutes * MINUTE);
      await declare();
      await box.drain();
      await declare();
    }
    expect(runs.map(({ at }) => (at - now) / MINUTE)).toEqual([10, 70, 130]);
  });

  it("with another payload or policy: its planned time stands, and the next occurrence has them", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker(() => {
      if (runs.length > 1) throw new Error("no");
    });
    await box.ref.sendEvery("1 hour", "tick", "old");
    moveClock(30 * MINUTE);
    await box.ref.sendEvery("1 hour", "tick", "new");
    expect(await recurrences(box)).toMatchObject([{ nextAt: now + HOUR }]);
    moveClock(30 * MINUTE);
    await box.drain();
    await box.ref.sendEvery("1 hour", "tick", "new", { maxAttempts: 1 });
    expect(await recurrences(box)).toMatchObject([{ nextAt: now + 2 * HOUR, delivered: 1 }]);
    moveClock(HOUR);
    await box.drain();
    expect(runs.map(({ payload }) => payload)).toEqual(["new", "new"]);
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1 });
  });

  it("with another way with missed times: its planned time and its counts stand", async () => {
    const now = stopClockAhead();
    const { box } = ticker();
    await box.ref.sendEvery("1 hour", "tick", 1);
    moveClock(HOUR);
    await box.drain();
    await box.ref.sendEvery("1 hour", "tick", 1, { missed: "all" });
    expect(await recurrences(box)).toMatchObject([{ nextAt: now + 2 * HOUR, delivered: 1 }]);
    moveClock(3 * HOUR);
    await box.drain();
    expect(await recurrences(box)).toMatchObject([{ nextAt: now + 5 * HOUR, delivered: 4, skipped: 0 }]);
  });

  it("with other times or bounds: it is planned from now", async () => {
    const changes: [unknown, RecurrenceOptions, number][] = [
      ["30 minutes", {}, 40],
      [{ cron: "*/20 * * * *" }, {}, 20],
      ["1 hour", { startAt: new Date(0) }, 60],
      ["1 hour", { times: 5 }, 60],
    ];
    for (const [every, options, minutes] of changes) {
      stopClockAhead();
      // To a full hour, so that a cron rule and an interval can be told.
      const now = moveClock(HOUR - (Date.now() % HOUR));
      const { box } = ticker();
      await box.ref.sendEvery("1 hour", "tick", 1);
      moveClock(10 * MINUTE);
      const id = await box.ref.sendEvery(every as string, "tick", 1, options);
      expect(id).toBe(ID);
      expect(await recurrences(box), JSON.stringify([every, options])).toMatchObject([
        { nextAt: now + minutes * MINUTE, ended: false },
      ]);
      expect((await box.ref.pending()).items).toHaveLength(1);
    }
  });

  it("after it has ended: the same rule writes nothing, another starts it anew", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker();
    const declare = (times: number): Promise<string> => box.ref.sendEvery("1 hour", "tick", 1, { times });
    await declare(1);
    moveClock(HOUR);
    await box.drain();
    expect(await recurrences(box)).toMatchObject([{ ended: true, delivered: 1 }]);
    expect(await costOf(() => declare(1))).toMatchObject({ written: 0, setAlarm: 0 });
    moveClock(HOUR);
    await box.drain();
    expect(runs).toHaveLength(1);
    await declare(2);
    expect(await recurrences(box)).toMatchObject([{ ended: false, nextAt: now + 3 * HOUR }]);
    for (let n = 0; n < 3; n += 1) {
      moveClock(HOUR);
      await box.drain();
    }
    expect(runs.map(({ at }) => (at - now) / HOUR)).toEqual([1, 3, 4]);
  });

  it("after it was cancelled: it begins anew", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker();
    await box.ref.sendEvery("1 hour", "tick", 1, { times: 1 });
    moveClock(HOUR);
    await box.drain();
    // It has ended, so nothing is cancelled; but it is forgotten.
    expect(await box.ref.cancel(ID)).toBe(false);
    expect(await recurrences(box)).toEqual([]);
    expect(box.eventsOf("cancelled")).toEqual([]);
    await box.ref.sendEvery("1 hour", "tick", 1, { times: 1 });
    moveClock(HOUR);
    await box.drain();
    expect(runs.map(({ at }) => (at - now) / HOUR)).toEqual([1, 2]);
  });

  it("of another key it is another", async () => {
    stopClockAhead();
    const { box } = ticker();
    const ids = [];
    for (const key of [undefined, "a", "a:b", "a@b", "é", "%"]) {
      ids.push(await box.ref.sendEvery("1 hour", "tick", 1, key === undefined ? {} : { key }));
    }
    expect(new Set(ids).size).toBe(6);
    expect(ids[0]).toBe(ID);
    expect(ids[1]).toBe("every:tick:a");
    for (const id of ids) expect(await box.ref.cancel(id)).toBe(true);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, nextWake: undefined });
  });
});

describe("G10 A recurrence, or one occurrence of it, is cancelled", () => {
  startClockAfterEach();

  it("by the occurrence's id: that one is skipped, and the recurrence goes on", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker();
    await box.ref.sendEvery("1 hour", "tick", 1);
    const occurrence = `${ID}@${now + HOUR}`;
    expect(await box.ref.get(occurrence)).toMatchObject({ recurrence: ID, dueAt: now + HOUR });
    expect(await box.ref.cancel(occurrence)).toBe(true);
    expect(await box.ref.cancel(occurrence)).toBe(false);
    expect(await box.ref.cancel(`${ID}@${now + 3 * HOUR}`)).toBe(false);
    expect(box.eventsOf("cancelled")).toMatchObject([{ id: occurrence }]);
    expect(await recurrences(box)).toMatchObject([{ nextAt: now + 2 * HOUR, skipped: 1 }]);
    moveClock(2 * HOUR);
    await box.drain();
    expect(runs.map(({ at }) => (at - now) / HOUR)).toEqual([2]);
  });

  it("by the recurrence's id: with the occurrence that waits, also for its redelivery", async () => {
    for (const hasFailed of [false, true]) {
      stopClockAhead();
      const { box, runs } = ticker(() => {
        throw new Error("no");
      });
      await box.ref.sendEvery("1 hour", "tick", 1);
      if (hasFailed) moveClock(HOUR);
      await box.drain();
      expect(await box.ref.cancel(ID)).toBe(true);
      expect(await box.ref.cancel(ID)).toBe(false);
      moveClock(5 * HOUR);
      await box.drain();
      expect(runs).toHaveLength(hasFailed ? 1 : 0);
      expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0, nextWake: undefined });
    }
  });

  for (const which of ["recurrence", "occurrence"] as const) {
    for (const end of ["resolve", "throw"] as const) {
      it(`by the ${which}'s id while it runs, and then it ${end}s`, async () => {
        const now = stopClockAhead();
        let isOpen = false;
        let aborted = 0;
        const { box, runs } = ticker(async (_, { signal }) => {
          if (runs.length > 1) return;
          signal.addEventListener("abort", () => void (aborted += 1));
          while (!isOpen) await scheduler.wait(1);
          if (end === "throw") throw new Error("no");
        });
        await box.ref.sendEvery("1 hour", "tick", 1);
        moveClock(HOUR);
        const drained = box.drain();
        await until(() => runs.length === 1, "the run");
        expect(await box.ref.cancel(which === "recurrence" ? ID : `${ID}@${now + HOUR}`)).toBe(true);
        isOpen = true;
        await drained;
        expect(aborted).toBe(1);
        expect(box.eventsOf("attemptFailed")).toEqual([]);
        moveClock(HOUR);
        await box.drain();
        expect(runs.map(({ at }) => (at - now) / HOUR)).toEqual(which === "recurrence" ? [1] : [1, 2]);
        expect(await recurrences(box)).toHaveLength(which === "recurrence" ? 0 : 1);
      });
    }
  }

  it("in its own handler: it has run for the last time", async () => {
    stopClockAhead();
    const { box, runs } = ticker((self) => expect(self.cancel(ID)).toBe(true));
    await box.ref.sendEvery("1 hour", "tick", 1);
    for (let n = 0; n < 3; n += 1) {
      moveClock(HOUR);
      await box.drain();
    }
    expect(runs).toHaveLength(1);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, nextWake: undefined });
  });

  it("and an occurrence that is a dead letter is redriven all the same", async () => {
    const now = stopClockAhead();
    const { box, runs } = ticker(() => {
      if (runs.length === 1) throw new Error("no");
    });
    await box.ref.sendEvery("1 hour", "tick", 1, { maxAttempts: 1 });
    moveClock(HOUR);
    await box.drain();
    await box.ref.cancel(ID);
    expect(await box.ref.redrive(`${ID}@${now + HOUR}`)).toBe(true);
    await box.drain();
    expect(runs).toHaveLength(2);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0, nextWake: undefined });
  });
});
