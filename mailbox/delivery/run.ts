// Runs one handler once, and writes how it has ended: in a savepoint of its own while it is synchronous,
// against its timeout while it is awaited. What a handler throws is the user's, whatever it looks like;
// only what our own statements throw is the platform's, and that leaves by exception.

import { AttemptTimedOutError, NonRetryableError } from "../errors.ts";
import type { Attempt } from "../host/attempt.ts";
import { abortIn, runIn } from "../host/attempt-scope.ts";
import type { Core } from "../host/context.ts";
import { isThenable } from "../host/handlers.ts";
import { retryAtOf } from "../host/retry-after.ts";
import { acceptAll } from "../lifecycle/accept.ts";
import type { Result } from "../message/decide.ts";
import type { Accepting } from "../message/envelope.ts";
import { storedError } from "../message/thrown.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { after, now as clockNow } from "../time/clock.ts";
import { formatDuration } from "../time/duration.ts";

export type Completed = Extract<Result, { kind: "completed" }>;
export type Failed = Exclude<Result, Completed>;

/** What is run: the user's function, and what is written with its end. */
export interface Execution {
  readonly attempt: Attempt;
  /** Calls the user's function. */
  call(): unknown;
  readonly isAsync: boolean;
  readonly timeoutMs: number;
  /** Its end is one statement, so it needs no transaction when there is nothing else to write. */
  readonly isPlain?: boolean;
  /** Writes the end of a completed attempt, in the commit of what it did. */
  completed(result: Completed): void;
  /** What completed is committed. */
  committed?(): void;
  /** Writes the end of an attempt that did not complete, in a commit of its own. */
  failed(result: Failed): void;
}

/** What a plain function did when it was called. */
type Answer =
  | { readonly kind: "returned" }
  | { readonly kind: "promised"; readonly promise: unknown }
  | { readonly kind: "threw"; readonly error: unknown };

const RETURNED: Answer = { kind: "returned" };
const ROLLBACK = Symbol("rollback");

/**
 * Runs it. Answers undefined when all is done and written; a promise when it has to be awaited.
 *
 * A crash inside a sync handler leaves nothing of it. A crash after its savepoint and before the commit of its
 * turn leaves nothing of it either, nor of its page-mates: all of them run again. A crash while an async handler
 * is awaited leaves its own writes, none of its sends, and the message.
 */
export function run(core: Core, outbox: Outbox, execution: Execution): Promise<void> | undefined {
  return execution.isAsync
    ? runAsync(core, outbox, execution, () => runIn(execution.attempt, () => execution.call()))
    : runSync(core, outbox, execution);
}

/** Calls a plain function. The savepoint is what takes back what it did, and nothing of its page-mates, if it throws. */
function runSync(core: Core, outbox: Outbox, execution: Execution): Promise<void> | undefined {
  const { attempt } = execution;
  const mark = core.mark();
  let answer = RETURNED;
  try {
    core.storage.transactionSync(() => {
      answer = answerOf(execution);
      if (answer.kind === "threw") throw ROLLBACK;
      if (answer.kind === "promised") attempt.becomeAsync();
      else writeCompleted(core, outbox, execution);
    });
  } catch (error) {
    attempt.rolledBack();
    core.undo(mark);
    if (error !== ROLLBACK) {
      observe(answer);
      throw error;
    }
  }
  return ended(core, outbox, execution, answer);
}

function ended(core: Core, outbox: Outbox, execution: Execution, answer: Answer): Promise<void> | undefined {
  const { attempt } = execution;
  switch (answer.kind) {
    case "promised":
      attempt.wipe();
      return runAsync(core, outbox, execution, () => answer.promise);
    case "threw":
      execution.failed(resultOf(answer.error));
      break;
    case "returned":
      execution.committed?.();
      break;
  }
  core.running = undefined;
  attempt.release();
  return undefined;
}

function answerOf(execution: Execution): Answer {
  const { attempt } = execution;
  try {
    return runIn(attempt, (): Answer => {
      const promise = execution.call();
      // Still the user's: what was returned may have a getter of its own.
      if (isThenable(promise)) return { kind: "promised", promise };
      attempt.refuseWipe();
      return RETURNED;
    });
  } catch (error) {
    return { kind: "threw", error };
  }
}

