import { describe, expect, it } from "vitest";
import type { Delivery } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const ID = "every:tick:";

interface Run {
  readonly id: string;
  readonly attempt: number;
  readonly recurrence: string | undefined;
}

/** An actor whose occurrences wait for the test to let them go, and then do what it says. */
function waiting(act: (run: Run, delivery: Delivery) => unknown): {
  box: Scripted;
  runs: Run[];
  begun: () => Promise<unknown>;
  go: () => void;
} {
  const runs: Run[] = [];
  let isOpen = false;
  const box = actor({
    policy: { backoff: "10 seconds", maxAttempts: 3 },
    receive: {
      tick: async (_, delivery) => {
        const { id, attempt, recurrence } = delivery;
        const run = { id, attempt, recurrence };
        runs.push(run);
        while (!isOpen) await scheduler.wait(1);
        return act(run, delivery);
      },
    },
  });
  const begun = (): Promise<unknown> => until(() => runs.length > 0, "the first run");
  return { box, runs, begun, go: () => void (isOpen = true) };
}

const fail = (): never => {
  throw new Error("the charge failed");
};

describe("G10 An occurrence that runs while its recurrence is declared with other times", () => {
  startClockAfterEach();

  it("is redelivered when it fails, as a message of its own, and the new times hold", async () => {
    const now = stopClockAhead();
    const { box, runs, begun, go } = waiting(({ attempt }) => (attempt < 3 ? fail() : undefined));
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(MINUTE);
    const drained = box.drain();
    await begun();
    await box.ref.sendEvery("5 minutes", "tick", undefined);
    const own = `${ID}@${now + MINUTE}`;
    expect(await box.ref.get(own)).toMatchObject({ id: own, state: "running" });
    go();
    await drained;
    expect(box.eventsOf("attemptFailed")).toMatchObject([{ id: own, attempt: 1 }]);
    const next = `${ID}@${now + 6 * MINUTE}`;
    expect((await box.ref.pending()).items).toMatchObject([
      { id: own, attempts: 1 },
      { id: next, recurrence: ID },
    ]);
    for (let n = 0; n < 2; n += 1) {
      moveClock(10 * SECOND);
      await box.drain();
    }
    expect(runs).toEqual([
      { id: own, attempt: 1, recurrence: ID },
      { id: own, attempt: 2, recurrence: undefined },
      { id: own, attempt: 3, recurrence: undefined },
    ]);
    expect((await box.ref.pending()).items).toMatchObject([{ id: next }]);
    // The end of the old one is none of the new times': they count from their own first occurrence.
    expect((await box.ref.recurrences()).items).toMatchObject([{ delivered: 0, dead: 0, skipped: 0 }]);
    expect(box.eventsOf("skipped")).toEqual([]);
  });

  it("is redelivered when it fails a second time", async () => {
    const now = stopClockAhead();
    let isOpen = false;
    const attempts: number[] = [];
    const box = actor({
      policy: { backoff: "10 seconds", maxAttempts: 3 },
      receive: {
        tick: async (_, { attempt }) => {
          attempts.push(attempt);
          while (attempt === 2 && !isOpen) await scheduler.wait(1);
          if (attempt < 3) fail();
        },
      },
    });
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(MINUTE);
    await box.drain();
    moveClock(10 * SECOND);
    const drained = box.drain();
    await until(() => attempts.length === 2, "the second attempt");
    await box.ref.sendEvery("5 minutes", "tick", undefined);
    isOpen = true;
    await drained;
    moveClock(10 * SECOND);
    await box.drain();
    expect(attempts).toEqual([1, 2, 3]);
    expect(box.eventsOf("attemptFailed")).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
    expect(await box.ref.stats()).toMatchObject({ pending: 1, deadLetters: 0 });
    expect(await box.ref.get(`${ID}@${now + MINUTE + 10 * SECOND + 5 * MINUTE}`)).toBeDefined();
  });

  it("becomes a dead letter after its last attempt, and the letter can be redriven", async () => {
    for (const earlier of [0, 1]) {
      const now = stopClockAhead();
      let isOpen = false;
      let isLast = false;
      let isMended = false;
      const delivered: string[] = [];
      const box = actor({
        policy: { backoff: "10 seconds", maxAttempts: 1 + earlier },
        receive: {
          tick: async (_, { attempt, id }) => {
            if (isMended) return void delivered.push(id);
            isLast = attempt === 1 + earlier;
            while (isLast && !isOpen) await scheduler.wait(1);
            fail();
          },
        },
      });
      await box.ref.sendEvery("1 minute", "tick", undefined);
      moveClock(MINUTE);
      if (earlier === 1) {
        await box.drain();
        moveClock(10 * SECOND);
      }
      const drained = box.drain();
      await until(() => isLast, "the last attempt");
      await box.ref.sendEvery("5 minutes", "tick", undefined);
      isOpen = true;
      await drained;
      const own = `${ID}@${now + MINUTE}`;
      expect((await box.ref.deadLetters()).items).toMatchObject([
        { id: own, reason: "exhausted", attempts: 1 + earlier, recurrence: ID },
      ]);
      expect(box.eventsOf("deadLettered")).toMatchObject([{ id: own }]);
      expect(await box.ref.stats()).toMatchObject({ pending: 1, failed: 1 + earlier });
      expect((await box.ref.recurrences()).items).toMatchObject([{ dead: 0 }]);
      isMended = true;
      expect(await box.ref.redrive(own)).toBe(true);
      await box.drain();
      expect(delivered).toEqual([own]);
    }
  });

  it("runs all the same when it waits for the commit of its lease", async () => {
    for (const isFirst of [true, false]) {
      stopClockAhead();
      const attempts: number[] = [];
      const box = actor({
        policy: { backoff: "10 seconds", maxAttempts: 5 },
        receive: {
          tick: (_, { attempt }) => {
            attempts.push(attempt);
            if (attempt === 1 && !isFirst) fail();
          },
        },
      });
      await box.ref.sendEvery("1 minute", "tick", undefined);
      moveClock(MINUTE);
      if (!isFirst) {
        await box.drain();
        moveClock(10 * SECOND);
      }
      // Late, so that what is due is leased before it runs; the declaration comes before the commit.
      await box.inside(async (self) => {
        const drained = self.alarm({ isRetry: true, retryCount: 1, scheduledTime: Date.now() });
        while (self.mailbox.stats().leased === 0) await Promise.resolve();
        self.sendEvery("7 minutes", "tick", undefined);
        await drained;
      });
      expect(attempts).toEqual(isFirst ? [1] : [1, 2]);
      expect(await box.ref.stats()).toMatchObject({ pending: 1, delivered: 1, leased: 0 });
      expect(box.eventsOf("skipped")).toEqual([]);
    }
  });

  it("is kept when it defers itself after it has declared the other times, whatever kind of handler it is", async () => {
    for (const how of ["sync", "async", "promising"] as const) {
      const now = stopClockAhead();
      const seen: string[] = [];
      const box = actor((self: ScriptedActor) => {
        const handle = (_: unknown, { defer, id }: Delivery): unknown => {
          seen.push(id);
          if (seen.length > 1) return undefined;
          self.sendEvery("2 minutes", "tick", undefined);
          defer("10 seconds");
          return how === "promising" ? Promise.resolve() : undefined;
        };
        return {
          receive: { tick: how === "async" ? async (p, delivery) => void handle(p, delivery) : handle },
        };
      });
      await box.ref.sendEvery("1 minute", "tick", undefined);
      moveClock(MINUTE);
      await box.drain();
      const own = `${ID}@${now + MINUTE}`;
      expect(box.eventsOf("deferred"), how).toMatchObject([{ id: own, until: now + MINUTE + 10 * SECOND }]);
      moveClock(10 * SECOND);
      await box.drain();
      expect(seen, how).toEqual([own, own]);
      expect((await box.ref.pending()).items, how).toMatchObject([{ id: `${ID}@${now + 3 * MINUTE}` }]);
    }
  });

  it("is gone when it ends well, and counts for the old times only", async () => {
    stopClockAhead();
    const { box, begun, go } = waiting(() => {});
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(MINUTE);
    const drained = box.drain();
    await begun();
    await box.ref.sendEvery("5 minutes", "tick", undefined);
    expect(await box.ref.stats()).toMatchObject({ pending: 2 });
    go();
    await drained;
    expect(await box.ref.stats()).toMatchObject({ pending: 1, delivered: 1 });
    expect((await box.ref.recurrences()).items).toMatchObject([{ delivered: 0 }]);
  });

  it("is delivered again when the object dies with it", async () => {
    const now = stopClockAhead();
    const { box, runs, begun, go } = waiting(() => {});
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(MINUTE);
    await box
      .inside(async (self, state) => {
        void self.alarm({ isRetry: false, retryCount: 0, scheduledTime: Date.now() });
        await begun();
        self.sendEvery("5 minutes", "tick", undefined);
        await state.storage.sync();
        state.abort("killed by a test");
      })
      .catch(() => {});
    go();
    await box.drain();
    expect(runs.map(({ id }) => id)).toEqual(Array.from({ length: 2 }, () => `${ID}@${now + MINUTE}`));
  });

  it("ends with the cancel of its own id, and not with that of the recurrence", async () => {
    for (const which of ["own", "recurrence"] as const) {
      const now = stopClockAhead();
      const { box, runs, begun, go } = waiting(fail);
      await box.ref.sendEvery("1 minute", "tick", undefined);
      moveClock(MINUTE);
      const drained = box.drain();
      await begun();
      await box.ref.sendEvery("5 minutes", "tick", undefined);
      expect(await box.ref.cancel(which === "own" ? `${ID}@${now + MINUTE}` : ID)).toBe(true);
      go();
      await drained;
      moveClock(10 * SECOND);
      await box.drain();
      expect(runs, which).toHaveLength(which === "own" ? 1 : 2);
      expect((await box.ref.recurrences()).items, which).toHaveLength(which === "own" ? 1 : 0);
    }
  });

  it("is not taken for the first of the new times, when that has the same planned time", async () => {
    const now = stopClockAhead();
    const { box, runs, begun, go } = waiting(({ attempt }) => (attempt === 1 ? fail() : undefined));
    await box.ref.sendEvery("1 minute", "tick", undefined);
    moveClock(MINUTE);
    const drained = box.drain();
    await begun();
    // The clock stands, so the moment of the declaration is the planned time of the one that runs.
    await box.ref.sendEvery("5 minutes", "tick", undefined, { startAt: now + MINUTE });
    go();
    await drained;
    moveClock(10 * SECOND);
    await box.drain();
    expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect((await box.ref.pending()).items).toMatchObject([{ id: `${ID}@${now + 6 * MINUTE}`, attempts: 0 }]);
  });
});

