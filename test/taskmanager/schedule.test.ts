// The scheduling verbs, what a context may hold, and what a task says of itself.

import { describe, expect, it } from "vitest";
import { InvalidMomentError, InvalidPayloadError, InvalidRecurrenceError } from "../../actors/index.ts";
import type { Task } from "../../taskmanager/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { until } from "../support/scripted.ts";
import { tasked } from "../support/tasks.ts";

startClockAfterEach();

/** An object that records its tasks and when they came. */
function recording() {
  const ran: { task: Task; at: number }[] = [];
  const one = tasked({ process: (task) => void ran.push({ task, at: Date.now() }) });
  return { ran, one };
}

describe("scheduleTaskAt", () => {
  it.each(["a number", "a Date"])("takes %s, and the task runs then, never early", async (form) => {
    const { ran, one } = recording();
    const at = Date.now() + 150;
    const id = await one.inside(({ tasks }) =>
      tasks.scheduleTaskAt(form === "a Date" ? new Date(at) : at, { url: "/" }),
    );
    await until(() => ran.length > 0, "the task");
    expect(ran[0]?.at).toBeGreaterThanOrEqual(at);
    expect(ran[0]?.task).toEqual({
      id,
      context: { url: "/" },
      attempt: 1,
      type: "SINGLE",
      scheduledAt: at,
    });
  });

  it.each([0, 1, -1, Date.now() / 1000, Date.now() - 60_000])(
    "runs at once for the past: %s",
    async (time) => {
      const { ran, one } = recording();
      await one.inside(({ tasks }) => tasks.scheduleTaskAt(time, null));
      await until(() => ran.length > 0, "the task");
    },
  );

  it.each([Number.NaN, new Date(Number.NaN), undefined])("rejects %s with a typed error", async (time) => {
    const { one } = recording();
    await one.inside(({ tasks }) =>
      expect(tasks.scheduleTaskAt(time as number, null)).rejects.toThrow(InvalidMomentError),
    );
  });
});

describe("scheduleTaskIn", () => {
  it("runs after so many milliseconds; at once for none and for a negative number", async () => {
    const { ran, one } = recording();
    const begun = Date.now();
    await one.inside(async ({ tasks }) => {
      await tasks.scheduleTaskIn(200, "later");
      await tasks.scheduleTaskIn(-5_000, "negative");
      await tasks.scheduleTaskIn(0, "now");
    });
    await until(() => ran.length === 3, "all");
    expect(ran.map(({ task }) => task.context)).toEqual(["negative", "now", "later"]);
    expect(ran[2]?.at).toBeGreaterThanOrEqual(begun + 200);
  });
});

describe("scheduleTaskEvery", () => {
  it.each(["scheduleTaskEvery", "scheduleEvery"] as const)(
    "%s runs again and again under one id, first after one interval",
    async (verb) => {
      const begun = stopClockAhead();
      const { ran, one } = recording();
      const id = await one.inside(({ tasks }) => tasks[verb](120, "tick"));
      await one.drain();
      for (let n = 0; n < 3; n += 1) {
        moveClock(120);
        await one.drain();
      }
      for (const { task } of ran) {
        expect(task).toMatchObject({ id, type: "RECURRING", interval: 120, attempt: 1, context: "tick" });
      }
      expect(ran.map(({ task, at }) => [(task.scheduledAt ?? 0) - begun, at - begun])).toEqual([
        [120, 120],
        [240, 240],
        [360, 360],
      ]);
    },
  );

  it("makes a new recurring task with each call, also for the same context", async () => {
    const { ran, one } = recording();
    const ids = await one.inside(async ({ tasks }) => [
      await tasks.scheduleTaskEvery(100, "same"),
      await tasks.scheduleTaskEvery(100, "same"),
    ]);
    expect(ids[0]).not.toBe(ids[1]);
    await until(() => new Set(ran.map(({ task }) => task.id)).size === 2, "both");
    await one.inside(({ tasks }) => tasks.cancelTask(ids[0] ?? ""));
    const before = ran.filter(({ task }) => task.id === ids[1]).length;
    await until(() => ran.filter(({ task }) => task.id === ids[1]).length > before + 1, "the other goes on");
    await one.inside(({ tasks }) => tasks.cancelTask(ids[1] ?? ""));
  });

  it("rejects an interval below 100 ms with a typed error", async () => {
    await recording().one.inside(({ tasks }) =>
      expect(tasks.scheduleTaskEvery(99, "x")).rejects.toThrow(InvalidRecurrenceError),
    );
  });
});

describe("inside processTask", () => {
  it("a task is scheduled with the success of the one that schedules it, once", async () => {
    const done: unknown[] = [];
    const one = tasked({
      process: async ({ context, attempt }, { tasks }) => {
        done.push([context, attempt]);
        if (context !== "first") return;
        await tasks.scheduleTaskIn(0, "second");
        const dropped = await tasks.scheduleTaskIn(0, "cancelled");
        await tasks.cancelTask(dropped);
        if (attempt === 1) throw new Error("after it has scheduled");
      },
    });
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, "first", { retryInterval: 20 }));
    await until(() => done.length === 3, "the second task");
    await scheduler.wait(50);
    expect(done).toEqual([
      ["first", 1],
      ["first", 2],
      ["second", 1],
    ]);
  });
});

