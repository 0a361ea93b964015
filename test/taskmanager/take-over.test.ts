// The tasks that do-taskmanager 2.0.0-rc.0 has stored in an object are taken over.

import { describe, expect, it } from "vitest";
import { takeOver } from "../../taskmanager/take-over.ts";
import type { Task } from "../../taskmanager/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { leftBehind, putOld } from "../support/old-tasks.ts";
import { until } from "../support/scripted.ts";
import { tasked } from "../support/tasks.ts";

startClockAfterEach();

describe("tasks of do-taskmanager", () => {
  it("run at their times, under their ids, by the alarm that was set for them", async () => {
    const ran: Task[] = [];
    const now = Date.now();
    const { one, ids } = await leftBehind({ process: (task) => ran.push(task) }, [
      { type: "SINGLE", scheduledAt: now + 300, context: { url: "/second" } },
      { type: "SINGLE", scheduledAt: now + 200, context: new Map([["first", new Date(0)]]) },
      { type: "SINGLE", scheduledAt: now + 3_600_000, context: "far" },
    ]);
    await until(() => ran.length === 2, "both");
    expect(ran).toEqual([
      {
        id: ids[1],
        context: new Map([["first", new Date(0)]]),
        attempt: 1,
        type: "SINGLE",
        scheduledAt: now + 200,
      },
      { id: ids[0], context: { url: "/second" }, attempt: 1, type: "SINGLE", scheduledAt: now + 300 },
    ]);
    expect(await one.inside(({ tasks }) => tasks.mailbox.stats().pending)).toBe(1);
  });

  it("are taken over once, and nothing else of the storage is touched", async () => {
    let ran = 0;
    const { one } = await leftBehind({ process: () => (ran += 1) }, [
      { type: "SINGLE", scheduledAt: Date.now() - 1_000 },
    ]);
    await until(() => ran === 1, "the task");
    for (let n = 0; n < 2; n += 1) {
      await one.evict();
      expect(await one.inside(async (_, { storage }) => [...(await storage.list()).keys()])).toEqual(["own"]);
    }
    await scheduler.wait(100);
    expect(ran).toBe(1);
  });

  it("keep their attempts, their last error and their retry interval", async () => {
    stopClockAhead();
    const ran: Task[] = [];
    const error = { name: "TypeError", message: "of the third attempt", stack: "…" };
    const { one, ids } = await leftBehind(
      {
        process: (task) => {
          ran.push(task);
          if (ran.length === 1) throw new RangeError("of the fourth");
        },
      },
      [{ type: "SINGLE", scheduledAt: Date.now(), attempt: 3, previousError: error, retryInterval: 120 }],
    );
    await one.drain();
    moveClock(119);
    await one.drain();
    expect(ran).toHaveLength(1);
    moveClock(1);
    await one.drain();
    expect(ran).toMatchObject([
      { id: ids[0], attempt: 4, previousError: error, retryInterval: 120 },
      { id: ids[0], attempt: 5, previousError: { name: "RangeError", message: "of the fourth" } },
    ]);
  });

  it("recur on, from the time that was pending", async () => {
    const first = stopClockAhead() + 200;
    const ran: Task[] = [];
    const { one, ids } = await leftBehind({ process: (task) => ran.push(task) }, [
      { type: "RECURRING", scheduledAt: first, interval: 150, attempt: 2, previousError: { message: "old" } },
    ]);
    // The first wake is that of the first, and takes over: it begins a second later, so that it is not past.
    for (const ms of [200, 1_000, 150, 150]) {
      moveClock(ms);
      await one.drain();
    }
    await one.inside(({ tasks }) => tasks.cancelTask(ids[0] ?? ""));
    expect(ran.map(({ id, type, interval }: Task & { interval?: number }) => [id, type, interval])).toEqual(
      Array.from({ length: 3 }, () => [ids[0], "RECURRING", 150]),
    );
    expect(ran.map(({ scheduledAt }) => (scheduledAt ?? 0) - first)).toEqual([1_000, 1_150, 1_300]);
    // The attempts from before are those of the occurrence that was pending.
    expect(ran.map(({ attempt, previousError }) => [attempt, previousError])).toEqual([
      [3, { message: "old" }],
      [1, undefined],
      [1, undefined],
    ]);
  });

  it("that are overdue run at once, recurring ones too", async () => {
    const ran: unknown[] = [];
    const { one, ids } = await leftBehind({ process: ({ context }) => ran.push(context) }, [
      { type: "RECURRING", scheduledAt: Date.now() - 86_400_000, interval: 3_600_000, context: "hourly" },
      { type: "SINGLE", scheduledAt: Date.now() - 5_000, context: "single" },
    ]);
    await until(() => ran.length === 2, "both");
    expect(new Set(ran)).toEqual(new Set(["hourly", "single"]));
    await one.inside(({ tasks }) => tasks.cancelTask(ids[0] ?? ""));
    expect(await one.inside(({ tasks }) => tasks.mailbox.stats().pending)).toBe(0);
  });

  it("that are overdue and recur lose no time while they are taken over, however long that takes", async () => {
    const now = stopClockAhead();
    const one = tasked({});
    await one.past((storage) =>
      putOld(storage, { type: "RECURRING", scheduledAt: now - 1, interval: 3_600_000 }),
    );
    await one.inside(async ({ tasks: { mailbox } }, { storage }) => {
      const slow = {
        sendEvery: (...args: Parameters<typeof mailbox.sendEvery>) => {
          moveClock(500);
          return mailbox.sendEvery(...args);
        },
      } as unknown as typeof mailbox;
      takeOver(storage, slow, "ModernTasks");
      expect(mailbox.stats().nextWake).toBe(now + 1_000);
    });
  });

  it("that were stored at a later one's time run at the time they were asked for", async () => {
    const ran: unknown[] = [];
    const one = tasked({ process: ({ context }) => ran.push(context) });
    await one.pastLife(async (storage) => {
      const far = Date.now() + 3_600_000;
      await putOld(storage, { type: "SINGLE", scheduledAt: far, context: "far" });
      await putOld(storage, { type: "SINGLE", scheduledAt: Date.now() + 100, context: "near" }, far);
      await storage.setAlarm(far);
    });
    await one.inside(() => {});
    await until(() => ran.length === 1, "the near task");
    expect(ran).toEqual(["near"]);
  });

  it.each<[string, unknown]>([
    ["a hole", Array(2)],
    ["a boxed number", [new Number(5)]],
    ["an invalid Date", { at: new Date(Number.NaN) }],
    ["1.8 MB", "x".repeat(1_800_000)],
  ])("keep a context that a message cannot carry: %s", async (_, context) => {
    const ran: Task[] = [];
    const { one } = await leftBehind(
      {
        process: (task) => {
          ran.push(task);
          if (task.attempt === 1) throw new Error("once");
        },
      },
      [{ type: "SINGLE", scheduledAt: Date.now(), context, retryInterval: 20 }],
    );
    await until(() => ran.length === 2, "both attempts");
    expect(ran[1]?.context).toEqual(context);
    await until(
      () => one.inside(async (_, { storage }) => (await storage.list()).size === 1),
      "only the user's own key",
    );
  });

  it("of a thousand and more are taken over in one go", async () => {
    const ran = new Set<unknown>();
    const one = tasked({ process: ({ context }) => ran.add(context) });
    await one.pastLife(async (storage) => {
      for (let n = 0; n < 1_500; n += 1) {
        void putOld(storage, { type: "SINGLE", scheduledAt: Date.now() - 1_000, context: n });
      }
      await storage.setAlarm(Date.now() + 50);
    });
    await until(() => ran.size === 1_500, "all of them");
  });

  it("that came while the object was back at do-taskmanager are taken over as well", async () => {
    const ran: unknown[] = [];
    const { one } = await leftBehind({ process: ({ context }) => ran.push(context) }, [
      { type: "SINGLE", scheduledAt: Date.now(), context: "first move" },
    ]);
    await until(() => ran.length === 1, "the first");
    await one.past((storage) =>
      putOld(storage, { type: "SINGLE", scheduledAt: Date.now(), context: "second move" }),
    );
    await one.evict();
    await one.inside(() => {});
    await until(() => ran.length === 2, "the second");
    expect(ran).toEqual(["first move", "second move"]);
  });

  it("stay as they are when the take-over fails, to the last of them", async () => {
    const one = tasked({});
    await one.past(async (storage) => {
      for (let n = 0; n < 3; n += 1)
        await putOld(storage, { type: "SINGLE", scheduledAt: Date.now() + 90_000 });
      await storage.put("$$_tasks_alarm", Date.now() + 90_000);
    });
    await one.inside(async ({ tasks }, { storage }) => {
      const before = [...(await storage.list()).entries()];
      let sent = 0;
      const failing = {
        sendLater: (...args: Parameters<typeof tasks.mailbox.sendLater>) => {
          sent += 1;
          if (sent === 3) throw new Error("the disk is full");
          return tasks.mailbox.sendLater(...args);
        },
      } as unknown as typeof tasks.mailbox;
      expect(() => takeOver(storage, failing, "ModernTasks")).toThrow("the disk is full");
      expect([...(await storage.list()).entries()]).toEqual(before);
      expect(tasks.mailbox.stats().pending).toBe(0);
      expect(await storage.getAlarm()).toBeNull();
    });
  });

  it("values under such keys that are none of its tasks stay where they are", async () => {
    const one = tasked({});
    const at = Date.now() + 100_000;
    await one.past(async (storage) => {
      await storage.put("$$_tasks::mine", "text");
      await storage.put("$$_tasksX", { type: "SINGLE" });
    });
    await one.inside((_, { storage }) => storage.setAlarm(at));
    await one.evict();
    expect(
      await one.inside(async (_, { storage }) => [
        [...(await storage.list()).keys()],
        await storage.getAlarm(),
      ]),
    ).toEqual([["$$_tasks::mine", "$$_tasksX"], at]);
  });
});
