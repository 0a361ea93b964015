// One batch of the outbox: which rows go, and what follows from the answer. A batch is written down
// before it is sent and repeated unchanged until it is answered or too old, so that the receiver can
// tell a repeat from something new.
//
// What a crash leads to: before the batch is written down, nothing was sent. After that, rows up to
// `batch_n` are in doubt and go again with the same numbers; the receiver skips what it has. When
// its answer is lost, the same. When rows are deleted, the answer was there.

import { type MailboxStub, noMailbox } from "./address.ts";
import { readableAddress } from "../message/address.ts";
import { after, now as clockNow } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import { addToHistory, lostOptions, unreadable } from "../message/columns.ts";
import { insertLetter } from "../lifecycle/die.ts";
import { type Accepting, type AttemptRecord, type StoredError } from "../message/envelope.ts";
import { fromOf } from "../message/from.ts";
import { storedError } from "../message/thrown.ts";
import { UnreachableError } from "../errors.ts";
import { declarationLetterId } from "../message/id.ts";
import { errorFingerprint } from "../message/fingerprint.ts";
import { acceptingOf, FLIGHT_MS, type Outbox, readOutboxOptions } from "./outbox.ts";
import { type Batch, type BatchAnswer, formatBatch, parseBatchAnswer } from "../message/wire.ts";
import { newEpoch } from "../store/schema.ts";
import type { OutboxRow, TargetRow } from "../store/outbox.ts";
import { exponential } from "../time/duration.ts";

const BATCH_MESSAGES = 100;
const BATCH_UNITS = 1024 * 1024;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 5 * 60 * 1000;
const BACKOFF_OVERLOADED_MS = 30_000;
/** An id is of bounded length. */
const ROUTE_UNITS = 256;
const FULL = "The mailbox is full.";

/** A batch that goes, and its route as it was written down. */
export interface Sent {
  readonly rows: readonly OutboxRow[];
  readonly state: TargetRow;
  /** Where the first who named a place wants the target to be made, if there is none yet. */
  readonly locationHint: string | undefined;
}

/** What came of a call. */
export type Answered = { readonly answer: BatchAnswer } | { readonly error: unknown };

export class Carrier {
  readonly #core: Core;
  readonly #outbox: Outbox;

  constructor(core: Core, outbox: Outbox) {
    this.#core = core;
    this.#outbox = outbox;
  }

  /**
   * Writes down which rows go, and gives up those that are too old. Undefined when none goes now.
   *
   * @param unbound - why the code that runs cannot reach the target, if it cannot
   */
  prepare(target: string, unbound: string | undefined): Sent | undefined {
    const core = this.#core;
    const now = clockNow();
    const before = this.#outbox.targetRow(target);
    if (unbound !== undefined) {
      // Nothing was tried, so nothing grows old: the rows wait for a version of the code that has the binding.
      core.raise({ event: "outboxUnbound", target: readableAddress(target) });
      this.#outbox.put({ ...before, next_try: now + BACKOFF_MAX_MS, error: unbound });
      return undefined;
    }
    const inDoubt = before.batch_n === null ? [] : core.outbox.upTo(target, before.batch_n);
    // Rows in doubt go again, all of them and no others: the receiver may have taken them.
    const rows = inDoubt.length > 0 ? inDoubt : core.outbox.batch(target, BATCH_MESSAGES, BATCH_UNITS);
    const last = rows.at(-1);
    if (last === undefined) {
      // Somebody has deleted them by a handle that bypasses the mailbox. Nothing is written, so nothing goes on.
      this.#outbox.routes.forget(target);
      return undefined;
    }
    // Tries of a batch whose rows are gone are none of these.
    const isAgain = before.tries > 0 && (inDoubt.length > 0 || before.batch_n === null);
    const firstTry = isAgain ? (before.first_try ?? now) : now;
    if (now - firstTry > core.config.outboxMaxAgeMs) {
      this.#giveUp(before, rows);
      return undefined;
    }
    const tries = isAgain ? before.tries + 1 : 1;
    if (before.epoch === null) {
      core.outbox.grown += 1;
      core.outbox.newest = target;
    }
    const state: TargetRow = {
      ...before,
      epoch: before.epoch ?? newEpoch(),
      last_n: Math.max(before.last_n, last.n),
      batch_n: last.n,
      first_try: firstTry,
      // Counted before it is sent: whoever finds this row after a crash knows that the batch may be out.
      tries,
      next_try: now + backoff(tries, false),
    };
    this.#outbox.put(state);
    const hints = rows.map(({ options }) => readOutboxOptions(options)?.locationHint);
    return { rows, state, locationHint: hints.find((hint) => hint !== undefined) };
  }

