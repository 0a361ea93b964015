// What happens to a task that fails.

import { describe, expect, it, vi } from "vitest";
import { InvalidDurationError, InvalidPolicyError } from "../../actors/index.ts";
import type { Task } from "../../taskmanager/index.ts";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { until } from "../support/scripted.ts";
import { tasked } from "../support/tasks.ts";

startClockAfterEach();

const FAR = 10_000_000;

/** An object whose tasks fail so many times. */
function failing(times: number) {
  const ran: Task[] = [];
  const one = tasked({
    process: (task) => {
      ran.push(task);
      if (ran.length <= times) throw new RangeError(`failure ${ran.length}`);
    },
  });
  return { ran, one };
}

describe("a task that fails", () => {
  it("is retried every 60 s, for ever, under the same id", async () => {
    const start = stopClock();
    const { ran, one } = failing(Infinity);
    const id = await one.inside(({ tasks }) => tasks.scheduleTaskAt(start + FAR, "again"));
    moveClock(FAR);
    await one.drain();
    for (let minute = 1; minute <= 30; minute += 1) {
      moveClock(59_999);
      await one.drain();
      expect(ran).toHaveLength(minute);
      moveClock(1);
      await one.drain();
    }
    expect(ran.map(({ attempt }) => attempt)).toEqual(Array.from({ length: 31 }, (_, n) => n + 1));
    expect(new Set(ran.map((task) => task.id))).toEqual(new Set([id]));
    expect(ran.map(({ scheduledAt }) => (scheduledAt ?? 0) - start - FAR)).toEqual(
      Array.from({ length: 31 }, (_, n) => n * 60_000),
    );
  });

  it("gets what the attempt before threw, with name, message and stack", async () => {
    const start = stopClock();
    const { ran, one } = failing(2);
    await one.inside(({ tasks }) => tasks.scheduleTaskAt(start + FAR, null));
    moveClock(FAR);
    for (let n = 0; n < 3; n += 1) {
      await one.drain();
      moveClock(60_000);
    }
    expect(ran.map(({ previousError }) => previousError?.message)).toEqual([
      undefined,
      "failure 1",
      "failure 2",
    ]);
    expect(ran[1]?.previousError).toEqual({
      name: "RangeError",
      message: "failure 1",
      stack: expect.stringContaining("failure 1") as string,
    });
    expect("previousError" in (ran[0] ?? {})).toBe(false);
  });

  it.each(["retryInterval", "retryInvertval"])("is retried after %s", async (option) => {
    stopClockAhead();
    const { ran, one } = failing(2);
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, null, { [option]: 150 }));
    await one.drain();
    for (const attempts of [1, 2]) {
      moveClock(149);
      await one.drain();
      expect(ran).toHaveLength(attempts);
      moveClock(1);
      await one.drain();
    }
    expect(ran.map(({ retryInterval }) => retryInterval)).toEqual([150, 150, 150]);
  });

  it("the options are for each of the scheduling verbs", async () => {
    const ran: Task[] = [];
    const one = tasked({
      process: (task) => {
        ran.push(task);
        if (task.attempt === 1) throw new Error("first");
      },
    });
    await one.inside(async ({ tasks }) => {
      await tasks.scheduleTaskAt(Date.now(), "at", { retryInterval: 50 });
      await tasks.scheduleTaskIn(0, "in", { retryInterval: 50 });
      await tasks.scheduleTaskEvery(100, "every", { retryInterval: 50 });
    });
    await until(
      () =>
        ["at", "in", "every"].every((context) =>
          ran.some((task) => task.context === context && task.attempt > 1),
        ),
      "a second attempt of each",
    );
    const every = ran.find(({ context }) => context === "every");
    await one.inside(({ tasks }) => tasks.cancelTask(every?.id ?? ""));
  });

  it("rejects options that cannot be", async () => {
    const { one } = failing(0);
    await one.inside(async ({ tasks }) => {
      await expect(tasks.scheduleTaskIn(0, null, { retryInterval: -1 })).rejects.toThrow(
        InvalidDurationError,
      );
      await expect(tasks.scheduleTaskIn(0, null, { maxAttempts: 0 })).rejects.toThrow(InvalidPolicyError);
    });
  });

  it("of a recurring task, it is the same occurrence, and then the recurrence goes on", async () => {
    const { ran, one } = failing(2);
    const id = await one.inside(({ tasks }) => tasks.scheduleTaskEvery(150, "tick", { retryInterval: 20 }));
    await until(() => ran.length >= 5, "two failures and three occurrences");
    await one.inside(({ tasks }) => tasks.cancelTask(id));
    expect(ran.slice(0, 5).map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1, 1]);
    expect(new Set(ran.map((task) => task.id))).toEqual(new Set([id]));
    expect("previousError" in (ran[3] ?? {})).toBe(false);
  });
});

