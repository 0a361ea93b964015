// The verbs of the task manager, each one verb of the mailbox. It holds no time and no alarm: a task is
// a message of the one type `task`, a recurring one a recurrence under a key of its own.

import { nanoid } from "nanoid";
import { dateOf, recurrenceId } from "../mailbox/internal.ts";
import type { Delivery, Mailbox, Policy } from "../mailbox/index.ts";
import type {
  PointInTime,
  StoredTask,
  Task,
  taskId,
  TaskManager,
  TaskMessages,
  TaskOptions,
  TaskProcessor,
} from "./task.ts";

/** The policy of every task that says nothing else: retried each minute, for ever. */
export const TASK_POLICY: Policy = { maxAttempts: Infinity, backoff: 60_000, timeout: "10 minutes" };

export class MailboxTasks implements TaskManager {
  readonly mailbox: Mailbox<TaskMessages>;
  readonly #kv: SyncKvStorage;
  /** A task that was taken over waits under its old id as a key, and a message that runs holds no key. */
  #running: { readonly id: taskId; readonly messageId: string } | undefined;

  constructor(mailbox: Mailbox<TaskMessages>, kv: SyncKvStorage) {
    this.mailbox = mailbox;
    this.#kv = kv;
  }

  // Async, so that what is refused rejects; what is written is written before they return.

  async scheduleTaskAt(time: PointInTime, context: unknown, options: TaskOptions = {}): Promise<taskId> {
    // As a Date, because a number of few digits is a moment here, as it was there, and not a mistake.
    return this.mailbox.sendLater(dateOf(Number(time)), "task", stored(context, options), policyOf(options));
  }

  async scheduleTaskIn(ms: number, context: unknown, options: TaskOptions = {}): Promise<taskId> {
    return this.mailbox.sendIn(Math.max(0, ms), "task", stored(context, options), policyOf(options));
  }

  async scheduleTaskEvery(ms: number, context: unknown, options: TaskOptions = {}): Promise<taskId> {
    // Each call makes a task of its own: the mailbox would take the same type and key for the same recurrence.
    const payload = { ...stored(context, options), interval: ms };
    return this.mailbox.sendEvery(ms, "task", payload, { key: nanoid(), ...policyOf(options) });
  }

  scheduleEvery(ms: number, context: unknown, options: TaskOptions = {}): Promise<taskId> {
    return this.scheduleTaskEvery(ms, context, options);
  }

  async cancelTask(id: taskId): Promise<void> {
    if (this.mailbox.cancel(id)) return;
    // One that was taken over: by its old id.
    if (this.mailbox.cancel(recurrenceId("task", String(id)))) return;
    if (this.mailbox.cancel({ type: "task", key: id })) return;
    const running = this.#running;
    if (running !== undefined && running.id === id) this.mailbox.cancel(running.messageId);
  }

  /** Runs one attempt of a task. */
  async process(object: TaskProcessor, payload: StoredTask, delivery: Delivery): Promise<void> {
    const task = this.#task(payload, delivery);
    const running = { id: task.id, messageId: delivery.id };
    this.#running = running;
    try {
      await object.processTask(task);
    } finally {
      // After a timeout it may be another's already.
      if (this.#running === running) this.#running = undefined;
    }
    // In the commit of the ack. A recurring task needs it again, and so does one that timed out.
    const key = payload.before?.contextKey;
    if (key !== undefined && task.type === "SINGLE" && !delivery.signal.aborted) this.#kv.delete(key);
  }

  #task({ context, interval, retryInterval, before }: StoredTask, delivery: Delivery): Task {
    // Attempts from before belong to the occurrence that was pending then.
    const earlier = before?.plannedAt === delivery.sentAt || interval === undefined ? before : undefined;
    const attempt = delivery.attempt + (earlier?.attempts ?? 0);
    const previousError = delivery.attempt > 1 ? this.#lastError(delivery) : earlier?.error;
    const base = {
      id: before?.id ?? delivery.recurrence ?? delivery.id,
      context: before?.contextKey === undefined ? context : this.#kv.get(before.contextKey),
      attempt,
      scheduledAt: delivery.dueAt,
      ...(previousError === undefined ? {} : { previousError }),
      ...(retryInterval === undefined ? {} : { retryInterval }),
    };
    return interval === undefined ? { ...base, type: "SINGLE" } : { ...base, type: "RECURRING", interval };
  }

  #lastError({ id }: Delivery): { name: string; message: string; stack?: string } | undefined {
    const record = this.mailbox.get(id)?.errors.at(-1);
    if (record === undefined) return undefined;
    const { name, message, stack } = record;
    return { name, message, ...(stack === undefined ? {} : { stack }) };
  }
}

/** The payload of a new task. */
function stored(context: unknown, options: TaskOptions): StoredTask {
  const retryInterval = retryIntervalOf(options);
  return {
    ...(context === undefined ? {} : { context: cloned(context) }),
    ...(retryInterval === undefined ? {} : { retryInterval }),
  };
}

/** As `storage.put` would have kept it: instances of classes become plain objects. */
function cloned(context: unknown): unknown {
  try {
    return structuredClone(context);
  } catch {
    // The mailbox says what cannot be carried, and where it is.
    return context;
  }
}

function retryIntervalOf({ retryInterval, retryInvertval }: TaskOptions): number | undefined {
  return retryInterval ?? retryInvertval;
}

function policyOf(options: TaskOptions): Policy {
  const retryInterval = retryIntervalOf(options);
  const { maxAttempts } = options;
  return {
    ...(retryInterval === undefined ? {} : { backoff: retryInterval }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  };
}
