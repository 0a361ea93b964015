// What can be run, and how an attempt has ended whose handler threw. What a handler throws is the user's,
// whatever it looks like; only what our own statements throw is the platform's, and that leaves by exception.

import type { Attempt } from "../host/attempt.ts";
import type { Result } from "../message/decide.ts";
import { storedError } from "../message/thrown.ts";
import { NonRetryableError } from "../errors.ts";
import { now as clockNow } from "../time/clock.ts";
import { retryAtOf } from "../host/retry-after.ts";

/** What is run: the handler, and what is written with its end. */
export interface Runnable {
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

export function resultOf(error: unknown): Exclude<Result, { kind: "completed" }> {
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
