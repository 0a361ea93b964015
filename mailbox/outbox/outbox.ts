// The sending half of the outbox: rows are written in the commit of whoever sends, numbered per
// target. The relay takes them from there.

import { readableAddress } from "../message/address.ts";
import { now as clockNow } from "../time/clock.ts";
import { isCount, isOptions } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import type { Accepting, Declaration, EnvelopeOptions, IfPending } from "../message/envelope.ts";
import { OutboxFullError } from "../errors.ts";
import { formatColumn, isAbsentOr, isFields, isText, readColumn } from "../json.ts";
import { type Route, Routes, type Standing } from "./routes.ts";
import type { OutboxRow, TargetRow } from "../store/outbox.ts";
import type { Target } from "../message/selector.ts";

/** What the receiver is told beside type, payload and time; the options column of an outbox row. */
export interface OutboxOptions {
  readonly key?: string;
  readonly ifPending?: IfPending;
  readonly options?: EnvelopeOptions;
  readonly immediate?: true;
  readonly declaration?: Declaration;
  /** Of a redriven message, which the receiver is not told: its history, as the letter had it. */
  readonly history?: string;
  readonly earlierAttempts?: number;
  /** Where the target is made if there is none yet. It is no part of where the target is, and so of the route. */
  readonly locationHint?: string;
}

/** What a row has beside its message, of which the receiver is not told. */
export type Aside = Pick<OutboxOptions, "history" | "earlierAttempts" | "locationHint">;

export class Outbox {
  readonly routes: Routes;
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    this.routes = new Routes(core.outbox);
    core.onForget(() => this.routes.forgetAll());
  }

  /** Writes a row in the present commit; answers the id of the message. Room was taken when the send was made. */
  write(target: string, message: Accepting, aside: Aside = {}): string {
    const route = this.routes.of(target);
    const n = route.last + 1;
    this.#core.outbox.insert({
      target,
      n,
      id: message.id,
      type: message.type,
      payload: message.payload,
      due: message.due,
      options: formatOutboxOptions(message, aside),
    });
    route.last = n;
    route.rows += 1;
    this.routes.queue(target);
    this.#core.wake.arm(Math.max(route.nextTry, clockNow()));
    return message.id;
  }

  /**
   * What the running attempt has buffered has its room already, so that its ack has nothing to refuse.
   *
   * @throws {OutboxFullError} when `more` rows would be over the bound of one target
   */
  checkRoom(target: string, more: number): void {
    const { outboxMaxRows } = this.#core.config;
    const buffered = this.#core.running?.bufferedTo(target) ?? 0;
    if (this.routes.isFull(target, buffered + more, outboxMaxRows)) {
      const rows = this.routes.of(target).rows + buffered;
      throw new OutboxFullError(
        `${rows} messages wait for ${readableAddress(target)}, of at most ${outboxMaxRows} (settings.outbox.maxRows); it does not take them, so see outbox() for its last error.`,
      );
    }
  }

  /** The targets for which something waits. A relay takes a few from their front, however many there are. */
  waiting(which: Standing): Iterable<[target: string, route: Route]> {
    return this.#core.isReadable() ? this.routes.standing(which) : [];
  }

  /** Writes what the relay knows of a target now, and deletes its rows up to that number, if one is given. */
  put(state: TargetRow, upTo?: number): void {
    const { target } = state;
    // Before rows are gone: a route that was forgotten reads those on disk.
    const route = this.routes.of(target);
    if (upTo !== undefined) route.rows -= this.#core.outbox.deleteUpTo(target, upTo);
    this.#core.outbox.putTarget(state);
    this.#core.step();
    this.routes.told(state);
    this.routes.settle(target);
  }

  /** Deletes a row; whether it was there. */
  take({ target, n }: OutboxRow): boolean {
    const route = this.routes.of(target);
    if (!this.#core.outbox.delete(target, n)) return false;
    route.rows -= 1;
    return true;
  }

  /** Leaves a target alone for a while; only memory is told, because storage may be what has failed. */
  postpone(target: string, until: number): void {
    this.routes.of(target).nextTry = until;
    this.routes.sort(target);
  }

  /** A message that waits for its target and was never tried. */
  find(target: string, which: Target): Accepting | undefined {
    const row = this.#untried(target, which).at(-1);
    return row === undefined ? undefined : acceptingOf(row);
  }

  /** Takes messages that were never tried out of the outbox; false when there is none, or it may be on its way already. */
  cancel(target: string, which: Target): boolean {
    const rows = this.#untried(target, which, true);
    if (rows.length === 0) return false;
    // A number is never given twice, also when the row that had it is gone.
    this.#core.outbox.putTarget({ ...this.targetRow(target), last_n: this.routes.of(target).last });
    for (const row of rows) {
      this.take(row);
      this.#core.raise({ event: "cancelled", id: row.id, type: row.type });
    }
    this.routes.settle(target);
    return true;
  }

  /** Gives a message that was never tried another due time. */
  reschedule(target: string, which: Target, due: number): boolean {
    const row = this.#untried(target, which).at(-1);
    if (row === undefined) return false;
    const { outbox } = this.#core;
    const read = readOutboxOptions(row.options);
    const { immediate: _immediate, ...options } = read ?? {};
    outbox.delete(target, row.n);
    outbox.insert({ ...row, due, options: read === undefined ? row.options : formatColumn(options) });
    return true;
  }

  #untried(target: string, which: Target, withDeclarations = false): OutboxRow[] {
    const { outbox } = this.#core;
    const tried = outbox.target(target)?.batch_n ?? 0;
    const rows =
      "id" in which ? outbox.rowsOfId(target, which.id) : outbox.rowsOfKey(target, which.type, which.key);
    return rows.filter(
      (row) =>
        row.n > tried && (withDeclarations || parseOutboxOptions(row.options).declaration === undefined),
    );
  }

  /** Deletes up to `count` rows, of whatever target; how many there were. */
  deleteSome(count: number): number {
    const { outbox } = this.#core;
    for (const target of outbox.targets()) {
      outbox.putTarget({ ...this.targetRow(target), last_n: this.routes.of(target).last });
    }
    this.routes.forgetAll();
    return outbox.deleteSome(count);
  }

  targetRow(target: string): TargetRow {
    return this.#core.outbox.target(target) ?? emptyTarget(target);
  }
}

