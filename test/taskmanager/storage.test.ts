// The object's own storage and alarm beside its tasks: as if it were alone.

import { describe, expect, it } from "vitest";
import { until } from "../support/scripted.ts";
import { tasked } from "../support/tasks.ts";

describe("deleteAll", () => {
  it("deletes the tasks and the alarm too, and the object goes on", async () => {
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context), alarm: () => done.push("alarm") });
    await one.inside(async ({ tasks, state: { storage } }) => {
      await storage.put("own", 1);
      await tasks.scheduleTaskIn(100, "gone");
      await tasks.scheduleTaskEvery(100, "gone too");
      await storage.setAlarm(Date.now() + 100);
      await storage.deleteAll();
      expect((await storage.list()).size).toBe(0);
      expect(await storage.getAlarm()).toBeNull();
      const at = Date.now() + 200;
      await tasks.scheduleTaskAt(at, "after");
      await storage.setAlarm(at);
    });
    await until(() => done.length === 2, "what came after");
    await scheduler.wait(150);
    expect(done).toEqual(["alarm", "after"]);
  });

  it("inside processTask too", async () => {
    const done: unknown[] = [];
    const one = tasked({
      process: async ({ context }, { state, tasks }) => {
        done.push(context);
        if (context !== "wipes") return;
        await state.storage.deleteAll();
        await tasks.scheduleTaskIn(20, "after");
      },
    });
    await one.inside(async ({ tasks }) => {
      await tasks.scheduleTaskIn(0, "wipes");
      await tasks.scheduleTaskIn(50, "gone");
    });
    await until(() => done.length === 2, "the task that came after");
    await scheduler.wait(100);
    expect(done).toEqual(["wipes", "after"]);
  });
});

describe("the object's own alarm", () => {
  it("runs at its time, calls alarm() and not processTask, and setAlarm overrides an earlier one", async () => {
    const done: unknown[] = [];
    const one = tasked({
      process: ({ context }) => done.push(context),
      alarm: (info) => done.push(info?.scheduledTime),
    });
    const at = await one.inside(async ({ tasks, state: { storage } }) => {
      const soon = Date.now() + 400;
      await storage.setAlarm(soon - 300);
      await storage.setAlarm(soon);
      expect(await storage.getAlarm()).toBe(soon);
      await tasks.scheduleTaskAt(soon - 200, "before");
      await tasks.scheduleTaskAt(soon, "at the same time");
      return soon;
    });
    await until(() => done.length === 3, "all");
    expect(done).toEqual(["before", at, "at the same time"]);
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("deleteAlarm deletes it and no task", async () => {
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context), alarm: () => done.push("alarm") });
    await one.inside(async ({ tasks, state: { storage } }) => {
      await tasks.scheduleTaskIn(100, "task");
      await storage.setAlarm(Date.now() + 50);
      await storage.deleteAlarm();
    });
    await until(() => done.length > 0, "the task");
    expect(done).toEqual(["task"]);
  });

  it.each(["FIELD_TASKS", "LEGACY_TASKS"] as const)(
    "also of a class of another kind: %s",
    async (binding) => {
      let ran = 0;
      const one = tasked({ alarm: () => (ran += 1) }, binding);
      await one.inside(({ state: { storage } }) => storage.setAlarm(Date.now() + 30));
      await until(() => ran === 1, "the alarm");
    },
  );

  it("a class without alarm() is refused setAlarm, as the platform refuses it", async () => {
    const one = tasked({}, "NO_ALARM_TASKS");
    await one.inside(async ({ state: { storage } }) => {
      await expect(storage.setAlarm(Date.now() + 30)).rejects.toThrow(
        "must have an alarm() handler in order to call setAlarm()",
      );
      expect(await storage.getAlarm()).toBeNull();
    });
  });
});

describe("the object's storage", () => {
  it("is whole: sql, kv, put, list, transactions, sync and bookmarks", async () => {
    await tasked({}).inside(async ({ state: { storage } }) => {
      storage.sql.exec("CREATE TABLE own (id INTEGER PRIMARY KEY, name TEXT)");
      expect(storage.sql.exec("INSERT INTO own (name) VALUES (?) RETURNING id", "a").one()).toEqual({
        id: 1,
      });
      expect(storage.sql.databaseSize).toBeGreaterThan(0);
      storage.kv.put("a", new Map([[1, 2]]));
      expect(await storage.get("a")).toEqual(new Map([[1, 2]]));
      await storage.put({ b: 1, c: 2 });
      expect([...(await storage.list({ prefix: "b" })).keys()]).toEqual(["b"]);
      expect(storage.transactionSync(() => 5)).toBe(5);
      expect(await storage.transaction(async (txn) => txn.get("b"))).toBe(1);
      await storage.sync();
      const { sql, put } = storage;
      await put("taken out", sql.exec("SELECT 1 AS one").one()["one"]);
      expect(await storage.getCurrentBookmark()).toMatch(/^[0-9a-f-]+$/);
      expect(Object.prototype.toString.call(storage)).toBe("[object DurableObjectStorage]");
    });
  });

  it("has none of the tasks under keys of its own", async () => {
    await tasked({}).inside(async ({ tasks, state: { storage } }) => {
      await tasks.scheduleTaskIn(100_000, "task");
      expect((await storage.list()).size).toBe(0);
    });
  });
});
