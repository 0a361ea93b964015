// Carries the outbox to its targets: one batch in flight per target, four targets at once, beside the
// drain. A batch is written down before it is sent and repeated unchanged until it is answered or
// too old, so that the receiver can tell a repeat from something new.
//
// What a crash leads to: before the batch is written down, nothing was sent. After that, rows up to
// `batch_n` are in doubt and go again with the same numbers; the receiver skips what it has. When
// its answer is lost, the same. When rows are deleted, the answer was there.

import { readableAddress, stubOf } from "./address.ts";
import { after, now as clockNow } from "./clock.ts";
import type { Core } from "./core.ts";
import { insertLetter } from "./dead-letter.ts";
import { type AttemptRecord, formatOptions, type StoredError, storedError } from "./envelope.ts";
import { UnreachableError } from "./errors.ts";
import { errorFingerprint } from "./fingerprint.ts";
import { acceptingOf, type Outbox, parseOutboxOptions } from "./outbox.ts";
import type { Batch, BatchAnswer } from "./protocol.ts";
import { formatBatch, parseAnswer } from "./protocol.ts";
import { newEpoch } from "./schema.ts";
import type { OutboxRow, TargetRow } from "./store-outbox.ts";

const TARGETS_AT_ONCE = 4;
const BATCH_MESSAGES = 100;
const BATCH_UNITS = 1024 * 1024;
const CALL_TIMEOUT_MS = 15_000;
/** In the alarm's reckoning a batch in flight is looked at again after its timeout. */
const HOLD_MS = 20_000;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 5 * 60 * 1000;
const BACKOFF_OVERLOADED_MS = 30_000;

export class Relay {
  readonly #core: Core;
  readonly #outbox: Outbox;
  readonly #inFlight = new Map<string, Promise<void>>();

  constructor(core: Core, outbox: Outbox) {
    this.#core = core;
    this.#outbox = outbox;
  }

