// Runs one handler once: in one transaction when it is synchronous, with its sends held back when it
// is not, against its timeout, and says how it ended. What a handler throws is the user's, whatever
// it looks like; only what our own statements throw is the platform's, and that leaves by exception.

import { accept } from "./accept.ts";
import type { Attempt } from "./attempt.ts";
import { after, overAtOnce } from "./clock.ts";
import type { Core } from "./core.ts";
import type { Result } from "./decide.ts";
import { storedError } from "./envelope.ts";
import { AttemptTimedOutError, NonRetryableError, RefusedInHandlerError } from "./errors.ts";
import { abortIn, runIn, type SharedFrame } from "./frame.ts";
import type { Outbox } from "./outbox.ts";
import { retryAfterMs } from "./retry.ts";
import { formatDuration } from "./when.ts";

/** A run: the handler, and what is written with its end. */
export interface Run {
  readonly attempt: Attempt;
  /** Calls the user's function. */
  call(): unknown;
  readonly isAsync: boolean;
  readonly timeoutMs: number;
  /** Its end is one statement, so it needs no transaction when there is nothing else to write. */
  readonly isPlain?: boolean;
  /** Writes the end of a completed attempt, in the commit of what it did. */
  completed(result: Extract<Result, { kind: "completed" }>): void;
  /** What completed is committed. */
  committed?(): void;
  /** Writes the end of an attempt that did not complete, in a commit of its own. */
  failed(result: Exclude<Result, { kind: "completed" }>): void;
}

/**
 * Runs it. Answers undefined when all is done and written, and a promise when the handler is asynchronous.
 *
 * A crash inside a sync handler leaves nothing of it. A crash between the commit of a sync handler and
 * the next line leaves all of it, ack included. A crash while an async handler is awaited leaves its
 * own writes, none of its sends, and the message.
 *
 * @param frame shared with its page-mates by a handler that is declared sync
 */
export function run(core: Core, outbox: Outbox, run: Run, frame?: SharedFrame): Promise<void> | undefined {
  const { attempt } = run;
  if (run.isAsync) return settleLater(core, outbox, run, () => runIn(attempt, () => run.call()));
  const mark = core.events.mark;
  const { generation } = core;
  let answer: unknown;
  let isLater = false;
  let hasBegun = false;
  let hasReturned = false;
  try {
    const call = (): void => {
      answer = run.call();
      // Still the user's: what was returned may have a getter of its own.
      isLater = isThenable(answer);
    };
    core.storage.transactionSync(() => {
      hasBegun = true;
      if (frame === undefined) runIn(attempt, call);
      else frame.run(attempt, call);
      if (isLater && attempt.isSync) throw promised(attempt);
      hasReturned = true;
      if (isLater) {
        attempt.becomeAsync();
        return;
      }
      attempt.complete();
      run.completed({ kind: "completed", deferredTo: attempt.deferredTo });
    });
  } catch (error) {
    attempt.end();
    core.events.discard(mark);
    core.undone(generation);
    // What it answered is observed by nobody now.
    if (isLater) void new Promise((settle) => settle(answer)).catch(() => {});
    // Before it began, and after it had returned, it was our own statement that failed.
    if (!hasBegun || hasReturned) throw error;
    run.failed(resultOf(error));
    return undefined;
  }
  if (!isLater) {
    run.committed?.();
    return attempt.deleteAllRequested ? deleteAll(core) : undefined;
  }
  const later = settleLater(core, outbox, run, () => answer);
  return attempt.deleteAllRequested ? deleteAll(core).then(() => later) : later;
}

function promised({ subject }: Attempt): RefusedInHandlerError {
  return new RefusedInHandlerError(
    `The handler of ${subject.type} is declared sync and answered a promise; make it an async function, or leave \`sync\` out.`,
  );
}

async function settleLater(core: Core, outbox: Outbox, run: Run, begin: () => unknown): Promise<void> {
  try {
    const result = await ended(run, begin);
    // All storage may have been deleted while the handler was awaited.
    core.ready();
    writeEnd(core, outbox, run, result);
  } finally {
    core.running = undefined;
  }
}

function writeEnd(core: Core, outbox: Outbox, run: Run, result: Result): void {
  const { attempt } = run;
  if (result.kind !== "completed") {
    run.failed(result);
    return;
  }
  if (run.isPlain === true && result.deferredTo === undefined && attempt.buffered.length === 0) {
    run.completed(result);
    run.committed?.();
    return;
  }
  core.commit(() => {
    // The ack first: a key that the message held is free for what it sent.
    if (result.deferredTo === undefined) run.completed(result);
    for (const outgoing of attempt.buffered) {
      if (outgoing.to === "self") accept(core, outgoing.message, true);
      else outbox.write(outgoing.target, outgoing.message);
    }
    // A deferred message takes its key back only after that.
    if (result.deferredTo !== undefined) run.completed(result);
  });
  run.committed?.();
}

/** A handler that is awaited: how it ended, once it has, and whom to tell then. */
interface Ending {
  result: Result | undefined;
  tell: ((result: Result) => void) | undefined;
}

/** Most handlers are over at once, and need no timer. */
async function ended(run: Run, begin: () => unknown): Promise<Result> {
  const ending: Ending = { result: undefined, tell: undefined };
  void watch(run.attempt, begin, ending);
  await overAtOnce(() => ending.result !== undefined);
  return ending.result ?? inTime(run, ending);
}

/** @param begin calls an async function, or answers what a plain one has; if it throws, that has failed just the same */
async function watch(attempt: Attempt, begin: () => unknown, ending: Ending): Promise<void> {
  let result: Result;
  try {
    await begin();
    // Whatever comes after the timeout comes too late.
    if (attempt.state !== "running") return;
    attempt.complete();
    result = { kind: "completed", deferredTo: attempt.deferredTo };
  } catch (error) {
    if (attempt.state !== "running") return;
    attempt.end();
    result = resultOf(error);
  }
  ending.result = result;
  ending.tell?.(result);
}

function inTime({ attempt, timeoutMs }: Run, ending: Ending): Promise<Result> {
  attempt.waited = true;
  return new Promise((resolve) => {
    const cancelTimer = after(timeoutMs, () => {
      const error = new AttemptTimedOutError(
        `Attempt ${attempt.subject.attempt} of ${attempt.subject.type} ${attempt.subject.id} ran for more than ${formatDuration(timeoutMs)}; it may still be running, and can send nothing any more.`,
      );
      attempt.end();
      resolve({ kind: "failed", outcome: "timedOut", error: storedError(error), retryAfterMs: undefined });
      abortIn(attempt, error);
    });
    ending.tell = (result) => {
      cancelTimer();
      resolve(result);
    };
  });
}

function resultOf(error: unknown): Exclude<Result, { kind: "completed" }> {
  if (isNonRetryable(error)) return { kind: "rejected", error: storedError(error) };
  return { kind: "failed", outcome: "threw", error: storedError(error), retryAfterMs: retryAfterMs(error) };
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

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    "then" in value &&
    typeof value.then === "function"
  );
}

async function deleteAll(core: Core): Promise<void> {
  core.envelopes.endPage();
  const done = core.storage.deleteAll();
  core.wiped();
  await done;
}
