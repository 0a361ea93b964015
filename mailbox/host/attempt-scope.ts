// In which async context a handler runs, so that a send knows which attempt, and so which commit, it
// belongs to, also after an await; and left-over work of a dead attempt is told so.
//
// To enter a context of its own costs a handler as much as a savepoint does. A handler that is declared
// `sync` needs none: while it runs nothing else can, and what it leaves behind may use no verb. So all of
// a page share one.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt } from "./attempt.ts";
import { AttemptEndedError } from "../errors.ts";
import type { Outgoing } from "./send-buffer.ts";

/** A context that the handlers of a page share that are declared sync. */
export class SharedFrame {
  readonly owner: object;
  /** Calls what delivers a page, in this context. */
  readonly enter: <R>(call: () => R) => R;
  /** Whose handler is being called. Not a variable of the isolate: an abort of the object skips every `finally`. */
  running: Attempt | undefined;

  constructor(owner: object) {
    this.owner = owner;
    this.enter = frames.run(this, () => AsyncLocalStorage.snapshot());
  }

  /** Calls a handler, to whose attempt all belongs that it calls. Only while this context is entered. */
  run(attempt: Attempt, call: () => void): void {
    this.running = attempt;
    try {
      call();
    } finally {
      this.running = undefined;
    }
  }
}

const frames = new AsyncLocalStorage<Attempt | SharedFrame>();
const scopes = new AsyncLocalStorage<Set<Outgoing>>();

/** Calls a handler in a context of its own: all it calls and awaits belongs to the attempt. */
export function runIn<R>(attempt: Attempt, call: () => R): R {
  return frames.run(attempt, call);
}

/** Aborts the signal of an attempt. Who listens to it is part of the attempt, whoever aborts it. */
export function abortIn(attempt: Attempt, reason: unknown): void {
  runIn(attempt, () => attempt.abort(reason));
}

/**
 * Notes that the message that runs was cancelled, and aborts its signal unless the attempt did it itself:
 * that one need not be told.
 *
 * @param by the attempt of whoever cancels, if there is one
 */
export function cancelRunning(running: Attempt | undefined, by: Attempt | undefined, why: string): void {
  if (running === undefined) return;
  if (running === by) {
    running.cancelledBy ??= "itself";
    return;
  }
  running.cancelledBy = "another";
  abortIn(running, new Error(why));
}

/** Runs a transaction of an async attempt, and tells which of the attempt's sends are made in it. */
export function inScope<R>(sent: Set<Outgoing>, call: () => R): R {
  return scopes.run(sent, call);
}

/** The sends of the transaction that the calling code belongs to, if it does to one. */
export function currentScope(): Set<Outgoing> | undefined {
  return scopes.getStore();
}

/** The attempt of this mailbox that the calling code belongs to, if it still runs. */
export function runningAttempt(owner: object): Attempt | undefined {
  const frame = frames.getStore();
  const attempt = frame instanceof SharedFrame ? frame.running : frame;
  return attempt?.owner === owner && attempt.state === "running" ? attempt : undefined;
}

/**
 * The attempt of this mailbox that the calling code belongs to; undefined outside any, and for what
 * a completed attempt left behind.
 *
 * @throws {AttemptEndedError} for left-over work of an attempt that failed or timed out, or whose handler
 *   is declared sync
 */
export function currentAttempt(owner: object): Attempt | undefined {
  const frame = frames.getStore();
  // Objects of one isolate share the store.
  if (frame?.owner !== owner) return undefined;
  if (frame instanceof SharedFrame) {
    if (frame.running === undefined) throw leftBySync();
    return frame.running;
  }
  if (frame.state === "running") return frame;
  if (frame.isSync) throw leftBySync();
  if (frame.state === "completed") return undefined;
  throw new AttemptEndedError(
    `Attempt ${frame.subject.attempt} of ${frame.subject.type} ${frame.subject.id} has failed or timed out, so nothing more can be sent from it; check delivery.signal after every await.`,
  );
}

function leftBySync(): AttemptEndedError {
  return new AttemptEndedError(
    "A handler that is declared sync has ended, so nothing more can be sent from what it left behind; send before it returns, or leave `sync` out.",
  );
}
