// Classes wrapped by withTaskManager that play what a test tells them, and a handle on one object.

import { DurableObject, env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import type { Settings } from "../../mailbox/index.ts";
import {
  type Task,
  type TaskManager,
  type TM_DurableObject,
  withTaskManager,
} from "../../taskmanager/index.ts";

/** What the objects of a test do. */
export interface TaskScript {
  readonly process?: (task: Task, self: TaskObject) => unknown;
  readonly alarm?: (info: AlarmInvocationInfo | undefined, self: TaskObject) => unknown;
  /** Runs at the end of the constructor. */
  readonly construct?: (self: TaskObject) => void;
}

/** What a script and a test see of an object. */
export interface TaskObject {
  readonly state: DurableObjectState;
  readonly tasks: TaskManager;
  alarm?(info?: AlarmInvocationInfo): void | Promise<void>;
}

interface TaskEnv {
  readonly TASK_MANAGER: TaskManager;
}

const scripts = new Map<string, TaskScript>();

const settings: Settings = { console: false };

const scriptOf = ({ id }: DurableObjectState): TaskScript => scripts.get(id.name ?? id.toString()) ?? {};

class Modern extends DurableObject<TaskEnv> implements TaskObject {
  static readonly kind = "modern";
  readonly tasks: TaskManager;

  constructor(state: DurableObjectState, bindings: TaskEnv) {
    super(state, bindings);
    this.tasks = bindings.TASK_MANAGER;
    scriptOf(state).construct?.(this);
  }

  get state(): DurableObjectState {
    return this.ctx;
  }

  async processTask(task: Task): Promise<void> {
    await scriptOf(this.ctx).process?.(task, this);
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await scriptOf(this.ctx).alarm?.(info, this);
  }

  async hello(): Promise<string> {
    return "by RPC";
  }
}

/** Of the time before DurableObject could be extended. */
class Legacy implements TM_DurableObject, TaskObject {
  readonly state: DurableObjectState;
  readonly tasks: TaskManager;

  constructor(state: DurableObjectState, bindings: TaskEnv) {
    this.state = state;
    this.tasks = bindings.TASK_MANAGER;
  }

  async fetch(request: Request): Promise<Response> {
    return new Response(await this.tasks.scheduleTaskIn(20, new URL(request.url).pathname));
  }

  // A plain function that answers a promise, as many are written.
  processTask(task: Task): Promise<void> {
    return this.state.storage.transaction(async () => {
      await scriptOf(this.state).process?.(task, this);
    });
  }

  async alarm(): Promise<void> {
    await scriptOf(this.state).alarm?.(undefined, this);
  }
}

class WithoutAlarm extends DurableObject<TaskEnv> {
  readonly state: DurableObjectState = this.ctx;
  readonly tasks: TaskManager = this.env.TASK_MANAGER;

  async processTask(): Promise<void> {}
}

const pasts = new WeakMap<DurableObjectState, DurableObjectStorage>();

/** Keeps the storage that is without a mailbox, for what happened before there was one. */
export class ModernTasks extends withTaskManager(Modern, settings) {
  constructor(state: DurableObjectState, bindings: TaskEnv) {
    const { storage } = state;
    super(state, bindings);
    pasts.set(state, storage);
  }
}

export const LegacyTasks = withTaskManager(Legacy, settings);
export const TwiceTasks = withTaskManager(withTaskManager(Modern, settings));
export const NoAlarmTasks = withTaskManager(WithoutAlarm, settings);

/** Its alarm is a field. */
export const FieldTasks = withTaskManager(
  class extends WithoutAlarm {
    override alarm = async (): Promise<void> => {
      await scriptOf(this.state).alarm?.(undefined, this);
    };
  },
);

/** Another library has wrapped the class before, as those do that make their objects by a Proxy. */
export const ProxiedTasks = withTaskManager(
  new Proxy(Legacy, {
    construct: (target, args) =>
      new Proxy(Reflect.construct(target, args) as Legacy, {
        get: (object, property) => Reflect.get(object, property, object) as unknown,
      }),
  }),
  settings,
);

/** Extends a wrapped class, with an alarm and a processTask of its own. */
export class ExtendedTasks extends NoAlarmTasks {
  override async processTask(task?: Task): Promise<void> {
    if (task !== undefined) await scriptOf(this.state).process?.(task, this);
  }

  override async alarm(): Promise<void> {
    await scriptOf(this.state).alarm?.(undefined, this);
  }
}

/** The bindings of these classes. */
export interface TaskNamespaces {
  readonly MODERN_TASKS: DurableObjectNamespace<Modern>;
  readonly LEGACY_TASKS: DurableObjectNamespace;
  readonly TWICE_TASKS: DurableObjectNamespace<Modern>;
  readonly NO_ALARM_TASKS: DurableObjectNamespace;
  readonly FIELD_TASKS: DurableObjectNamespace;
  readonly EXTENDED_TASKS: DurableObjectNamespace;
  readonly PROXIED_TASKS: DurableObjectNamespace;
}

/** An object with tasks, from outside. */
export interface Tasked {
  readonly name: string;
  stub(): DurableObjectStub;
  inside<T>(run: (object: TaskObject, state: DurableObjectState) => T | Promise<T>): Promise<T>;
  /** The storage without a mailbox over it, as it was before. */
  past<T>(run: (storage: DurableObjectStorage) => T | Promise<T>): Promise<T>;
  /** The same, and its instance ends with it: before an alarm that is set there can find it. */
  pastLife(run: (storage: DurableObjectStorage) => Promise<void>): Promise<void>;
  /** Runs the object's alarm by hand. */
  drain(): Promise<void>;
  evict(): Promise<void>;
  /** Replaces what it does; for a constructor, evict it then. */
  deploy(script: TaskScript): void;
}

let objects = 0;

/** A new object of a wrapped class that plays a script. */
export function tasked(script: TaskScript, binding: keyof TaskNamespaces = "MODERN_TASKS"): Tasked {
  const name = `tasks-${(objects += 1)}-${crypto.randomUUID()}`;
  scripts.set(name, script);
  const stub = (): DurableObjectStub => (env[binding] as DurableObjectNamespace).getByName(name);
  const inside: Tasked["inside"] = (run) =>
    runInDurableObject(stub(), (object, state) => run(object as unknown as TaskObject, state));
  const past = (state: DurableObjectState): DurableObjectStorage => {
    const storage = pasts.get(state);
    if (storage === undefined) throw new Error(`${binding} keeps no storage of the past.`);
    return storage;
  };
  return {
    name,
    stub,
    inside,
    past: (run) => inside((_, state) => run(past(state))),
    pastLife: async (run) => {
      let isStored = false;
      await inside((_, state) =>
        // Nothing gets in while it is blocked, and what waits to get in finds the next instance.
        state.blockConcurrencyWhile(async () => {
          await run(past(state));
          await state.storage.sync();
          isStored = true;
          state.abort("the end of a past life");
        }),
      ).catch(() => {});
      if (!isStored) throw new Error("The past life was not stored.");
    },
    drain: () =>
      inside(async (object) => {
        await object.alarm?.({ isRetry: false, retryCount: 0, scheduledTime: Date.now() });
      }),
    evict: () => evictDurableObject(stub()),
    deploy: (next) => void scripts.set(name, next),
  };
}
