// Code written for do-taskmanager compiles with another import; checked by the compiler alone.

import { DurableObject } from "cloudflare:workers";
import { expectTypeOf } from "vitest";
import {
  type PointInTime,
  type RecurringTask,
  type SingleTask,
  type Task,
  type taskId,
  type TaskManager,
  type TM_DurableObject,
  withTaskManager,
} from "durable-mailbox/taskmanager";

interface Env {
  TASK_MANAGER: TaskManager;
}

class Classic implements TM_DurableObject {
  protected readonly env: Env;

  constructor(_state: DurableObjectState, env: Env) {
    this.env = env;
  }

  async processTask(task: Task): Promise<void> {
    // A context is whatever the code says it is.
    const url: string = task.context.url;
    const message: string = task.previousError.message;
    expectTypeOf(task.id).toEqualTypeOf<taskId>();
    expectTypeOf(task.attempt).toEqualTypeOf<number>();
    if (task.type === "RECURRING") {
      expectTypeOf(task).toEqualTypeOf<RecurringTask>();
      expectTypeOf(task.interval).toEqualTypeOf<number>();
    } else {
      expectTypeOf(task).toEqualTypeOf<SingleTask>();
      // @ts-expect-error only a recurring task has an interval
      expectTypeOf(task.interval);
    }
    await this.env.TASK_MANAGER.scheduleTaskIn(1_000, { url, message });
  }

  async fetch(): Promise<Response> {
    const when: PointInTime = new Date();
    const tasks = this.env.TASK_MANAGER;
    const id: taskId = await tasks.scheduleTaskAt(when, "x", { retryInvertval: 30_000 });
    await tasks.scheduleTaskEvery(60_000, "x", { retryInterval: 30_000, maxAttempts: 5 });
    await tasks.scheduleEvery(60_000, "x");
    expectTypeOf(tasks.cancelTask(id)).toEqualTypeOf<Promise<void>>();
    // @ts-expect-error a misspelt option
    await tasks.scheduleTaskIn(1, "x", { retryIntervall: 1 });
    return new Response();
  }
}

class Modern extends DurableObject<Env> {
  async processTask(task: Task<{ url: string }>): Promise<void> {
    expectTypeOf(task.context).toEqualTypeOf<{ url: string }>();
  }

  hello(): string {
    return this.env.TASK_MANAGER.mailbox.stats().paused ? "paused" : "hello";
  }
}

// What comes out is the class that went in, so that its namespace still knows its methods.
expectTypeOf(withTaskManager(Modern)).toEqualTypeOf<typeof Modern>();
expectTypeOf(withTaskManager(withTaskManager(Classic))).toEqualTypeOf<typeof Classic>();
// The type parameter that do-taskmanager has.
expectTypeOf(
  new (withTaskManager<Env>(Classic))({} as DurableObjectState, {} as Env),
).toEqualTypeOf<TM_DurableObject>();
// @ts-expect-error the class has no processTask
withTaskManager(class extends DurableObject<Env> {});