describe("maxAttempts", () => {
  it("bounds the attempts; the task is then a dead letter that keeps all, and can be put back", async () => {
    const { ran, one } = failing(2);
    const id = await one.inside(({ tasks }) =>
      tasks.scheduleTaskIn(0, { order: 1 }, { maxAttempts: 2, retryInterval: 10 }),
    );
    await one.inside(({ tasks }) =>
      until(() => tasks.mailbox.deadLetters().items.length === 1, "the dead letter"),
    );
    const letter = await one.inside(({ tasks }) => tasks.mailbox.deadLetter(id));
    expect(letter).toMatchObject({
      id,
      type: "task",
      reason: "exhausted",
      payload: { context: { order: 1 } },
      errors: [{ message: "failure 1" }, { message: "failure 2" }],
    });
    expect(await one.inside(({ tasks }) => tasks.mailbox.redrive(id))).toBe(true);
    await until(() => ran.length === 3, "the redriven task");
    expect(ran[2]).toMatchObject({ id, context: { order: 1 }, attempt: 1 });
  });
});

describe("a task that does not end", () => {
  it("has failed after 10 minutes, and holds up nothing after that", async () => {
    const seen: unknown[] = [];
    const one = tasked({
      process: ({ context, attempt, previousError }) => {
        seen.push([context, attempt, previousError?.name]);
        return context === "hangs" && attempt === 1 ? new Promise(() => {}) : undefined;
      },
    });
    // Far ahead, so that no real alarm comes in between.
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: start });
    await one.inside(async ({ tasks }) => {
      await tasks.scheduleTaskIn(FAR, "hangs", { retryInterval: FAR });
      await tasks.scheduleTaskIn(FAR + 1, "waits");
    });
    vi.setSystemTime(start + FAR + 1);
    // Inside the object, whose timers they are.
    const advance = (ms: number): Promise<void> => one.inside(() => void vi.advanceTimersByTime(ms));
    /** Wakes it, and lets the clock go on, a millisecond at a time, until the wake has ended. */
    const wake = async (meanwhile?: (isOver: () => boolean) => Promise<void>): Promise<void> => {
      let isOver = false;
      const drained = one.drain().finally(() => (isOver = true));
      await meanwhile?.(() => isOver);
      await until(async () => {
        if (!isOver) await advance(1);
        return isOver;
      }, "the end of the wake");
      await drained;
    };
    await wake(async (isOver) => {
      await until(() => seen.length === 1 && vi.getTimerCount() > 0, "the timer of the hanging task");
      await advance(10 * 60_000 - 1);
      await scheduler.wait(20);
      expect(isOver()).toBe(false);
    });
    const failedAt = await one.inside(({ tasks }) => (tasks.mailbox.pending().items[1]?.dueAt ?? 0) - FAR);
    expect(failedAt).toBe(start + FAR + 1 + 10 * 60_000);
    // The wake has lasted so long that it leaves the rest to the next.
    expect(seen).toHaveLength(1);
    await wake();
    expect(seen).toHaveLength(2);
    vi.setSystemTime(start + 3 * FAR);
    await wake();
    expect(seen).toEqual([
      ["hangs", 1, undefined],
      ["waits", 1, undefined],
      ["hangs", 2, "AttemptTimedOutError"],
    ]);
  });
});