function emptyTarget(target: string): TargetRow {
  return {
    target,
    epoch: null,
    last_n: 0,
    confirmed_n: 0,
    confirmed_id: null,
    batch_n: null,
    first_try: null,
    tries: 0,
    next_try: 0,
    error: null,
  };
}

function formatOutboxOptions(message: Accepting, aside: Aside): string | null {
  return formatColumn({
    ...(message.key === undefined ? {} : { key: message.key }),
    ...(message.ifPending === undefined ? {} : { ifPending: message.ifPending }),
    ...(message.options === undefined ? {} : { options: message.options }),
    ...(message.immediate ? { immediate: true } : {}),
    ...(message.declaration === undefined ? {} : { declaration: message.declaration }),
    ...aside,
  } satisfies OutboxOptions);
}

/** A row, as the message that it carries. */
export function acceptingOf(
  row: Omit<OutboxRow, "target" | "n">,
  read: OutboxOptions = parseOutboxOptions(row.options),
): Accepting {
  const { key, ifPending, options, immediate, declaration } = read;
  return {
    id: row.id,
    due: row.due,
    type: row.type,
    payload: row.payload,
    immediate: immediate === true,
    ...(key === undefined ? {} : { key }),
    ...(ifPending === undefined ? {} : { ifPending }),
    ...(options === undefined ? {} : { options }),
    ...(declaration === undefined ? {} : { declaration }),
  };
}

/** Parses the options column; undefined when it cannot be read. */
export function readOutboxOptions(text: string | null): OutboxOptions | undefined {
  return text === null ? {} : readColumn(text, isOutboxOptions);
}

/** Parses the options column, as if there were none when it cannot be read. */
function parseOutboxOptions(text: string | null): OutboxOptions {
  return readOutboxOptions(text) ?? {};
}

/** What else is wrong with a message its receiver finds, and refuses. */
function isOutboxOptions(value: unknown): value is OutboxOptions {
  if (!isFields(value)) return false;
  const {
    key,
    options,
    declaration,
    history,
    earlierAttempts,
    locationHint,
  }: Partial<Record<keyof OutboxOptions, unknown>> = value;
  return (
    isAbsentOr(key, isText) &&
    isAbsentOr(options, isOptions) &&
    isAbsentOr(declaration, isFields) &&
    isAbsentOr(history, isText) &&
    isAbsentOr(earlierAttempts, isCount) &&
    isAbsentOr(locationHint, isText)
  );
}
