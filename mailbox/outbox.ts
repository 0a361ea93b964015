// The sending half of the outbox: rows are written in the commit of whoever sends, numbered per
// target. The relay takes them from there.

import { readableAddress } from "./address.ts";
import type { Core } from "./core.ts";
import type { Accepting, Declaration, EnvelopeOptions, IfPending } from "./envelope.ts";
import { OutboxFullError } from "./errors.ts";
import type { OutboxRow, TargetRow } from "./store-outbox.ts";
import type { Target } from "./target.ts";
import { NEVER } from "./wake.ts";

/** What the receiver is told beside type, payload and time; the options column of an outbox row. */
export interface OutboxOptions {
  readonly key?: string;
  readonly ifPending?: IfPending;
  readonly options?: EnvelopeOptions;
  readonly immediate?: true;
  readonly declaration?: Declaration;
}

/** A target's numbers, kept in memory once it was used. */
interface Lane {
  last: number;
  rows: number;
  nextTry: number;
}

export class Outbox {
  readonly #core: Core;
  readonly #lanes = new Map<string, Lane>();
  #isLoaded = false;

  constructor(core: Core) {
    this.#core = core;
    core.outboxHead = () => this.head();
    core.onForget(() => this.#forget());
  }

  /** Writes a row in the present commit. Room was checked when the send was made. */
  write(target: string, message: Accepting): { undo: () => void } {
    const lane = this.#lane(target);
    const n = lane.last + 1;
    this.#core.outbox.insert({
      target,
      n,
      id: message.id,
      type: message.type,
      payload: message.payload,
      due: message.due,
      options: formatOutboxOptions(message),
    });
    lane.last = n;
    lane.rows += 1;
    this.#core.wake.arm(Math.max(0, lane.nextTry));
    return {
      undo: () => {
        this.#core.outbox.delete(target, n);
        lane.last = n - 1;
        lane.rows -= 1;
      },
    };
  }

  /** @throws {OutboxFullError} when `more` rows would be over the bound of one target */
  checkRoom(target: string, more: number): void {
    const { outboxMaxRows } = this.#core.config;
    const { rows } = this.#lane(target);
    if (rows + more > outboxMaxRows) {
      throw new OutboxFullError(
        `${rows} messages wait for ${readableAddress(target)}, of at most ${outboxMaxRows} (settings.outbox.maxRows); it does not take them, so see outbox() for its last error.`,
      );
    }
  }

  /** When a target wants its next batch. */
  head(): number {
    this.#load();
    let head = NEVER;
    for (const lane of this.#lanes.values()) if (lane.rows > 0) head = Math.min(head, lane.nextTry);
    return head;
  }

  /** The targets whose next batch may be tried. */
  dueTargets(now: number): string[] {
    this.#load();
    return [...this.#lanes]
      .filter(([, lane]) => lane.rows > 0 && lane.nextTry <= now)
      .map(([target]) => target);
  }

  /** A batch is on its way: its target is left alone until then, also by the alarm of a later life. */
  hold(target: string, until: number): void {
    this.#lane(target).nextTry = until;
  }

  /** Rows were taken from a target's lane by the relay. */
  took(target: string, rows: number, nextTry: number): void {
    const lane = this.#lane(target);
    lane.rows -= rows;
    lane.nextTry = nextTry;
    // What is on disk is enough to go on from; memory is for targets that have something waiting.
    if (lane.rows <= 0) this.#lanes.delete(target);
  }

  /** A message that waits for its target and was never tried. */
  find(target: string, which: Target): Accepting | undefined {
    const row = this.#untried(target, which);
    return row === undefined ? undefined : acceptingOf(row);
  }

  /** Takes a message that was never tried out of the outbox; false when it may be on its way already. */
  cancel(target: string, which: Target): boolean {
    const row = this.#untried(target, which);
    if (row === undefined) return false;
    const { outbox } = this.#core;
    const lane = this.#lane(target);
    // A number is never given twice, also when the row that had it is gone.
    outbox.delete(target, row.n);
    outbox.putTarget({ ...this.targetRow(target), last_n: lane.last });
    lane.rows -= 1;
    this.#core.raise({ event: "cancelled", id: row.id, type: row.type });
    return true;
  }

  /** Gives a message that was never tried another due time. */
  reschedule(target: string, which: Target, due: number): boolean {
    const row = this.#untried(target, which);
    if (row === undefined) return false;
    const { outbox } = this.#core;
    outbox.delete(target, row.n);
    outbox.insert({
      ...row,
      due,
      options: formatOutboxOptions({ ...acceptingOf(row), due, immediate: false }),
    });
    return true;
  }

  #untried(target: string, which: Target): OutboxRow | undefined {
    const { outbox } = this.#core;
    const row =
      "id" in which ? outbox.rowOf(target, which.id) : outbox.rowOfKey(target, which.type, which.key);
    if (row === undefined || row.n <= (outbox.target(target)?.batch_n ?? 0)) return undefined;
    return row;
  }

  /** Deletes up to `count` rows, of whatever target; how many there were. */
  deleteSome(count: number): number {
    const { outbox } = this.#core;
    for (const target of outbox.targets()) {
      outbox.putTarget({ ...this.targetRow(target), last_n: this.#lane(target).last });
    }
    this.#forget();
    return outbox.deleteSome(count);
  }

  targetRow(target: string): TargetRow {
    return this.#core.outbox.target(target) ?? emptyTarget(target);
  }

  #lane(target: string): Lane {
    let lane = this.#lanes.get(target);
    if (lane === undefined) {
      const row = this.#core.outbox.target(target);
      lane = {
        last: Math.max(this.#core.outbox.lastNumber(target), row?.last_n ?? 0),
        rows: this.#core.outbox.countOf(target),
        nextTry: row?.next_try ?? 0,
      };
      this.#lanes.set(target, lane);
    }
    return lane;
  }

  /** Memory is read from disk again. */
  #forget(): void {
    this.#lanes.clear();
    this.#isLoaded = false;
  }

  #load(): void {
    if (this.#isLoaded || !this.#core.exists()) return;
    this.#isLoaded = true;
    for (const target of this.#core.outbox.targets()) this.#lane(target);
  }
}

function emptyTarget(target: string): TargetRow {
  return {
    target,
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

function formatOutboxOptions(message: Accepting): string | null {
  const options: OutboxOptions = {
    ...(message.key === undefined ? {} : { key: message.key }),
    ...(message.ifPending === undefined ? {} : { ifPending: message.ifPending }),
    ...(message.options === undefined ? {} : { options: message.options }),
    ...(message.immediate ? { immediate: true } : {}),
    ...(message.declaration === undefined ? {} : { declaration: message.declaration }),
  };
  const text = JSON.stringify(options);
  return text === "{}" ? null : text;
}

/** A row, as the message that it carries. */
export function acceptingOf(row: OutboxRow): Accepting {
  const { key, ifPending, options, immediate, declaration } = parseOutboxOptions(row.options);
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

export function parseOutboxOptions(text: string | null): OutboxOptions {
  return text === null ? {} : (JSON.parse(text) as OutboxOptions);
}
