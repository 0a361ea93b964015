// The sending half of the outbox: rows are written in the commit of whoever sends, numbered per
// target. The relay takes them from there.

import { readableAddress } from "./address.ts";
import { now as clockNow } from "../time/clock.ts";
import { isCount, isOptions } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import type { Accepting, Declaration, EnvelopeOptions, IfPending } from "../message/envelope.ts";
import { OutboxFullError } from "../errors.ts";
import { formatColumn, isAbsentOr, isFields, isText, readColumn } from "../json.ts";
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
}

/** A target's numbers, kept in memory while something waits for it. */
export interface Route {
  /** The last number given. */
  last: number;
  rows: number;
  /** Not tried before. */
  nextTry: number;
  /** How often its batch was tried without an answer. */
  tries: number;
}

export class Outbox {
  readonly #core: Core;
  readonly #routes = new Map<string, Route>();
  /** Targets for which something waits: those that may have it now, first come first served, and the others. */
  readonly #ready = new Set<string>();
  readonly #later = new Set<string>();
  #isLoaded = false;

  constructor(core: Core) {
    this.#core = core;
    core.onForget(() => this.#forget());
  }

  /** Writes a row in the present commit; answers the id of the message. Room was taken when the send was made. */
  write(
    target: string,
    message: Accepting,
    earlier: Pick<OutboxOptions, "history" | "earlierAttempts"> = {},
  ): string {
    const route = this.#route(target);
    const n = route.last + 1;
    this.#core.outbox.insert({
      target,
      n,
      id: message.id,
      type: message.type,
      payload: message.payload,
      due: message.due,
      options: formatOutboxOptions(message, earlier),
    });
    route.last = n;
    route.rows += 1;
    if (!this.#ready.has(target) && !this.#later.has(target)) this.#sort(target, route);
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
    const rows = this.#route(target).rows + (this.#core.running?.bufferedTo(target) ?? 0);
    if (rows + more > outboxMaxRows) {
      throw new OutboxFullError(
        `${rows} messages wait for ${readableAddress(target)}, of at most ${outboxMaxRows} (settings.outbox.maxRows); it does not take them, so see outbox() for its last error.`,
      );
    }
  }

  /**
   * The targets for which something waits: `ready` for those that may have it now, in their order. A relay
   * takes a few from their front, however many there are.
   */
  waiting(which: "ready" | "later"): Iterable<[target: string, route: Route]> {
    if (!this.#isLoaded && this.#core.isReadable()) {
      this.#isLoaded = true;
      for (const target of this.#core.outbox.targets()) this.#sort(target, this.#route(target));
    }
    return this.#entries(which === "ready" ? this.#ready : this.#later);
  }

  *#entries(targets: ReadonlySet<string>): Iterable<[target: string, route: Route]> {
    for (const target of targets) yield [target, this.#route(target)];
  }

  /** Writes what the relay knows of a target now, and deletes its rows up to that number, if one is given. */
  put(state: TargetRow, upTo?: number): void {
    // Before rows are gone: a route that was forgotten counts those on disk.
    const route = this.#route(state.target);
    if (upTo !== undefined) route.rows -= this.#core.outbox.deleteUpTo(state.target, upTo);
    this.#core.outbox.putTarget(state);
    this.#core.step();
    route.nextTry = state.next_try;
    route.tries = state.tries;
    this.#sort(state.target, route);
  }

  /** Deletes a row; whether it was there. */
  take({ target, n }: OutboxRow): boolean {
    const route = this.#route(target);
    if (!this.#core.outbox.delete(target, n)) return false;
    route.rows -= 1;
    return true;
  }

  /** Those that were told to wait, and have, are ready again: behind those that are already, and not behind all that come. */
  promote(now: number): void {
    for (const [target, route] of this.waiting("later")) {
      if (route.tries === 0 && route.nextTry <= now) this.#sort(target, route);
    }
  }

  /** Leaves a target alone for a while; only memory is told, because storage may be what has failed. */
  postpone(target: string, until: number): void {
    const route = this.#route(target);
    route.nextTry = until;
    this.#sort(target, route);
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
    const { outbox } = this.#core;
    const route = this.#route(target);
    // A number is never given twice, also when the row that had it is gone.
    outbox.putTarget({ ...this.targetRow(target), last_n: route.last });
    for (const row of rows) {
      outbox.delete(target, row.n);
      route.rows -= 1;
      this.#core.raise({ event: "cancelled", id: row.id, type: row.type });
    }
    this.#sort(target, route);
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
    const found = "id" in which ? outbox.rowOf(target, which.id) : undefined;
    const rows =
      "id" in which ? (found === undefined ? [] : [found]) : outbox.rowsOfKey(target, which.type, which.key);
    return rows.filter(
      (row) =>
        row.n > tried && (withDeclarations || parseOutboxOptions(row.options).declaration === undefined),
    );
  }

  /** Deletes up to `count` rows, of whatever target; how many there were. */
  deleteSome(count: number): number {
    const { outbox } = this.#core;
    for (const target of outbox.targets()) {
      outbox.putTarget({ ...this.targetRow(target), last_n: this.#route(target).last });
    }
    this.#forget();
    return outbox.deleteSome(count);
  }

  targetRow(target: string): TargetRow {
    return this.#core.outbox.target(target) ?? emptyTarget(target);
  }

  #route(target: string): Route {
    let route = this.#routes.get(target);
    if (route === undefined) {
      const row = this.#core.outbox.target(target);
      route = {
        last: Math.max(this.#core.outbox.lastNumber(target), row?.last_n ?? 0),
        rows: this.#core.outbox.countOf(target),
        nextTry: row?.next_try ?? 0,
        tries: row?.tries ?? 0,
      };
      this.#routes.set(target, route);
    }
    return route;
  }

  /** Puts a route among those that are ready, last, or the others. */
  #sort(target: string, route: Route): void {
    this.#ready.delete(target);
    this.#later.delete(target);
    // What is on disk is enough to go on from; memory is for targets that have something waiting.
    if (route.rows <= 0) this.#routes.delete(target);
    else if (route.tries === 0 && route.nextTry <= clockNow()) this.#ready.add(target);
    else this.#later.add(target);
  }

  /** Memory is read from disk again. */
  #forget(): void {
    this.#routes.clear();
    this.#ready.clear();
    this.#later.clear();
    this.#isLoaded = false;
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

function formatOutboxOptions(
  message: Accepting,
  earlier: Pick<OutboxOptions, "history" | "earlierAttempts">,
): string | null {
  return formatColumn({
    ...(message.key === undefined ? {} : { key: message.key }),
    ...(message.ifPending === undefined ? {} : { ifPending: message.ifPending }),
    ...(message.options === undefined ? {} : { options: message.options }),
    ...(message.immediate ? { immediate: true } : {}),
    ...(message.declaration === undefined ? {} : { declaration: message.declaration }),
    ...earlier,
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
  }: Partial<Record<keyof OutboxOptions, unknown>> = value;
  return (
    isAbsentOr(key, isText) &&
    isAbsentOr(options, isOptions) &&
    isAbsentOr(declaration, isFields) &&
    isAbsentOr(history, isText) &&
    isAbsentOr(earlierAttempts, isCount)
  );
}
