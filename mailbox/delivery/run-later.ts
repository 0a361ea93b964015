// A run of a handler that is awaited: against its timeout, with its sends held back until it has ended.

import { acceptAll } from "../lifecycle/accept.ts";
import type { Attempt } from "../host/attempt.ts";
import type { Accepting } from "../message/envelope.ts";
import { after } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import type { Result } from "../message/decide.ts";
import { storedError } from "../message/thrown.ts";
import { AttemptTimedOutError } from "../errors.ts";
import { abortIn, runIn } from "../host/attempt-scope.ts";
import type { Outgoing } from "../host/send-buffer.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { resultOf, type Runnable } from "./runnable.ts";
import { formatDuration } from "../time/duration.ts";

/** Calls an async handler, and settles how it ends. */
export function runLater(core: Core, outbox: Outbox, run: Runnable): Promise<void> {
  return settleLater(core, outbox, run, () => runIn(run.attempt, () => run.call()));
}

/** @param begin calls an async function, or answers the promise that a plain one has answered */
export async function settleLater(
  core: Core,
  outbox: Outbox,
  run: Runnable,
  begin: () => unknown,
): Promise<void> {
  try {
    const result = await ended(run, begin);
    // It may have ended in the middle of a transaction, which would take its outcome along.
    await core.transactions.over();
    // All storage may have been deleted while the handler was awaited.
    core.ready();
    writeEnd(core, outbox, run, result);
  } finally {
    core.running = undefined;
    run.attempt.release();
  }
}

function writeEnd(core: Core, outbox: Outbox, run: Runnable, result: Result): void {
  const { attempt } = run;
  if (result.kind !== "completed") {
    run.failed(result);
    return;
  }
  if (run.isPlain === true && result.deferredTo === undefined && attempt.buffered.length === 0) {
    run.completed(result);
  } else {
    core.commit(() => writeCompleted(core, outbox, run, result));
  }
  run.committed?.();
}

/**
 * Writes the end of an attempt that has completed, and what it has sent, in the present commit. There is
 * nothing left to refuse: what could be was refused at the send.
 */
export function writeCompleted(
  core: Core,
  outbox: Outbox,
  run: Runnable,
  result: Extract<Result, { kind: "completed" }>,
): void {
  const { attempt } = run;
  // The ack first: a key that the message held is free for what it sent.
  if (result.deferredTo === undefined) run.completed(result);
  // Nobody wants what is sent by work that was called off.
  if (attempt.cancelledBy !== "another") writeSends(core, outbox, attempt.buffered);
  // A deferred message takes its key back only after that.
  if (result.deferredTo !== undefined) run.completed(result);
}

function writeSends(core: Core, outbox: Outbox, sends: readonly Outgoing[]): void {
  if (sends.length === 0) return;
  const own: Accepting[] = [];
  for (const outgoing of sends) {
    if (outgoing.to === "self") own.push(outgoing.message);
    else outbox.write(outgoing.target, outgoing.message);
  }
  acceptAll(core, own, true);
}

/** How it has ended. Most handlers are over at once, and need no timer: it is started when somebody has to wait. */
function ended({ attempt, timeoutMs }: Runnable, begin: () => unknown): Promise<Result> {
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

/** @param begin calls an async function, or answers what a plain one has; if it throws, that has failed just the same */
async function watch(attempt: Attempt, begin: () => unknown, tell: (result: Result) => void): Promise<void> {
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
  tell(result);
}
