// What the object sees of its context: everything as it is, but for the few members that would break
// the mailbox or that the mailbox takes the place of.

import type { Core } from "./context.ts";
import { RefusedInHandlerError } from "../errors.ts";
import { currentAttempt } from "./attempt-scope.ts";
import type { Transaction } from "./transactions.ts";
import { alarmMembers } from "./user-alarm.ts";

type Members = Partial<Record<string | symbol, unknown>>;

const withMailbox = new WeakSet<DurableObjectState>();

/** Whether there is a mailbox in this object already: its rows and its alarm are that one's. */
export function hasMailbox(ctx: DurableObjectState): boolean {
  return withMailbox.has(ctx);
}

/** Puts the overrides in place. A handle on storage that was taken before this bypasses them. */
export function overrideContext(core: Core): void {
  const { ctx } = core;
  withMailbox.add(ctx);
  const alarm = alarmMembers(core);
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

function deleteAll(core: Core, options: DurableObjectPutOptions | undefined): Promise<void> {
  const attempt = currentAttempt(core);
  // Whoever asks, what is buffered by now was sent before. What is sent from here on survives.
  core.running?.buffer.dropAll();
  const wipe = (): Promise<void> => {
    const done = core.storage.deleteAll(options);
    core.wiped();
    return done;
  };
  return attempt?.mode === "sync" ? attempt.wipeLater(wipe) : wipe();
}

function transactionSync<T>(core: Core, closure: () => T): T {
  const { storage, transactions } = core;
  const mark = core.mark();
  try {
    return transactions.run(() => storage.transactionSync(closure));
  } catch (error) {
    core.undo(mark);
    throw error;
  }
}

function transaction<T>(
  core: Core,
  alarm: Members,
  closure: (txn: DurableObjectTransaction) => Promise<T>,
): Promise<T> {
  const attempt = currentAttempt(core);
  if (attempt?.mode === "sync") {
    throw new RefusedInHandlerError(
      "ctx.storage.transaction() is asynchronous, so it would run after this handler's commit, and also when the handler throws; use ctx.storage.transactionSync(), or an async handler.",
    );
  }
  return inTransaction(core, alarm, closure);
}

async function inTransaction<T>(
  core: Core,
  alarm: Members,
  closure: (txn: DurableObjectTransaction) => Promise<T>,
): Promise<T> {
  const { events, storage, transactions } = core;
  const own: { begun?: Transaction; mark: number; isRolledBack: boolean } = { mark: 0, isRolledBack: false };
  const rolledBack = (): void => {
    if (own.isRolledBack) return;
    own.isRolledBack = true;
    own.begun?.rollBack();
    events.discard(own.mark);
    core.rolledBack();
  };
  try {
    const answer = await storage.transaction((txn) => {
      // Only now: until then it has waited for others, and what was done meanwhile is no part of it.
      own.mark = events.mark;
      own.begun = transactions.begin();
      const rollback = (): void => {
        txn.rollback();
        // At once: what the closure sends from here on is not part of the transaction any more.
        rolledBack();
      };
      return own.begun.enter(() => closure(overlay(txn, { ...alarm, rollback })));
    });
    own.begun?.commit();
    return answer;
  } catch (error) {
    if (own.begun !== undefined) rolledBack();
    throw error;
  } finally {
    if (own.begun !== undefined) transactions.end(own.begun);
    if (own.isRolledBack) {
      // An alarm set in what is left of a closure after its rollback is stored, and never fires.
      core.wake.forget();
      core.wake.derive();
    }
  }
}
