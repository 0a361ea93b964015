// What the object sees of its context: everything as it is, but for the few members that would break
// the mailbox or that the mailbox takes the place of. The user's own alarm is one row that rolls back
// with the user's transaction; the real alarm belongs to the wake.

import { currentAttempt } from "./attempt.ts";
import type { Core } from "./core.ts";
import type { Deliverer } from "./deliver.ts";
import { RefusedInHandlerError } from "./errors.ts";

type Members = Partial<Record<string | symbol, unknown>>;

/** Puts the overrides in place. A handle on storage that was taken before this bypasses them. */
export function overrideContext(core: Core, deliverer: Deliverer): void {
  const { ctx } = core;
  const alarm = userAlarm(core, deliverer);
  const storage = overlay(core.storage, {
    ...alarm,
    deleteAll: (options?: DurableObjectPutOptions) => deleteAll(core, options),
    transaction: <T>(closure: (txn: DurableObjectTransaction) => Promise<T>) =>
      transaction(core, alarm, closure),
    transactionSync: <T>(closure: () => T) => transactionSync(core, closure),
  });
  Object.defineProperty(ctx, "storage", { value: storage, configurable: true });
  const abort = ctx.abort.bind(ctx);
  Object.defineProperty(ctx, "abort", {
    configurable: true,
    // Abandoning the alarm would leave rows that nobody wakes for.
    value: (reason?: string, options?: { retryAlarm?: boolean }) =>
      options?.retryAlarm === false && core.exists() ? abort(reason) : abort(reason, options),
  });
}

/** A view of an object with some members in place of its own. Methods keep their real receiver. */
function overlay<T extends object>(target: T, members: Members): T {
  const bound = new Map<unknown, unknown>();
  return new Proxy(target, {
    get(object, property) {
      if (Object.hasOwn(members, property)) return members[property];
      const value: unknown = Reflect.get(object, property, object);
      if (typeof value !== "function") return value;
      let method = bound.get(value);
      if (method === undefined) {
        method = value.bind(object);
        bound.set(value, method);
      }
      return method;
    },
  });
}

function userAlarm(core: Core, deliverer: Deliverer): Members {
  return {
    getAlarm: () => {
      currentAttempt(core);
      if (!core.exists()) return Promise.resolve(core.alarmToAdopt ?? null);
      const alarm = core.meta.get("alarm");
      // As on the platform: while it runs it is not set, unless it was set anew.
      return Promise.resolve(alarm === undefined || deliverer.runningAlarm !== undefined ? null : alarm.time);
    },
    setAlarm: (time: number | Date) => {
      currentAttempt(core);
      const at = typeof time === "number" ? time : time.getTime();
      if (!(at > 0)) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
      if (core.config.alarm === undefined) {
        throw new TypeError(
          "Your Durable Object class must have an alarm() handler in order to call setAlarm()",
        );
      }
      core.ready();
      core.meta.set("alarm", { time: Math.ceil(at), retry: 0 });
      deliverer.runningAlarm = undefined;
      core.wake.arm(Math.ceil(at));
      return Promise.resolve();
    },
    deleteAlarm: () => {
      currentAttempt(core);
      core.adoptNothing();
      if (core.exists()) core.meta.clear("alarm");
      return Promise.resolve();
    },
  };
}

function deleteAll(core: Core, options: DurableObjectPutOptions | undefined): Promise<void> {
  const attempt = currentAttempt(core);
  if (attempt?.mode === "sync") {
    // Inside the handler's savepoint it would wipe at once and then throw: it follows the commit.
    attempt.deleteAllRequested = true;
    return Promise.resolve();
  }
  const done = core.storage.deleteAll(options);
  core.wiped();
  return done;
}

function transactionSync<T>(core: Core, closure: () => T): T {
  const mark = core.events.mark;
  try {
    return core.storage.transactionSync(closure);
  } catch (error) {
    core.events.discard(mark);
    core.rolledBack();
    throw error;
  }
}

function transaction<T>(
  core: Core,
  alarm: Members,
  closure: (txn: DurableObjectTransaction) => Promise<T>,
): Promise<T> {
  if (currentAttempt(core)?.mode === "sync") {
    throw new RefusedInHandlerError(
      "ctx.storage.transaction() is asynchronous, so it would run after this handler's commit, and also when the handler throws; use ctx.storage.transactionSync(), or an async handler.",
    );
  }
  const mark = core.events.mark;
  let isRolledBack = false;
  const run = core.storage.transaction((txn) =>
    closure(
      overlay(txn, {
        ...alarm,
        rollback: () => {
          isRolledBack = true;
          txn.rollback();
        },
      }),
    ),
  );
  return run.then(
    (value) => {
      if (isRolledBack) forget(core, mark);
      return value;
    },
    (error: unknown) => {
      forget(core, mark);
      throw error;
    },
  );
}

function forget(core: Core, mark: number): void {
  core.events.discard(mark);
  core.rolledBack();
}
