// What the object sees of its context: everything as it is, but for the few members that would break
// the mailbox or that the mailbox takes the place of.

import type { Attempt } from "./attempt.ts";
import type { Core } from "./context.ts";
import { RefusedInHandlerError } from "../errors.ts";
import { currentAttempt, inScope, runningAttempt } from "./attempt-scope.ts";
import type { Outgoing } from "./send-buffer.ts";
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
  const attempt = runningAttempt(core);
  const sent = attempt?.mark();
  const mark = core.events.mark;
  core.transactions.begin();
  try {
    return core.storage.transactionSync(closure);
  } catch (error) {
    if (sent !== undefined) attempt?.takeBack(sent);
    forget(core, mark);
    throw error;
  } finally {
    core.transactions.end();
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
  return inTransaction(core, attempt, alarm, closure);
}

async function inTransaction<T>(
  core: Core,
  attempt: Attempt | undefined,
  alarm: Members,
  closure: (txn: DurableObjectTransaction) => Promise<T>,
): Promise<T> {
  const sent = new Set<Outgoing>();
  const mark = core.events.mark;
  let isOver = false;
  const rolledBack = (): void => {
    attempt?.buffer.drop((outgoing) => sent.has(outgoing));
    sent.clear();
    forget(core, mark);
  };
  const overlaid = (txn: DurableObjectTransaction): DurableObjectTransaction =>
    overlay(txn, {
      ...alarm,
      rollback: () => {
        txn.rollback();
        isOver = true;
        // At once: what the closure sends from here on is not part of the transaction any more.
        rolledBack();
      },
    });
  let isOpen = false;
  try {
    return await core.storage.transaction((txn) => {
      core.transactions.begin();
      isOpen = true;
      return inScope(sent, () => closure(overlaid(txn)));
    });
  } catch (error) {
    if (!isOver) rolledBack();
    throw error;
  } finally {
    if (isOpen) core.transactions.end();
    if (isOver) {
      // An alarm set in what is left of a closure after its rollback is stored, and never fires.
      core.wake.forget();
      core.wake.derive();
    }
  }
}

function forget(core: Core, mark: number): void {
  core.events.discard(mark);
  core.rolledBack();
}
