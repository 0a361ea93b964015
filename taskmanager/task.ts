// The names of do-taskmanager, and what of a task is stored as a message's payload.

import type { Mailbox } from "../mailbox/index.ts";

// Code written for do-taskmanager reads `task.context.url` without saying what a context is, and a
// class can be extended only where its constructor takes `any[]`.
// oxlint-disable-next-line typescript/no-explicit-any
export type Untyped = any;

/** Epoch milliseconds or a Date. */
export type PointInTime = number | Date;

/** What a scheduling verb answers; it is the task's for life. */
export type taskId = string;

/** What `processTask` gets. */
export type Task<Context = Untyped> = SingleTask<Context> | RecurringTask<Context>;

interface TaskBase<Context> {
  /** The id that was answered when it was scheduled, for every attempt and occurrence. */
  id: taskId;
  /** What was given when it was scheduled. */
  context: Context;
  /** Which attempt this is, counted from 1; a recurring task counts anew with each occurrence. */
  attempt: number;
  /** When this attempt was due, in epoch milliseconds. */
  scheduledAt?: number;
  /** What the attempt before threw: its name, message and stack. */
  previousError?: Untyped;
  /** The wait after a failed attempt, where one was given. */
  retryInterval?: number;
}

export interface SingleTask<Context = Untyped> extends TaskBase<Context> {
  type: "SINGLE";
}

export interface RecurringTask<Context = Untyped> extends TaskBase<Context> {
  type: "RECURRING";
  /** In milliseconds. */
  interval: number;
}

/** What a class needs for tasks. */
export interface TaskProcessor {
  processTask(task: Task): Promise<void>;
}

/** A Durable Object that processes tasks: for `implements`, whatever the class extends. */
export type TM_DurableObject = DurableObject & TaskProcessor;

/** The bindings that a wrapped class sees. */
export interface TM_Env {
  TASK_MANAGER: TaskManager;
}

/** A class as do-taskmanager types it. */
export type TM_DO_class<T extends TM_Env> = new (
  state: DurableObjectState,
  env: T,
  ...args: Untyped[]
) => TM_DurableObject;

/** How a failed task is retried. */
export interface TaskOptions {
  /** The wait after a failed attempt, in milliseconds. @default 60_000 */
  readonly retryInterval?: number;
  /** The same, as the README of do-taskmanager spells it. */
  readonly retryInvertval?: number;
  /** Attempts before the task is a dead letter, the first included: 1 to 1,000,000. @default Infinity */
  readonly maxAttempts?: number;
}

/** Schedules tasks of the object that holds it: `env.TASK_MANAGER` of a wrapped class. */
export interface TaskManager {
  /** Schedules a task for a time; a past one is due at once. */
  scheduleTaskAt(time: PointInTime, context: unknown, options?: TaskOptions): Promise<taskId>;
  /** Schedules a task for so many milliseconds from now. */
  scheduleTaskIn(ms: number, context: unknown, options?: TaskOptions): Promise<taskId>;
  /** Schedules a task for every so many milliseconds, 100 or more, the first time after one interval. */
  scheduleTaskEvery(ms: number, context: unknown, options?: TaskOptions): Promise<taskId>;
  /** The same, as the README of do-taskmanager calls it. */
  scheduleEvery(ms: number, context: unknown, options?: TaskOptions): Promise<taskId>;
  /** Cancels a task by the id that it was scheduled under, also after retries and recurrences. */
  cancelTask(id: taskId): Promise<void>;
  /** The mailbox that the tasks are in, with everything else it can do: dead letters, pause, stats. */
  readonly mailbox: Mailbox<TaskMessages>;
}

/** The messages of the mailbox that the tasks are in; for `ref<TaskMessages>(env.MY_OBJECTS, name)`. */
export interface TaskMessages {
  task: StoredTask;
}

/** A task as a payload. */
export interface StoredTask {
  /** Absent for `undefined`. */
  readonly context?: unknown;
  /** Present when it recurs. */
  readonly interval?: number;
  readonly retryInterval?: number;
  /** What do-taskmanager knew of it, when it was taken over. */
  readonly before?: Before;
}

/** A task's earlier life under do-taskmanager. */
export interface Before {
  readonly id: taskId;
  /** Attempts of the occurrence that was pending, and what the last one threw. */
  readonly attempts: number;
  readonly error?: unknown;
  /** The occurrence to which they belong. */
  readonly plannedAt: number;
  /** The key of `ctx.storage.kv` under which the context is, where a message cannot carry it. */
  readonly contextKey?: string;
}
