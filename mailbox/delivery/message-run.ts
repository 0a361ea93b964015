// The run of one message's handler: what it calls, and what is written with its end.

import type { Attempt } from "../host/attempt.ts";
import { now as clockNow } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import type { Result } from "../message/decide.ts";
import type { Delivery } from "../host/delivery.ts";
import type { Handler } from "../host/handlers.ts";
import { ack, clearLease, type Item, settle } from "../lifecycle/settle.ts";
import type { ResolvedPolicy } from "../message/policy.ts";
import type { Completed, Execution, Failed } from "./run.ts";

/** What a run is of. */
interface Parts {
  readonly item: Item;
  readonly handler: Handler;
  readonly policy: ResolvedPolicy;
  readonly attempt: Attempt;
  readonly payload: unknown;
  readonly delivery: Delivery;
  readonly startedAt: number;
}

export class MessageRun implements Execution {
  readonly attempt: Attempt;
  readonly isAsync: boolean;
  readonly timeoutMs: number;
  /** Its row can be deleted with those of its page-mates. */
  readonly isPlain: boolean;
  readonly #core: Core;
  readonly #of: Parts;
  /** Its row is deleted at the end of its page. Not before its commit, because that may fail. */
  #isAckedLater = false;

  constructor(core: Core, of: Parts) {
    const { attempt, handler, item, policy } = of;
    this.attempt = attempt;
    this.isAsync = handler.isAsync;
    this.timeoutMs = policy.timeoutMs;
    this.isPlain = !attempt.leased && item.present === undefined && item.row.recurrence === null;
    this.#core = core;
    this.#of = of;
  }

  call(): unknown {
    const { handler, payload, delivery } = this.#of;
    return handler.handle(payload, delivery);
  }

  completed(result: Completed): void {
    const core = this.#core;
    const { attempt } = this;
    const { item, startedAt } = this.#of;
    clearLease(core, attempt);
    // It has ended by the cancel, whatever its handler did since.
    if (attempt.cancelledBy === "another") return;
    if (result.deferredTo !== undefined) this.#settle(result);
    else if (this.isPlain && !attempt.waited && attempt.buffered.length === 0) this.#isAckedLater = true;
    else ack(core, item);
    if (!core.events.wanted) return;
    const now = clockNow();
    const { id, type, due } = item.row;
    core.raise({
      event: "delivered",
      id,
      type,
      attempt: attempt.subject.attempt,
      latenessMs: Math.max(0, startedAt - due),
      durationMs: now - startedAt,
    });
  }

  committed(): void {
    if (this.#isAckedLater) this.#core.envelopes.ack(this.#of.item.row);
    if (this.attempt.cancelledBy !== "another") this.#core.delivered += 1;
  }

  failed(result: Failed): void {
    this.#core.commit(() => {
      clearLease(this.#core, this.attempt);
      // After its own cancel too nothing follows from a failure; a rollback has taken that cancel with it.
      if (this.attempt.cancelledBy === undefined) this.#settle(result);
    });
  }

  #settle(result: Result): void {
    const { item, policy, startedAt } = this.#of;
    settle(this.#core, item, this.attempt.subject.attempt, result, policy, startedAt, clockNow());
  }
}
