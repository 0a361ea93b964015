// The sending half of the outbox: rows are written in the commit of whoever sends, numbered per
// target. The relay takes them from there.

import { readableAddress } from "../message/address.ts";
import { after, now as clockNow } from "../time/clock.ts";
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

/** A message that waits for its target. In doubt it may be there already, and can be called back no more. */
export interface Waiting {
  readonly row: OutboxRow;
  readonly message: Accepting;
  readonly isInDoubt: boolean;
}

/** How long a batch is waited for. */
export const FLIGHT_MS = 15_000;

export class Outbox {
  readonly routes: Routes;
  readonly #core: Core;
  readonly #waiters: (() => void)[] = [];

  constructor(core: Core) {
    this.#core = core;
    this.routes = new Routes(core.outbox);
    core.onForget(() => {
      this.routes.forgetAll();
      this.#told();
    });
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
    this.#core.noted += 1;
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
    this.#core.noted += 1;
    this.#core.step();
    this.routes.told(state);
    this.routes.settle(target);
    this.#told();
  }

  /** Deletes a row; whether it was there. */
  take({ target, n }: OutboxRow): boolean {
    const route = this.routes.of(target);
    if (!this.#core.outbox.delete(target, n)) return false;
    route.rows -= 1;
    this.#core.noted += 1;
    return true;
  }

  /** Leaves a target alone for a while; only memory is told, because storage may be what has failed. */
  postpone(target: string, until: number): void {
    this.routes.of(target).nextTry = until;
    this.routes.sort(target);
  }

  /** What waits for a target, in the order sent: messages of an id, or of a key. */
  find(target: string, which: Target): Waiting[] {
    const tried = this.#tried(target);
    return this.#rows(target, which)
      .filter(({ options }) => parseOutboxOptions(options).declaration === undefined)
      .map((row) => ({ row, message: acceptingOf(row), isInDoubt: row.n <= tried }));
  }

  /** Takes messages that were never tried out of the outbox; false when there is none, or it may be on its way already. */
  cancel(target: string, which: Target): boolean {
    const tried = this.#tried(target);
    const rows = this.#rows(target, which).filter(({ n }) => n > tried);
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
  reschedule(row: OutboxRow, due: number): void {
    const { outbox } = this.#core;
    const read = readOutboxOptions(row.options);
    const { immediate: _immediate, ...options } = read ?? {};
    outbox.delete(row.target, row.n);
    outbox.insert({ ...row, due, options: read === undefined ? row.options : formatColumn(options) });
  }

  /** Resolves when nothing of it is in doubt any more; to false when it still is after as long as a batch is waited for. */
  async settled(target: string, which: Target): Promise<boolean> {
    if (!this.#isInDoubt(target, which)) return true;
    const state = { isLate: false };
    const cancel = after(FLIGHT_MS, () => {
      state.isLate = true;
      this.#told();
    });
    while (!state.isLate && this.#isInDoubt(target, which)) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
    cancel();
    return !state.isLate;
  }

  #isInDoubt(target: string, which: Target): boolean {
    if (!this.#core.isReadable()) return false;
    const tried = this.#tried(target);
    return this.#rows(target, which).some(({ n }) => n <= tried);
  }

  #rows(target: string, which: Target): OutboxRow[] {
    const { outbox } = this.#core;
    return "id" in which
      ? outbox.rowsOfId(target, which.id)
      : outbox.rowsOfKey(target, which.type, which.key);
  }

  /** The last number of the batch that may be on its way. */
  #tried(target: string): number {
    return this.#core.outbox.target(target)?.batch_n ?? 0;
  }

  /** Those who wait to know what has arrived look again. */
  #told(): void {
    for (const look of this.#waiters.splice(0)) look();
  }

  /** Deletes up to `count` rows, of whatever target; how many there were. */
  deleteSome(count: number): number {
    const { outbox } = this.#core;
    const places = outbox.places(count);
    for (const target of new Set(places.map((place) => place.target))) {
      // Of a batch that is on its way nothing is here any more: whatever is answered comes too late.
      const settled = { batch_n: null, first_try: null, tries: 0 };
      outbox.putTarget({ ...this.targetRow(target), ...settled, last_n: this.routes.of(target).last });
    }
    for (const { target, n } of places) outbox.delete(target, n);
    this.routes.forgetAll();
    return places.length;
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
