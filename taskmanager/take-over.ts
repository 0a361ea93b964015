// Takes over what do-taskmanager 2.0.0-rc.0 has stored in this object: its pending tasks become
// messages, its recurring ones recurrences, its alarm the user's. All in one commit with the deletion
// of what was stored, so a crash leaves either everything as it was or everything taken over.
//
// It looks at every start, not once: an object that went back to do-taskmanager for a while and comes
// again has new entries.

import { type Mailbox, MailboxError } from "../mailbox/index.ts";
import { dateOf, MAX_AHEAD_MS, now as clockNow, schemaVersion } from "../mailbox/internal.ts";
import type { Before, StoredTask, TaskMessages } from "./task.ts";

const PREFIX = "$$_tasks";
const TASK_PREFIX = "$$_tasks::";
const ALARM_KEY = "$$_tasks_alarm";
/** Contexts that a message cannot carry stay in the key-value storage, which carries them. */
const CONTEXT_PREFIX = "$$_task_context::";
const PAGE = 100;
const SMALLEST_INTERVAL_MS = 100;
/**
 * An overdue recurring task begins so much ahead that its first time is not past when it is declared: then
 * the first would be skipped. In production the clock stands still meanwhile; locally it goes on.
 */
const AHEAD_MS = 1_000;

/** A task as do-taskmanager stored it; nothing is believed of its fields. */
interface Entry {
  readonly id?: unknown;
  readonly type: "SINGLE" | "RECURRING" | "ALARM";
  readonly scheduledAt?: unknown;
  readonly attempt?: unknown;
  readonly context?: unknown;
  readonly interval?: unknown;
  readonly retryInterval?: unknown;
  readonly previousError?: unknown;
}

/**
 * Takes over what there is, in the constructor, before the user's own code runs.
 *
 * @throws {NotSqliteError} when the class is not SQLite-backed
 */
export function takeOver(
  storage: DurableObjectStorage,
  mailbox: Mailbox<TaskMessages>,
  className: string,
): void {
  // Its storage cannot even be looked at: said here, by name, and not by what fails first.
  void schemaVersion(storage, className);
  const { kv } = storage;
  const alarm = kv.get(ALARM_KEY);
  if (alarm === undefined && pageOf(kv).length === 0) return;
  storage.transactionSync(() => {
    // The alarm that the platform has is the one of do-taskmanager, and not the user's.
    const at = finite(alarm instanceof Date ? alarm.getTime() : alarm);
    if (at === undefined) void storage.deleteAlarm();
    else void storage.setAlarm(Math.max(1, at));
    kv.delete(ALARM_KEY);
    for (;;) {
      const page = pageOf(kv);
      if (page.length === 0) return;
      for (const [key, entry] of page) {
        kv.delete(key);
        take(kv, mailbox, entry, key.slice(TASK_PREFIX.length));
      }
    }
  });
}

/** The first tasks that are still there. Whatever else has such a key is not ours. */
function pageOf(kv: SyncKvStorage): (readonly [key: string, entry: Entry])[] {
  const found: (readonly [string, Entry])[] = [];
  for (const [key, value] of kv.list({ prefix: PREFIX })) {
    if (key.startsWith(TASK_PREFIX) && isEntry(value)) found.push([key, value]);
    if (found.length === PAGE) break;
  }
  return found;
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  return value.type === "SINGLE" || value.type === "RECURRING" || value.type === "ALARM";
}

function take(kv: SyncKvStorage, mailbox: Mailbox<TaskMessages>, entry: Entry, keyId: string): void {
  // What the user's alarm is was read already: setAlarm left an entry for each time it was called.
  if (entry.type === "ALARM") return;
  const id = typeof entry.id === "string" && entry.id !== "" ? entry.id : keyId;
  const now = clockNow();
  const scheduledAt = Math.min(finite(entry.scheduledAt) ?? now, now + MAX_AHEAD_MS);
  const plannedAt = entry.type === "SINGLE" ? scheduledAt : Math.max(scheduledAt, now + AHEAD_MS);
  const before: Before = { id, attempts: Math.max(0, Math.floor(finite(entry.attempt) ?? 0)), plannedAt };
  const interval =
    entry.type === "SINGLE"
      ? undefined
      : Math.max(SMALLEST_INTERVAL_MS, finite(entry.interval) ?? SMALLEST_INTERVAL_MS);
  const send = (context: unknown, past: Before): void => {
    const retryInterval = positive(entry.retryInterval);
    const payload: StoredTask = {
      ...(context === undefined ? {} : { context }),
      ...(interval === undefined ? {} : { interval }),
      ...(retryInterval === undefined ? {} : { retryInterval }),
      before: past,
    };
    // The old id is the key, so that cancelTask finds it.
    const options = { key: id, ...(retryInterval === undefined ? {} : { backoff: retryInterval }) };
    if (interval === undefined) mailbox.sendLater(dateOf(plannedAt), "task", payload, options);
    else mailbox.sendEvery(interval, "task", payload, { ...options, startAt: dateOf(plannedAt) });
  };
  const { previousError } = entry;
  try {
    send(entry.context, { ...before, ...(previousError === undefined ? {} : { error: previousError }) });
  } catch (error) {
    if (!(error instanceof MailboxError)) throw error;
    // Structured clone carries more than a message does, and larger values.
    const contextKey = CONTEXT_PREFIX + id;
    kv.put(contextKey, entry.context);
    send(undefined, { ...before, contextKey });
  }
}

function finite(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function positive(value: unknown): number | undefined {
  const number = finite(value);
  return number === undefined || number < 0 || number > MAX_AHEAD_MS ? undefined : number;
}
