// In which async context a handler runs, so that a send knows which attempt, and so which commit, it
// belongs to, also after an await; and left-over work of a dead attempt is told so.
//
// To enter a context of its own costs a handler as much as a savepoint does. A handler that has shown
// that it is synchronous, and that it leaves no work behind that sends, shares one with its page-mates:
// while it runs nothing else can, so a variable tells whose turn it is.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt, Outgoing } from "./attempt.ts";
import { AttemptEndedError } from "./errors.ts";
import type { Habit } from "./habit.ts";

/** A context that the calm handlers of a page share. */
export class SharedFrame {
  readonly #habits = new Set<Habit>();
  /** Calls what delivers a page, in this context. */
  readonly enter: <R>(call: () => R) => R;
  /** The run that turned out to be asynchronous: from its answer on, the context is its own. */
  taken: Attempt | undefined;
  /** Whose handler is being called. Not of the isolate: an abort of the object skips every `finally`. */
  #running: Attempt | undefined;

  constructor() {
    this.enter = frames.run(this, () => AsyncLocalStorage.snapshot());
  }

  /** Calls a calm handler, whose attempt all it calls belongs to. Only while this context is entered. */
  run(attempt: Attempt, call: () => void): void {
    if (attempt.habit !== undefined) this.#habits.add(attempt.habit);
    this.#running = attempt;
    try {
      call();
    } finally {
      this.#running = undefined;
    }
  }

  /** Whose code calls: that of the handler that runs, of the one that has taken the context, or left-over work's. */
  caller(): Attempt | undefined {
    const attempt = this.#running ?? this.taken;
    if (attempt === undefined) this.#hasLeftovers();
    return attempt;
  }

  /** Work that one of the handlers left behind uses a verb: which one's it is cannot be told, so none is calm. */
  #hasLeftovers(): void {
    for (const habit of this.#habits) habit.broke();
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
  const attempt = attemptOf(owner);
  return attempt?.state === "running" ? attempt : undefined;
}

/**
 * The attempt of this mailbox that the calling code belongs to; undefined outside any, and for what
 * a completed attempt left behind.
 *
 * @throws {AttemptEndedError} for left-over work of an attempt that failed or timed out
 */
export function currentAttempt(owner: object): Attempt | undefined {
  const attempt = attemptOf(owner);
  if (attempt === undefined || attempt.state === "running") return attempt;
  attempt.habit?.broke();
  if (attempt.state === "completed") return undefined;
  throw new AttemptEndedError(
    `Attempt ${attempt.subject.attempt} of ${attempt.subject.type} ${attempt.subject.id} has failed or timed out, so nothing more can be sent from it; check delivery.signal after every await.`,
  );
}

function attemptOf(owner: object): Attempt | undefined {
  const frame = frames.getStore();
  const attempt = frame instanceof SharedFrame ? frame.caller() : frame;
  // Objects of one isolate share the store.
  return attempt?.owner === owner ? attempt : undefined;
}
