// In which async context a handler runs, so that a send knows which attempt, and so which commit, it
// belongs to, also after an await; and left-over work of a dead attempt is told so.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt } from "./attempt.ts";
import type { Core } from "./context.ts";
import { AttemptEndedError } from "../errors.ts";

const attempts = new AsyncLocalStorage<Attempt>();

/** Calls a handler in a context of its own: all it calls and awaits belongs to the attempt. */
export function runIn<R>(attempt: Attempt, call: () => R): R {
  return attempts.run(attempt, call);
}

/** Aborts the signal of an attempt. Who listens to it is part of the attempt, whoever aborts it. */
export function abortIn(attempt: Attempt, reason: unknown): void {
  runIn(attempt, () => attempt.abort(reason));
}

/**
 * The message that runs was cancelled. Once that is committed its attempt is told by its signal, unless it did
 * it itself.
 *
 * @param by the attempt of whoever cancels, if there is one
 */
export function cancelRunning(
  { running, transactions }: Pick<Core, "running" | "transactions">,
  by: Attempt | undefined,
  why: string,
): void {
  if (running === undefined) return;
  transactions.whenCommitted(() => {
    if (running === by) {
      running.cancelledBy ??= "itself";
      return;
    }
    running.cancelledBy = "another";
    abortIn(running, new Error(why));
  });
}

/**
 * The attempt of this mailbox that the calling code belongs to; undefined outside any, and for what
 * a completed attempt left behind.
 *
 * @throws {AttemptEndedError} for left-over work of an attempt that failed or timed out
 */
export function currentAttempt(owner: object): Attempt | undefined {
  const attempt = attempts.getStore();
  // Objects of one isolate share the store.
  if (attempt?.owner !== owner) return undefined;
  switch (attempt.state) {
    case "running":
      return attempt;
    case "completed":
      return undefined;
    case "ended":
      throw new AttemptEndedError(
        `Attempt ${attempt.subject.attempt} of ${attempt.subject.type} ${attempt.subject.id} has failed or timed out, so nothing more can be sent from it; check delivery.signal after every await.`,
      );
  }
}
