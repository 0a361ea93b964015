// What withTaskManager makes of a class.

import { describe, expect, it } from "vitest";
import { env } from "cloudflare:workers";
import { MisconfiguredError } from "../../actors/index.ts";
import { type Task, type TaskMessages, withTaskManager } from "../../taskmanager/index.ts";
import { ref } from "../../actors/index.ts";
import { ScriptedActor, until } from "../support/scripted.ts";
import { tasked, ModernTasks, TwiceTasks } from "../support/tasks.ts";

describe("withTaskManager", () => {
  it("gives a class that extends DurableObject its tasks", async () => {
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context) });
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, "modern"));
    await until(() => done.length > 0, "the task");
    expect(done).toEqual(["modern"]);
  });

  it("gives a class that extends nothing its tasks; its storage is the object's, its fetch too", async () => {
    const done: Task[] = [];
    const one = tasked({ process: (task) => done.push(task) }, "LEGACY_TASKS");
    const id = await (await one.stub().fetch("https://tasks/path")).text();
    await until(() => done.length > 0, "the task");
    expect(done[0]).toMatchObject({ id, context: "/path", attempt: 1, type: "SINGLE" });
  });

  it("wrapping twice is harmless", async () => {
    expect(withTaskManager(ModernTasks)).toBe(ModernTasks);
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context) }, "TWICE_TASKS");
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, "once"));
    await until(() => done.length > 0, "the task");
    await scheduler.wait(50);
    expect(done).toEqual(["once"]);
    expect(TwiceTasks.kind).toBe("modern");
  });

  it("keeps the class's name, statics, instanceof and RPC methods", async () => {
    class Named {
      async processTask(): Promise<void> {}
    }
    expect(withTaskManager(Named).name).toBe("Named");
    expect(ModernTasks.kind).toBe("modern");
    const one = tasked({});
    expect(await one.inside((object) => object instanceof ModernTasks)).toBe(true);
    expect(await env.MODERN_TASKS.getByName(one.name).hello()).toBe("by RPC");
  });

  it("leaves the Worker's env alone: each object has a task manager of its own", async () => {
    const [one, other] = [tasked({}), tasked({})];
    expect("TASK_MANAGER" in env).toBe(false);
    const managers = [await one.inside(({ tasks }) => tasks), await other.inside(({ tasks }) => tasks)];
    expect(managers[0]).not.toBe(managers[1]);
  });

  it("tasks can be scheduled in the constructor", async () => {
    const done: unknown[] = [];
    const one = tasked({
      process: ({ context }) => done.push(context),
      construct: ({ tasks }) => void tasks.scheduleTaskIn(20, "from the constructor"),
    });
    await one.inside(() => {});
    await until(() => done.length > 0, "the task");
    expect(done).toEqual(["from the constructor"]);
  });

  it("a class may extend a wrapped one, with its own processTask and alarm", async () => {
    const seen: string[] = [];
    const one = tasked(
      { process: ({ context }) => seen.push(String(context)), alarm: () => seen.push("alarm") },
      "EXTENDED_TASKS",
    );
    await one.inside(async ({ tasks, state }) => {
      await tasks.scheduleTaskIn(100, "task");
      await state.storage.setAlarm(Date.now() + 50);
    });
    await until(() => seen.length === 2, "both");
    expect(seen).toEqual(["alarm", "task"]);
  });

  it("a class that another library made by a Proxy gets its tasks and alarm too", async () => {
    const seen: string[] = [];
    const one = tasked(
      { process: ({ context }) => seen.push(String(context)), alarm: () => seen.push("alarm") },
      "PROXIED_TASKS",
    );
    await one.inside(async ({ tasks, state }) => {
      await tasks.scheduleTaskIn(100, "task");
      await state.storage.setAlarm(Date.now() + 50);
    });
    await until(() => seen.length === 2, "both");
    expect(seen).toEqual(["alarm", "task"]);
  });

  it("what is not awaited is written all the same, in the caller's commit", async () => {
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context) });
    await one.inside(({ tasks, state: { storage } }) => {
      void tasks.scheduleTaskIn(0, "kept");
      expect(() =>
        storage.transactionSync(() => {
          void tasks.scheduleTaskIn(0, "rolled back");
          throw new Error("no");
        }),
      ).toThrow("no");
    });
    await until(() => done.length > 0, "the task");
    await scheduler.wait(50);
    expect(done).toEqual(["kept"]);
  });

  it("refs reach the tasks of a class that extends DurableObject", async () => {
    const one = tasked({});
    const id = await one.inside(({ tasks }) => tasks.scheduleTaskIn(100_000, { url: "/" }));
    const handle = ref<TaskMessages>(env.MODERN_TASKS, one.name);
    expect((await handle.pending()).items).toMatchObject([
      { id, type: "task", payload: { context: { url: "/" } } },
    ]);
    expect(await handle.cancel(id)).toBe(true);
  });

  it("refuses every verb in an object that has a mailbox already, and leaves that one alone", async () => {
    class Both extends ScriptedActor {
      async processTask(): Promise<void> {}
    }
    const Wrapped = withTaskManager(Both);
    const done: unknown[] = [];
    const one = tasked({ process: ({ context }) => done.push(context) });
    await one.inside((_, state) => {
      const { mailbox } = new Wrapped(state, env);
      expect(() => mailbox.send("note", 1)).toThrow(MisconfiguredError);
      expect(() => mailbox.send("note", 1)).toThrow(/has a mailbox already/);
    });
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, "its own"));
    await until(() => done.length > 0, "the task");
  });
});
