// What do-taskmanager 2.0.0-rc.0 leaves in an object: entries written by `storage.put`, as it writes
// them, to a storage that has no mailbox yet.

import { tasked, type TaskScript } from "./tasks.ts";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
let made = 0;

/** An id as do-taskmanager makes it: 48 bits of time, then what tells it from others. */
function ulid(time: number): string {
  const digits = (value: number, length: number): string =>
    Array.from({ length }, (_, n) => CROCKFORD[Math.floor(value / 32 ** (length - 1 - n)) % 32]).join("");
  return digits(time, 10) + digits((made += 1), 16);
}

export interface OldTask {
  readonly type: "SINGLE" | "RECURRING" | "ALARM";
  readonly scheduledAt: number;
  readonly attempt?: number;
  readonly context?: unknown;
  readonly interval?: number;
  readonly retryInterval?: number;
  readonly previousError?: unknown;
}

export async function putOld(
  storage: DurableObjectStorage,
  task: OldTask,
  keyTime = task.scheduledAt,
): Promise<string> {
  const id = ulid(keyTime);
  await storage.put(`$$_tasks::${id}`, { attempt: 0, context: undefined, ...task, id });
  return id;
}

/** An object as do-taskmanager left it: tasks, perhaps the user's alarm, and its own alarm. */
export async function leftBehind(script: TaskScript, tasks: readonly OldTask[], alarm?: number) {
  const one = tasked(script);
  const ids: string[] = [];
  await one.pastLife(async (storage) => {
    for (const task of tasks) ids.push(await putOld(storage, task));
    if (alarm !== undefined) await storage.put("$$_tasks_alarm", alarm);
    await storage.put("own", "kept");
    await storage.setAlarm(Math.max(1, Math.min(...tasks.map(({ scheduledAt }) => scheduledAt))));
  });
  return { one, ids };
}