describe("G10 An occurrence that is due when its recurrence is declared with other times", () => {
  startClockAfterEach();

  it("is delivered: a start in a minute, declared on every start, is a tick a minute", async () => {
    const now = stopClockAhead();
    const runs: number[] = [];
    const box = actor({
      receive: { tick: () => void runs.push((Date.now() - now) / MINUTE) },
      construct: (self) =>
        void self.sendEvery("1 minute", "tick", undefined, { startAt: Date.now() + MINUTE }),
    });
    await box.inside(() => {});
    for (let n = 0; n < 5; n += 1) {
      moveClock(MINUTE);
      await box.evict();
      await box.drain();
    }
    expect(runs).toEqual([1, 2, 3, 4, 5]);
    expect(box.eventsOf("skipped")).toEqual([]);
    expect((await box.ref.pending()).items).toMatchObject([{ dueAt: now + 6 * MINUTE }]);
  });

  it("is, of several that have passed, what the old times say: the others are skipped, with an event", async () => {
    const cases = [
      { missed: "latest", delivered: [3], skipped: [[2, 1, 2]] },
      { missed: "skip", delivered: [], skipped: [[3, 1, 3]] },
      { missed: "all", delivered: [1], skipped: [[2, 2, 3]] },
    ] as const;
    for (const { missed, delivered, skipped } of cases) {
      const now = stopClockAhead();
      const planned: number[] = [];
      const box = actor({
        receive: { tick: (_, { id }) => void planned.push((Number(id.split("@")[1]) - now) / MINUTE) },
      });
      await box.ref.sendEvery("1 minute", "tick", undefined, { missed });
      moveClock(3.5 * MINUTE);
      await box.ref.sendEvery("1 hour", "tick", undefined, { missed });
      expect((await box.ref.pending()).items, missed).toHaveLength(1 + delivered.length);
      await box.drain();
      expect(planned, missed).toEqual(delivered);
      const told = box.eventsOf("skipped").map(({ count, from, to }) => [count, from - now, to - now]);
      expect(told, missed).toEqual(skipped.map(([count, from, to]) => [count, from * MINUTE, to * MINUTE]));
    }
  });
});