  /** Calls the target. Rejects with what it threw, or when it does not answer. */
  async call(stub: MailboxStub, { rows, state }: Sent): Promise<Answered> {
    const call = stub.mailboxCall(formatBatch(this.#batch(rows, state)));
    return { answer: parseBatchAnswer(await withTimeout(call, state.target)) };
  }

  /** Writes what follows from the answer, unless the route has become another one meanwhile. */
  settle({ rows, state }: Sent, answered: Answered): void {
    const present = this.#core.outbox.target(state.target);
    const isSame =
      present !== undefined &&
      present.epoch === state.epoch &&
      present.batch_n === state.batch_n &&
      present.tries === state.tries;
    // All storage was deleted, or put back: what was sent then is not what is here.
    if (!isSame) return;
    if ("answer" in answered) this.#answered(present, rows, answered.answer);
    else
      this.#failed(
        present,
        storedError(noMailbox(answered.error) ?? answered.error),
        isOverloaded(answered.error),
      );
  }

  #batch(rows: readonly OutboxRow[], state: TargetRow): Batch {
    const { ctx, className } = this.#core;
    const { name } = ctx.id;
    return {
      sender: ctx.id.toString(),
      epoch: state.epoch ?? "",
      confirmed: state.confirmed_n === 0 ? null : { n: state.confirmed_n, id: state.confirmed_id ?? "" },
      keepMs: this.#core.config.outboxMaxAgeMs * 2,
      from: fromOf({ id: ctx.id.toString(), className, ...(name === undefined ? {} : { name }) }),
      messages: rows.map((row) => ({ ...this.#message(row), n: row.n })),
    };
  }

  /**
   * What cannot be read goes in its place, but without a due time, which no receiver takes. So whoever
   * has it already says so, and from whoever has not it comes back; and no other number is missing.
   */
  #message(row: OutboxRow): Accepting {
    const options = readOutboxOptions(row.options);
    const message = acceptingOf(row, options ?? {});
    // In JSON it is null.
    return options === undefined ? { ...message, due: Number.NaN } : message;
  }

  #answered(state: TargetRow, rows: readonly OutboxRow[], answer: BatchAnswer): void {
    switch (answer.kind) {
      case "taken":
        this.#taken(state, rows, answer);
        return;
      case "fork":
        this.#forked(state);
        return;
      case "refused":
        this.#failed(state, answer.error);
        return;
    }
  }

  #taken(
    state: TargetRow,
    rows: readonly OutboxRow[],
    answer: Extract<BatchAnswer, { kind: "taken" }>,
  ): void {
    const taken = rows.filter((row) => row.n <= answer.upTo);
    const refusals = new Map(answer.refused.map((refusal) => [refusal.n, refusal]));
    const confirmed = taken.at(-1);
    let last = confirmed;
    // Directly behind what was taken: what is behind that was not looked at.
    for (const row of rows.slice(taken.length)) {
      const refusal = refusals.get(row.n);
      if (refusal === undefined) break;
      this.#bury(state, row, { name: refusal.code, message: refusal.message });
      last = row;
    }
    if (last === undefined) {
      const message = answer.full ? FULL : "The target took nothing.";
      this.#failed(state, { name: "MailboxFullError", message });
      return;
    }
    // It has said what it has not taken, so nothing is in doubt any more.
    const now = clockNow();
    this.#outbox.put(
      {
        ...settled(state, now),
        ...(confirmed === undefined ? {} : { confirmed_n: confirmed.n, confirmed_id: confirmed.id }),
        ...(answer.full ? { next_try: now + BACKOFF_FIRST_MS, error: FULL } : {}),
      },
      last.n,
    );
  }

  /** This object was put back to an earlier moment: its numbers have been used for other messages. */
  #forked(state: TargetRow): void {
    // The numbers begin anew, so nothing is in doubt. But these rows were tried, and that is still counted.
    const anew = { ...state, epoch: newEpoch(), confirmed_n: 0, confirmed_id: null, batch_n: null };
    if (state.tries > 1 && state.confirmed_n === 0) {
      // Of new numbers too, again and again: that is no answer, and no reason to ask without a pause.
      this.#failed(anew, { name: "OutboxForkedError", message: "The target says fork to new numbers." });
      return;
    }
    this.#core.raise({ event: "outboxForked", target: readableAddress(state.target) });
    this.#outbox.put({ ...anew, tries: 1, next_try: clockNow(), error: null });
  }

  /** The target has nothing of the batch, or nobody knows: it goes again after a while. */
  #failed(state: TargetRow, error: StoredError, isOverloaded = false): void {
    const nextAt = clockNow() + backoff(state.tries, isOverloaded);
    this.#outbox.put({ ...state, next_try: nextAt, error: `${error.name}: ${error.message}` });
    this.#core.raise({
      event: "outboxFailed",
      target: readableAddress(state.target),
      tries: state.tries,
      error,
      nextAt,
    });
  }

  /**
   * Rows of a batch that nobody took in time become the sender's dead letters. The route goes on in a new life of
   * its numbers, as one that has never been tried: its target has not answered.
   */
  #giveUp(state: TargetRow, rows: readonly OutboxRow[]): void {
    const error = { name: "UnreachableError", message: state.error ?? "The target did not answer." };
    for (const row of rows) this.#bury(state, row, error);
    const anew = { ...settled(state, clockNow()), epoch: null, confirmed_n: 0, confirmed_id: null };
    this.#outbox.put({ ...anew, error: state.error }, rows.at(-1)?.n ?? 0);
  }

  /** Makes a row of the outbox a dead letter of this object, if it is still there: nobody may have destroyed it meanwhile. */
  #bury(state: TargetRow, row: OutboxRow, cause: StoredError): void {
    const core = this.#core;
    if (!this.#outbox.take(row)) return;
    const now = clockNow();
    const startedAt = state.first_try ?? now;
    const options = readOutboxOptions(row.options);
    const { key, history, declaration, earlierAttempts = 0 } = options ?? {};
    const reason = options === undefined ? "unreadable" : "undeliverable";
    const error = options === undefined ? unreadableOptions(row) : cause;
    const record: AttemptRecord = {
      attempt: state.tries,
      startedAt,
      durationMs: now - startedAt,
      outcome: reason,
      ...error,
    };
    insertLetter(core, {
      id: declaration === undefined ? row.id : declarationLetterId(row.id, routeName(state), row.n),
      died: now,
      type: row.type,
      payload: row.payload,
      reason,
      attempts: earlierAttempts + state.tries,
      due: row.due,
      fingerprint: errorFingerprint(error.name, error.message),
      key: key ?? null,
      recurrence: declaration === undefined ? null : row.id,
      target: state.target,
      // All that the receiver would have been told.
      options: row.options,
      history: addToHistory(history ?? null, record),
      hook_due: core.config.onDeadLetter === undefined ? null : now,
      hook_attempt: 0,
    });
  }
}

