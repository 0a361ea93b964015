// The faults of do-taskmanager 2.0.0-rc.0 that a change of import ends; docs/migrating-from-do-taskmanager.md
// names them by these titles.

import { describe, expect, it } from "vitest";
import type { Task } from "../../taskmanager/index.ts";
import { until } from "../support/scripted.ts";
import { tasked } from "../support/tasks.ts";

describe("a fault of do-taskmanager that is gone", () => {
  it("a task scheduled after a later one ran at the later one's time", async () => {
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context) });
    await one.inside(async ({ tasks }) => {
      const now = Date.now();
      await tasks.scheduleTaskAt(now + 3_600_000, "in an hour");
      await tasks.scheduleTaskAt(now + 100, "soon");
      await tasks.scheduleTaskAt(now + 50, "sooner");
    });
    await until(() => done.length === 2, "both near tasks");
    expect(done).toEqual(["sooner", "soon"]);
  });

  it("a retry after a later task was scheduled ran at the later one's time", async () => {
    const attempts: number[] = [];
    const one = tasked({
      process: ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error("once");
      },
    });
    await one.inside(async ({ tasks }) => {
      await tasks.scheduleTaskIn(3_600_000, "in an hour");
      await tasks.scheduleTaskIn(0, "fails once", { retryInterval: 50 });
    });
    await until(() => attempts.length === 2, "the retry");
  });

  it("a cancel after a retry did nothing", async () => {
    let ran = 0;
    const one = tasked({
      process: () => {
        ran += 1;
        throw new Error("always");
      },
    });
    const id = await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, null, { retryInterval: 50 }));
    await until(() => ran === 2, "the retry");
    await one.inside(({ tasks }) => tasks.cancelTask(id));
    const before = ran;
    await scheduler.wait(200);
    expect(ran).toBe(before);
    expect(await one.inside(({ tasks }) => tasks.mailbox.stats().pending)).toBe(0);
  });

  it("a cancel after a recurrence did nothing, so that a recurring task could not be ended", async () => {
    let ran = 0;
    const one = tasked({ process: () => (ran += 1) });
    const id = await one.inside(({ tasks }) => tasks.scheduleTaskEvery(100, null));
    await until(() => ran === 2, "two occurrences");
    await one.inside(({ tasks }) => tasks.cancelTask(id));
    const before = ran;
    await scheduler.wait(300);
    expect(ran).toBe(before);
  });

  it("a crash while a task was moved forked its chain in two", async () => {
    const ran: Task[] = [];
    const one = tasked({
      process: async (task, { state }) => {
        ran.push(task);
        if (ran.length > 2) return;
        await state.storage.put("reached", ran.length);
        await state.storage.sync();
        state.abort("killed in the middle of a task");
      },
    });
    const id = await one
      .inside(({ tasks }) => tasks.scheduleTaskEvery(200, null, { retryInterval: 50 }))
      .catch(() => "");
    await until(() => ran.length >= 4, "the recurrence goes on after two crashes");
    // One chain: never two occurrences of one time, and only one that waits.
    const succeeded = ran.slice(2).map(({ scheduledAt }) => scheduledAt);
    expect(new Set(succeeded).size).toBe(succeeded.length);
    const pending = await one.inside(({ tasks }) => tasks.mailbox.pending().items.length);
    expect(pending).toBe(1);
    await one.inside(({ tasks }) => tasks.cancelTask(id));
    expect(await one.inside(({ tasks }) => tasks.mailbox.stats().pending)).toBe(0);
  });

  it("a task that kills the object was run for ever without its attempt counting", async () => {
    const attempts: number[] = [];
    const one = tasked({
      process: ({ context, attempt }, { state }) => {
        if (context === "beside") return;
        attempts.push(attempt);
        state.abort("killed by the task");
      },
    });
    await one
      .inside(({ tasks }) => tasks.scheduleTaskIn(50, "kills", { maxAttempts: 2, retryInterval: 10 }))
      .catch(() => "");
    const letters = await until(async () => {
      const found = await one.inside(({ tasks }) => tasks.mailbox.deadLetters().items).catch(() => []);
      return found.length > 0 ? found : undefined;
    }, "the dead letter");
    expect(letters).toMatchObject([{ reason: "crashed", payload: { context: "kills" } }]);
    expect(Math.max(...attempts)).toBe(2);
    // At most two runs go uncounted.
    expect(attempts.length).toBeLessThanOrEqual(4);
  });

  it("ctx.storage.sql was broken", async () => {
    await tasked({}).inside(({ state: { storage } }) => {
      expect(storage.sql.exec("SELECT 1 AS one").toArray()).toEqual([{ one: 1 }]);
    });
  });

  it("ctx of a class that extends DurableObject was refused by the platform", async () => {
    const one = tasked({});
    expect(await one.inside(({ state }, real) => state === real)).toBe(true);
  });

  it("a large error stalled all tasks", async () => {
    const done: unknown[] = [];
    const one = tasked({
      process: (task) => {
        if (task.context === "beside") done.push("beside");
        else if (task.attempt === 1) throw new Error("x".repeat(3 * 1024 * 1024));
        else done.push((task.previousError as Error).message.length < 4_096);
      },
    });
    await one.inside(async ({ tasks }) => {
      await tasks.scheduleTaskIn(0, { text: "y".repeat(400 * 1024) }, { retryInterval: 20 });
      await tasks.scheduleTaskIn(1, "beside");
    });
    await until(() => done.length === 2, "the retry, and the task beside it");
    expect(new Set(done)).toEqual(new Set(["beside", true]));
  });
});