/** What a handler answered that was rolled back is observed by nobody now. */
function observe(answer: Answer): void {
  if (answer.kind === "promised") new Promise((settle) => settle(answer.promise)).catch(() => {});
}

/**
 * Awaits an attempt and settles how it ends.
 *
 * @param begin calls an async function, or answers the promise that a plain one has answered
 */
async function runAsync(
  core: Core,
  outbox: Outbox,
  execution: Execution,
  begin: () => unknown,
): Promise<void> {
  const { attempt } = execution;
  try {
    const result = await resultOfAsync(execution, begin);
    // It may have ended in the middle of a transaction, which would take its outcome along.
    if (core.transactions.areOpen) await core.transactions.over();
    // All storage may have been deleted while the handler was awaited.
    core.ready();
    if (result.kind !== "completed") {
      execution.failed(result);
      return;
    }
    const isOneStatement =
      execution.isPlain === true && attempt.deferredTo === undefined && attempt.buffered.length === 0;
    if (isOneStatement) execution.completed(result);
    else core.commit(() => writeEnd(core, outbox, execution, result));
    execution.committed?.();
  } finally {
    core.running = undefined;
    attempt.release();
  }
}

function writeCompleted(core: Core, outbox: Outbox, execution: Execution): void {
  const { attempt } = execution;
  attempt.complete();
  writeEnd(core, outbox, execution, { kind: "completed", deferredTo: attempt.deferredTo });
}

/**
 * Writes the end of an attempt that has completed, and what it has sent, in the present commit. There is nothing
 * left to refuse: what could be was refused at the send.
 */
function writeEnd(core: Core, outbox: Outbox, execution: Execution, result: Completed): void {
  // The ack first: a key that the message held is free for what it sent.
  if (result.deferredTo === undefined) execution.completed(result);
  writeSends(core, outbox, execution.attempt);
  // A deferred message takes its key back only after that.
  if (result.deferredTo !== undefined) execution.completed(result);
}

function writeSends(core: Core, outbox: Outbox, { buffered, cancelledBy }: Attempt): void {
  // Nobody wants what is sent by work that was called off.
  if (buffered.length === 0 || cancelledBy === "another") return;
  const own: Accepting[] = [];
  for (const outgoing of buffered) {
    if (outgoing.to === "self") own.push(outgoing.message);
    else outbox.write(outgoing.target, outgoing.message, outgoing.aside);
  }
  acceptAll(core, own, true);
}

/** How it has ended. Most handlers are over at once, and need no timer: it is started when somebody has to wait. */
function resultOfAsync({ attempt, timeoutMs }: Execution, begin: () => unknown): Promise<Result> {
  return new Promise((resolve) => {
    let cancelTimer: (() => void) | undefined;
    attempt.onWait(() => {
      cancelTimer = after(timeoutMs, () => {
        const error = new AttemptTimedOutError(
          `Attempt ${attempt.subject.attempt} of ${attempt.subject.type} ${attempt.subject.id} ran for more than ${formatDuration(timeoutMs)}; it may still be running, and can send nothing any more.`,
        );
        attempt.end();
        resolve({ kind: "failed", outcome: "timedOut", error: storedError(error), retryAt: undefined });
        abortIn(attempt, error);
      });
    });
    void watch(attempt, begin, (result) => {
      cancelTimer?.();
      resolve(result);
    });
  });
}

/** Tells how it has ended, unless that comes too late: after its timeout. */
async function watch(attempt: Attempt, begin: () => unknown, tell: (result: Result) => void): Promise<void> {
  let result: Result;
  try {
    await begin();
    if (attempt.state !== "running") return;
    attempt.complete();
    result = { kind: "completed", deferredTo: attempt.deferredTo };
  } catch (error) {
    if (attempt.state !== "running") return;
    attempt.end();
    result = resultOf(error);
  }
  tell(result);
}

function resultOf(error: unknown): Failed {
  if (isNonRetryable(error)) return { kind: "rejected", error: storedError(error) };
  const retryAt = retryAtOf(error, clockNow());
  return { kind: "failed", outcome: "threw", error: storedError(error), retryAt };
}

function isNonRetryable(error: unknown): boolean {
  try {
    // By name too: the class loses its identity over RPC and when a bundle holds the library twice.
    return (
      error instanceof NonRetryableError || (error instanceof Error && error.name === "NonRetryableError")
    );
  } catch {
    // What was thrown cannot even be looked at.
    return false;
  }
}