function unreadableOptions({ options }: OutboxRow): StoredError {
  return unreadable(lostOptions("its row in the outbox", options ?? ""));
}

/** A route with nothing in doubt. When it was last heard of is in `next_try`, which is past. */
function settled(state: TargetRow, now: number): TargetRow {
  return { ...state, batch_n: null, first_try: null, tries: 0, next_try: now, error: null };
}

/** A route, by its target or, when that has a very long name, by its present life. */
function routeName({ target, epoch }: TargetRow): string {
  const name = readableAddress(target);
  return name.length <= ROUTE_UNITS ? name : (epoch ?? "");
}

function isOverloaded(error: unknown): boolean {
  return typeof error === "object" && error !== null && "overloaded" in error && error.overloaded === true;
}

function backoff(tries: number, isOverloaded: boolean): number {
  const first = isOverloaded ? BACKOFF_OVERLOADED_MS : BACKOFF_FIRST_MS;
  return exponential(first, BACKOFF_MAX_MS, tries);
}

function withTimeout(call: Promise<string>, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const cancel = after(FLIGHT_MS, () =>
      reject(new UnreachableError(`${readableAddress(target)} did not answer within ${FLIGHT_MS / 1000} s.`)),
    );
    void call.then(resolve, reject).finally(cancel);
  });
}
