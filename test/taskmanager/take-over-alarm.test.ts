// What is left of do-taskmanager after a take-over: the old ids, and the user's alarm.

import { describe, expect, it } from "vitest";
import { leftBehind } from "../support/old-tasks.ts";
import { until } from "../support/scripted.ts";

describe("cancelTask with an id of do-taskmanager", () => {
  const far = (): number => Date.now() + 100_000;

  it("cancels what waits, single or recurring, also at once in the constructor", async () => {
    const { one, ids } = await leftBehind({}, [
      { type: "SINGLE", scheduledAt: far() },
      { type: "RECURRING", scheduledAt: far(), interval: 1_000 },
      { type: "SINGLE", scheduledAt: far() },
    ]);
    one.deploy({ construct: ({ tasks }) => void tasks.cancelTask(ids[2] ?? "") });
    await one.inside(async ({ tasks }) => {
      expect(tasks.mailbox.stats().pending).toBe(2);
      await tasks.cancelTask(ids[0] ?? "");
      await tasks.cancelTask(ids[1] ?? "");
      expect(tasks.mailbox.stats().pending).toBe(0);
    });
  });

  it("cancels after a retry, and while the task runs", async () => {
    let ran = 0;
    const { one, ids } = await leftBehind(
      {
        process: async ({ id }, { tasks }) => {
          ran += 1;
          if (ran === 2) await tasks.cancelTask(id);
          throw new Error("again");
        },
      },
      [{ type: "SINGLE", scheduledAt: Date.now(), retryInterval: 30 }],
    );
    await until(() => ran === 2, "the retry");
    await scheduler.wait(150);
    expect(ran).toBe(2);
    await one.inside(({ tasks }) => tasks.cancelTask(ids[0] ?? ""));
    expect(await one.inside(({ tasks }) => tasks.mailbox.stats().pending)).toBe(0);
  });
});

describe("the user's alarm under do-taskmanager", () => {
  it("is the user's alarm still, and runs at its time", async () => {
    const ran: AlarmInvocationInfo[] = [];
    const at = Date.now() + 250;
    const { one } = await leftBehind(
      { alarm: (info) => info !== undefined && ran.push(info) },
      // Each setAlarm left an entry; what counts is the last one, which `$$_tasks_alarm` has.
      [
        { type: "ALARM", scheduledAt: at - 200 },
        { type: "ALARM", scheduledAt: at },
      ],
      at,
    );
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at);
    await until(() => ran.length > 0, "the alarm");
    await scheduler.wait(50);
    expect(ran).toEqual([{ isRetry: false, retryCount: 0, scheduledTime: at }]);
  });

  it("that was deleted does not come back, nor is do-taskmanager's own alarm taken for it", async () => {
    const ran: unknown[] = [];
    const { one } = await leftBehind(
      { process: ({ context }) => ran.push(context), alarm: () => ran.push("alarm") },
      [
        { type: "ALARM", scheduledAt: Date.now() + 50 },
        { type: "SINGLE", scheduledAt: Date.now() + 100, context: "task" },
      ],
    );
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
    await until(() => ran.length > 0, "the task");
    await scheduler.wait(50);
    expect(ran).toEqual(["task"]);
  });

  it("is seen by the constructor, and overridden by it", async () => {
    const at = Date.now() + 100_000;
    const { one } = await leftBehind({}, [{ type: "SINGLE", scheduledAt: at }], at);
    let seen: number | null = null;
    one.deploy({
      alarm: () => {},
      construct: ({ state }) => {
        void state.blockConcurrencyWhile(async () => {
          seen = await state.storage.getAlarm();
          await state.storage.setAlarm(at + 1);
        });
      },
    });
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at + 1);
    expect(seen).toBe(at);
  });
});