  get isBusy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Resolves when one of the batches in flight is done. */
  async settled(): Promise<void> {
    await Promise.race(this.#inFlight.values());
  }

  /** Starts what may be started. Errors of targets are rows; only the platform's own leave `settled`. */
  start(): void {
    for (const target of this.#outbox.dueTargets(clockNow())) {
      if (this.#inFlight.size >= TARGETS_AT_ONCE) return;
      if (this.#inFlight.has(target)) continue;
      const run = this.#carry(target).finally(() => this.#inFlight.delete(target));
      this.#inFlight.set(target, run);
      // Outside the drain that waits for it, it must not end with the event that began it.
      this.#core.ctx.waitUntil(run.catch(() => {}));
    }
  }

  /** One batch to one target, and its outcome. */
  async #carry(target: string): Promise<void> {
    const core = this.#core;
    const sent = core.storage.transactionSync(() => this.#prepare(target));
    if (sent === undefined) return;
    const { rows, row, epoch } = sent;
    const stub = stubOf(core.ctx, core.env, target);
    if (stub === undefined) {
      core.raise({ event: "outboxUnbound", target: readableAddress(target) });
      this.#failed(
        target,
        row,
        new UnreachableError(`The code that runs has no binding for ${readableAddress(target)}.`),
      );
      return;
    }
    let answer: BatchAnswer;
    try {
      answer = parseAnswer(
        await withTimeout(stub.mailboxCall(formatBatch(this.#batch(rows, row, epoch))), target),
      );
    } catch (error) {
      this.#failed(target, row, error);
      return;
    }
    if (core.meta.get("epoch") !== epoch) return; // All storage was deleted meanwhile: these rows are gone.
    core.storage.transactionSync(() => this.#answered(target, row, rows, answer));
    this.#outboxChanged();
  }

  /** Writes down which rows go, and gives up those that are too old. */
  #prepare(target: string): { rows: OutboxRow[]; row: TargetRow; epoch: string } | undefined {
    const core = this.#core;
    const now = clockNow();
    const before = this.#outbox.targetRow(target);
    const epoch = core.meta.get("epoch");
    if (epoch === undefined) return undefined;
    const isTooOld =
      before.first_try !== null && before.tries > 0 && now - before.first_try > core.config.outboxMaxAgeMs;
    if (isTooOld && before.batch_n !== null) {
      this.#giveUp(target, before, before.batch_n);
      return undefined;
    }
    const inDoubt = before.tries > 0 ? before.batch_n : null;
    const rows = core.outbox.batch(target, inDoubt, BATCH_MESSAGES, BATCH_UNITS);
    const last = rows.at(-1);
    if (last === undefined) {
      this.#outbox.took(target, Number.MAX_SAFE_INTEGER, 0);
      return undefined;
    }
    const row: TargetRow = {
      ...before,
      last_n: Math.max(before.last_n, last.n),
      batch_n: last.n,
      first_try: before.first_try ?? now,
      // Counted before it is sent: whoever finds this row after a crash knows that the batch may be out.
      tries: before.tries + 1,
      next_try: now + HOLD_MS,
    };
    core.outbox.putTarget(row);
    this.#outbox.hold(target, row.next_try);
    return { rows, row, epoch };
  }

  #batch(rows: readonly OutboxRow[], target: TargetRow, epoch: string): Batch {
    const { ctx, className } = this.#core;
    return {
      sender: ctx.id.toString(),
      epoch,
      confirmed: target.confirmed_n === 0 ? null : { n: target.confirmed_n, id: target.confirmed_id ?? "" },
      keepMs: this.#core.config.outboxMaxAgeMs * 2,
      from: {
        id: ctx.id.toString(),
        className,
        ...(ctx.id.name === undefined ? {} : { name: ctx.id.name }),
      },
      messages: rows.map((row) => ({ ...acceptingOf(row), n: row.n })),
    };
  }

  #answered(target: string, row: TargetRow, rows: readonly OutboxRow[], answer: BatchAnswer): void {
    const { outbox } = this.#core;
    switch (answer.kind) {
      case "taken": {
        const taken = rows.filter((message) => message.n <= answer.upTo);
        const last = taken.at(-1);
        if (last !== undefined) {
          for (const { n, code, message } of answer.refused) {
            const refused = taken.find((candidate) => candidate.n === n);
            if (refused !== undefined) this.#bury(target, row, refused, { name: code, message });
          }
          outbox.deleteUpTo(target, last.n);
          const isWhole = last.n === row.batch_n;
          outbox.putTarget({
            ...row,
            confirmed_n: last.n,
            confirmed_id: last.id,
            batch_n: isWhole ? null : row.batch_n,
            first_try: isWhole ? null : row.first_try,
            tries: isWhole ? 0 : row.tries,
            next_try: 0,
            error: null,
          });
        }
        if (answer.full) {
          const wait = backoff(row.tries, false);
          this.#retryAt(
            target,
            { ...(outbox.target(target) ?? row) },
            clockNow() + wait,
            "the mailbox is full",
            taken.length,
          );
        } else {
          this.#outbox.took(target, taken.length, 0);
        }
        return;
      }
      case "fork": {
        // This object was put back to an earlier moment: its numbers have been used for other messages.
        this.#core.meta.set("epoch", newEpoch());
        this.#core.raise({ event: "outboxForked", target: readableAddress(target) });
        outbox.putTarget({
          ...row,
          confirmed_n: 0,
          confirmed_id: null,
          batch_n: null,
          first_try: null,
          tries: 0,
          next_try: 0,
        });
        this.#outbox.took(target, 0, 0);
        return;
      }
      case "refused":
        this.#retryAt(target, row, clockNow() + backoff(row.tries, false), answer.message, 0);
        return;
    }
  }

  #failed(target: string, row: TargetRow, error: unknown): void {
    const isOverloaded = error instanceof Error && "overloaded" in error && error.overloaded === true;
    const stored = storedError(error);
    const nextAt = clockNow() + backoff(row.tries, isOverloaded);
    this.#retryAt(target, row, nextAt, `${stored.name}: ${stored.message}`, 0);
    this.#core.raise({
      event: "outboxFailed",
      target: readableAddress(target),
      tries: row.tries,
      error: stored,
      nextAt,
    });
    this.#outboxChanged();
  }

  #retryAt(target: string, row: TargetRow, at: number, error: string, taken: number): void {
    this.#core.outbox.putTarget({ ...row, next_try: at, error });
    this.#outbox.took(target, taken, at);
  }

  /** Rows of a batch that nobody took in time become the sender's dead letters; the lane goes on. */
  #giveUp(target: string, before: TargetRow, upTo: number): void {
    const core = this.#core;
    const rows = core.outbox.batch(target, upTo, BATCH_MESSAGES, Number.POSITIVE_INFINITY);
    const error = { name: "UnreachableError", message: before.error ?? "The target did not answer." };
    for (const row of rows) this.#bury(target, before, row, error);
    core.outbox.deleteUpTo(target, upTo);
    core.outbox.putTarget({ ...before, batch_n: null, first_try: null, tries: 0, next_try: 0 });
    this.#outbox.took(target, rows.length, 0);
  }

  /** Makes a row of the outbox a dead letter of this object. The row itself is deleted by the caller. */
  #bury(target: string, state: TargetRow, row: OutboxRow, error: StoredError): void {
    const core = this.#core;
    const now = clockNow();
    const startedAt = state.first_try ?? now;
    const record: AttemptRecord = {
      attempt: state.tries,
      startedAt,
      durationMs: now - startedAt,
      outcome: "undeliverable",
      ...error,
    };
    const { key, options } = parseOutboxOptions(row.options);
    insertLetter(core, {
      id: row.id,
      died: now,
      type: row.type,
      payload: row.payload,
      reason: "undeliverable",
      attempts: state.tries,
      due: row.due,
      fingerprint: errorFingerprint(error.name, error.message),
      key: key ?? null,
      recurrence: null,
      target,
      options: formatOptions(options),
      history: JSON.stringify([record]),
      hook_due: core.config.onDeadLetter === undefined ? null : now,
      hook_attempt: 0,
    });
  }

  /** Outside a drain the alarm still stands where the batch was held. */
  #outboxChanged(): void {
    const head = this.#outbox.head();
    if (head !== Number.POSITIVE_INFINITY) this.#core.wake.arm(head);
  }
}

function backoff(tries: number, isOverloaded: boolean): number {
  const first = isOverloaded ? BACKOFF_OVERLOADED_MS : BACKOFF_FIRST_MS;
  return Math.min(BACKOFF_MAX_MS, first * 2 ** Math.min(tries - 1, 20));
}

function withTimeout(call: Promise<string>, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const cancel = after(CALL_TIMEOUT_MS, () =>
      reject(
        new UnreachableError(`${readableAddress(target)} did not answer within ${CALL_TIMEOUT_MS / 1000} s.`),
      ),
    );
    void call.then(resolve, reject).finally(cancel);
  });
}