describe("cancelTask", () => {
  it("cancels each kind, and is silent about ids that it does not know", async () => {
    const { ran, one } = recording();
    await one.inside(async ({ tasks }) => {
      const ids = [
        await tasks.scheduleTaskAt(Date.now() + 100, "at"),
        await tasks.scheduleTaskIn(100, "in"),
        await tasks.scheduleTaskEvery(100, "every"),
      ];
      for (const id of ids) await tasks.cancelTask(id);
      for (const id of ["", "no such id", "01G65Z755AFWAKHE12NY0CQ9FH", undefined]) {
        expect(await tasks.cancelTask(id as string)).toBeUndefined();
      }
      expect(tasks.mailbox.stats().pending).toBe(0);
    });
    await scheduler.wait(250);
    expect(ran).toEqual([]);
  });
});

describe("a context", () => {
  class Money {
    readonly amount = 5;
    get doubled(): number {
      return this.amount * 2;
    }
  }
  const cycle: Record<string, unknown> = { name: "cycle" };
  cycle["self"] = cycle;
  const bytes = new Uint8Array([1, 2, 3, 250]);

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["text", "text"],
    ["NaN", Number.NaN],
    ["minus zero", -0],
    ["a bigint", 12n],
    ["a Date", new Date(5)],
    ["a RegExp", /a+/giu],
    ["a Map with Sets", new Map([["a", new Set([1, { b: 2 }])]])],
    ["an ArrayBuffer", bytes.buffer],
    ["a Uint8Array", bytes],
    ["a Uint8ClampedArray", new Uint8ClampedArray(bytes)],
    ["an Int8Array", new Int8Array([-1])],
    ["an Int16Array", new Int16Array([-300])],
    ["a Uint16Array", new Uint16Array([300])],
    ["an Int32Array", new Int32Array([-70_000])],
    ["a Uint32Array", new Uint32Array([70_000])],
    ["a Float32Array", new Float32Array([0.5, Number.NaN])],
    ["a Float64Array", new Float64Array([Math.PI])],
    ["a BigInt64Array", new BigInt64Array([-5n])],
    ["a BigUint64Array", new BigUint64Array([5n])],
    ["a DataView", new DataView(bytes.buffer, 1, 2)],
    ["nested undefined", { a: undefined, b: [undefined] }],
    ["a cycle", cycle],
  ])("carries %s, as structured clone does", async (_, context) => {
    const { ran, one } = recording();
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, context));
    await until(() => ran.length > 0, "the task");
    expect(ran[0]?.task.context).toEqual(structuredClone(context));
    expect(Object.prototype.toString.call(ran[0]?.task.context)).toBe(
      Object.prototype.toString.call(context),
    );
  });

  it("carries an Error with its stack and cause", async () => {
    const { ran, one } = recording();
    const error = new TypeError("as data", { cause: "why" });
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, error));
    await until(() => ran.length > 0, "the task");
    const carried: unknown = ran[0]?.task.context;
    expect(carried).toBeInstanceOf(Error);
    const { name, message, stack, cause } = carried as Error;
    expect({ name, message, stack, cause }).toEqual({
      name: "TypeError",
      message: "as data",
      stack: error.stack,
      cause: "why",
    });
  });

  it("carries an instance of a class as a plain object, as structured clone does", async () => {
    const { ran, one } = recording();
    await one.inside(({ tasks }) => tasks.scheduleTaskIn(0, { price: new Money() }));
    await until(() => ran.length > 0, "the task");
    expect(ran[0]?.task.context).toEqual({ price: { amount: 5 } });
  });

  it.each<[string, unknown, string]>([
    ["a function", { run: () => {} }, "payload.context.run: a function"],
    ["a symbol", { at: [Symbol("x")] }, "payload.context.at[0]: a symbol"],
    ["a Blob", { file: new Blob(["x"]) }, "payload.context.file: an instance of Blob"],
    ["an invalid Date", { at: new Date(Number.NaN) }, "payload.context.at: an invalid Date"],
    ["a hole", { list: Array.of(1, 2).concat(Array(1)) }, "payload.context.list[2]: a hole"],
    ["a boxed number", { n: new Number(1) }, "payload.context.n: an instance of Number"],
  ])("rejects %s with a typed error that says where", async (_, context, message) => {
    const { one } = recording();
    await one.inside(async ({ tasks }) => {
      const scheduled = tasks.scheduleTaskIn(0, context);
      await expect(scheduled).rejects.toThrow(InvalidPayloadError);
      await expect(scheduled).rejects.toThrow(message);
    });
  });

  it("is kept as it was when it was scheduled", async () => {
    const { ran, one } = recording();
    const context = { list: [1] };
    await one.inside(({ tasks }) => {
      const scheduled = tasks.scheduleTaskIn(0, context);
      context.list.push(2);
      return scheduled;
    });
    await until(() => ran.length > 0, "the task");
    expect(ran[0]?.task.context).toEqual({ list: [1] });
  });
});
