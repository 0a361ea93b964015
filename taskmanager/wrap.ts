// Gives a class its tasks: a mailbox in each of its objects, made before the class's own constructor
// runs, which may schedule already. The class itself, and its storage, stay as they are.

import { type Delivery, Mailbox, type Settings } from "../mailbox/index.ts";
import { MailboxTasks, TASK_POLICY } from "./manager.ts";
import { takeOver } from "./take-over.ts";
import type { StoredTask, Task, TaskMessages, TaskProcessor, TM_DO_class, TM_Env, Untyped } from "./task.ts";

/** Any class with `processTask`, whatever it extends. */
export type TaskClass = new (...args: Untyped[]) => { processTask(task: Task): unknown };

/** For all copies of the library: a class wrapped by one is not wrapped by another. */
const WRAPPED = Symbol.for("durable-mailbox.taskmanager");

const LARGEST_PAYLOAD_BYTES = 1.5 * 1024 * 1024;

/**
 * Wraps a Durable Object class, so that its objects have `env.TASK_MANAGER`, and their `processTask`
 * is called when a task is due. To wrap a class twice is harmless. Its own alarm goes on to work.
 *
 * An object of a class that is not SQLite-backed throws a `NotSqliteError` when it is made.
 *
 * @param settings those of the mailbox, such as `onEvent`, which is told of every failure
 */
export function withTaskManager<C extends TaskClass>(do_class: C, settings?: Settings): C;
export function withTaskManager<T extends TM_Env>(
  do_class: TM_DO_class<T>,
  settings?: Settings,
): TM_DO_class<T>;
export function withTaskManager(do_class: TaskClass, settings: Settings = {}): TaskClass {
  if (WRAPPED in do_class) return do_class;
  const wrapped = class extends do_class {
    readonly #mailbox: Mailbox<TaskMessages>;

    constructor(...args: Untyped[]) {
      const [state, env, ...rest] = args as [DurableObjectState, object, ...unknown[]];
      const host = new Host(settings);
      const tasks = host.tasks(state, env, do_class.name);
      super(state, { ...env, TASK_MANAGER: tasks }, ...rest);
      this.#mailbox = tasks.mailbox;
      host.made(this);
      // The platform calls an own `alarm` before one of the class, which is the user's. Fixed: a field
      // of a subclass would silently take its place.
      Object.defineProperty(this, "alarm", {
        value: (info?: AlarmInvocationInfo): Promise<void> => tasks.mailbox.wake(info),
      });
    }

    /** What refs call, where the class extends DurableObject. */
    mailboxCall(call: string): Promise<string> {
      return this.#mailbox.call(call);
    }
  };
  Object.defineProperty(wrapped, "name", { value: do_class.name });
  Object.defineProperty(wrapped, WRAPPED, { value: true });
  return wrapped;
}

/** One object of a wrapped class, from before it is made. */
class Host {
  #object: TaskProcessor | undefined;
  #alarm: unknown;
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  tasks(state: DurableObjectState, env: object, className: string): MailboxTasks {
    const alarm = (info: AlarmInvocationInfo): unknown => this.#runAlarm(info);
    const hasAlarm = (): boolean => this.#hasAlarm();
    const mailbox = new Mailbox<TaskMessages>(
      state,
      env,
      {
        receive: {
          task: {
            ...TASK_POLICY,
            // Async, whatever processTask is: it may use what a synchronous handler may not.
            handle: async (payload: StoredTask, delivery: Delivery) => {
              await tasks.process(this.#made(), payload, delivery);
            },
          },
        },
        maxPayloadBytes: LARGEST_PAYLOAD_BYTES,
        minInterval: 100,
        ...this.#settings,
        // Asked with each use: in its constructor an object may set an alarm, whatever its class has.
        get alarm() {
          return hasAlarm() ? alarm : undefined;
        },
      },
      className,
    );
    const tasks = new MailboxTasks(mailbox, state.storage.kv);
    takeOver(state.storage, mailbox, className);
    return tasks;
  }

  /** The object is there, and its `alarm` is still its own. */
  made(object: object): void {
    this.#object = object as TaskProcessor;
    this.#alarm = Reflect.get(object, "alarm");
  }

  #made(): TaskProcessor {
    if (this.#object === undefined) throw new Error("The object's constructor has not ended.");
    return this.#object;
  }

  #hasAlarm(): boolean {
    return this.#object === undefined || typeof this.#alarm === "function";
  }

  #runAlarm(info: AlarmInvocationInfo): unknown {
    return typeof this.#alarm === "function" ? Reflect.apply(this.#alarm, this.#made(), [info]) : undefined;
  }
}
