// What follows from how an attempt ended: a pure function of the envelope, the result, the policy
// and the time. Whoever applies the outcome decides nothing.

import type { DeadLetterReason, StoredError } from "./envelope.ts";
import { backoffMs, type ResolvedPolicy } from "./policy.ts";

/** How an attempt ended, or why none began. */
export type Result =
  | { readonly kind: "completed"; readonly deferredTo: number | undefined }
  | {
      readonly kind: "failed";
      readonly outcome: "threw" | "timedOut" | "crashed";
      readonly error: StoredError;
      /** When the next attempt is due, where the error said so: instead of the backoff. */
      readonly retryAt: number | undefined;
    }
  | { readonly kind: "rejected"; readonly error: StoredError }
  | { readonly kind: "unreadable"; readonly error: StoredError }
  | { readonly kind: "expired" };

/** What happens to the message now. */
export type Outcome =
  | { readonly kind: "ack" }
  | { readonly kind: "defer"; readonly due: number }
  | { readonly kind: "redeliver"; readonly due: number }
  | { readonly kind: "die"; readonly reason: DeadLetterReason };

/**
 * Decides. `attempt` is the number of the attempt that ended, counted from 1. An attempt is counted
 * here and in the lease, and nowhere else.
 */
export function decide(
  message: { readonly id: string; readonly attempt: number },
  result: Result,
  policy: ResolvedPolicy,
  now: number,
): Outcome {
  switch (result.kind) {
    case "completed":
      return result.deferredTo === undefined ? { kind: "ack" } : { kind: "defer", due: result.deferredTo };
    case "rejected":
    case "unreadable":
    case "expired":
      return { kind: "die", reason: result.kind };
    case "failed":
      if (message.attempt >= policy.maxAttempts) {
        return { kind: "die", reason: result.outcome === "threw" ? "exhausted" : result.outcome };
      }
      return {
        kind: "redeliver",
        // Always later: others that are due come first, also when no wait was asked for.
        due: Math.max(now + 1, result.retryAt ?? now + backoffMs(policy, message.id, message.attempt)),
      };
  }
}
