// The outbox' SQL: envelopes on their way to other actors, what is known of each target, and, on the
// receiving side, how far each sender has come.

import type { Sql } from "./schema.ts";

export interface OutboxRow {
  readonly target: string;
  /** Counted per target, never used again for another message within an epoch. */
  readonly n: number;
  readonly id: string;
  readonly type: string;
  readonly payload: string;
  readonly due: number;
  /** JSON of what else the receiver is told: key, ifPending, options, immediate. */
  readonly options: string | null;
}

export interface TargetRow {
  readonly target: string;
  /**
   * Names one life of this route's numbers; null until its first batch. One for each route, and not one
   * for the object: two addresses may lead to the same receiver, which must not mix up their numbers.
   */
  readonly epoch: string | null;
  /** The greatest number that has left the outbox, by whatever way. */
  readonly last_n: number;
  /** The last number that this target is known to have, and its id. */
  readonly confirmed_n: number;
  readonly confirmed_id: string | null;
  /** The last number of the batch that may be on its way; null when nothing is in doubt. */
  readonly batch_n: number | null;
  /** When that batch was first tried. */
  readonly first_try: number | null;
  readonly tries: number;
  readonly next_try: number;
  readonly error: string | null;
}

export interface SenderRow {
  readonly last_n: number;
  readonly last_id: string;
}

type Row<T> = T & Record<string, SqlStorageValue>;

const OUTBOX = "target, n, id, type, payload, due, options";
const TARGET = "target, epoch, last_n, confirmed_n, confirmed_id, batch_n, first_try, tries, next_try, error";

export class OutboxStore {
  readonly #sql: Sql;
  /** How many senders and targets are new since it was last looked which may be forgotten, and the newest target. */
  grown = 0;
  newest = "";

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  insert(row: OutboxRow): void {
    this.#sql.exec(
      `INSERT INTO _mailbox_outbox (${OUTBOX}) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      row.target,
      row.n,
      row.id,
      row.type,
      row.payload,
      row.due,
      row.options,
    );
  }

  /** The next rows to one target: at least one, at most `count`, and of several no more than `maxUnits` UTF-16 units. */
  batch(target: string, count: number, maxUnits: number): OutboxRow[] {
    const cursor = this.#sql.exec<Row<OutboxRow>>(
      `SELECT ${OUTBOX} FROM _mailbox_outbox WHERE target = ? ORDER BY n LIMIT ?`,
      target,
      count,
    );
    const rows: OutboxRow[] = [];
    let units = 0;
    for (const row of cursor) {
      units += row.payload.length + row.type.length + (row.options?.length ?? 0);
      if (units > maxUnits && rows.length > 0) break;
      rows.push(row);
    }
    return rows;
  }

  /** What is left of a batch that went once. */
  upTo(target: string, n: number): OutboxRow[] {
    return this.#sql
      .exec<Row<OutboxRow>>(
        `SELECT ${OUTBOX} FROM _mailbox_outbox WHERE target = ? AND n <= ? ORDER BY n`,
        target,
        n,
      )
      .toArray();
  }

  /** Those of an id: several, when a recurrence was declared again before the first has left. */
  rowsOfId(target: string, id: string): OutboxRow[] {
    return this.#sql
      .exec<Row<OutboxRow>>(
        `SELECT ${OUTBOX} FROM _mailbox_outbox WHERE target = ? AND id = ? ORDER BY n`,
        target,
        id,
      )
      .toArray();
  }

  /** Those of a type and key, in the order sent. A text that is no JSON has no key, and fails no other. */
  rowsOfKey(target: string, type: string, key: string): OutboxRow[] {
    return this.#sql
      .exec<Row<OutboxRow>>(
        `SELECT ${OUTBOX} FROM _mailbox_outbox
         WHERE target = ? AND type = ? AND CASE WHEN json_valid(options) THEN options ->> '$.key' END = ? ORDER BY n`,
        target,
        type,
        key,
      )
      .toArray();
  }

  page(after: { target: string; n: number }, count: number): OutboxRow[] {
    return this.#sql
      .exec<Row<OutboxRow>>(
        `SELECT ${OUTBOX} FROM _mailbox_outbox WHERE (target, n) > (?, ?) ORDER BY target, n LIMIT ?`,
        after.target,
        after.n,
        count,
      )
      .toArray();
  }

  /** The targets with rows, by skipping from one to the next: reads two rows a target, not all. */
  targets(): string[] {
    return this.#sql
      .exec<{ target: string }>(
        `WITH RECURSIVE t (target) AS (
           SELECT MIN(target) FROM _mailbox_outbox
           UNION ALL
           SELECT (SELECT MIN(target) FROM _mailbox_outbox WHERE target > t.target) FROM t WHERE t.target IS NOT NULL
         ) SELECT target FROM t WHERE target IS NOT NULL`,
      )
      .toArray()
      .map((row) => row.target);
  }

  /** The first and the last number that waits for a target; 0 when none does. Reads two rows. */
  numbers(target: string): { readonly first: number; readonly last: number } {
    const [row] = this.#sql
      .exec<{ first: number | null; last: number | null }>(
        `SELECT (SELECT MIN(n) FROM _mailbox_outbox WHERE target = ?) AS first,
                (SELECT MAX(n) FROM _mailbox_outbox WHERE target = ?) AS last`,
        target,
        target,
      )
      .toArray();
    return { first: row?.first ?? 0, last: row?.last ?? 0 };
  }

  hasRows(target: string): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM _mailbox_outbox WHERE target = ? LIMIT 1", target).toArray().length > 0
    );
  }

  countOf(target: string): number {
    const [row] = this.#sql
      .exec<{ n: number }>("SELECT COUNT(*) AS n FROM _mailbox_outbox WHERE target = ?", target)
      .toArray();
    return row?.n ?? 0;
  }

  count(): number {
    const [row] = this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM _mailbox_outbox").toArray();
    return row?.n ?? 0;
  }

  /** How many there were. */
  deleteUpTo(target: string, n: number): number {
    return this.#sql.exec("DELETE FROM _mailbox_outbox WHERE target = ? AND n <= ?", target, n).rowsWritten;
  }

  /** Whether the row was there. */
  delete(target: string, n: number): boolean {
    return (
      this.#sql.exec("DELETE FROM _mailbox_outbox WHERE target = ? AND n = ?", target, n).rowsWritten > 0
    );
  }

  /** Where the first `count` rows are. */
  places(count: number): { readonly target: string; readonly n: number }[] {
    return this.#sql
      .exec<{ target: string; n: number }>(
        "SELECT target, n FROM _mailbox_outbox ORDER BY target, n LIMIT ?",
        count,
      )
      .toArray();
  }

  target(target: string): TargetRow | undefined {
    return this.#sql
      .exec<Row<TargetRow>>(`SELECT ${TARGET} FROM _mailbox_targets WHERE target = ?`, target)
      .toArray()[0];
  }

  putTarget(row: TargetRow): void {
    this.#sql.exec(
      `INSERT INTO _mailbox_targets (${TARGET}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (target) DO UPDATE SET epoch = excluded.epoch, last_n = excluded.last_n, confirmed_n = excluded.confirmed_n,
         confirmed_id = excluded.confirmed_id, batch_n = excluded.batch_n, first_try = excluded.first_try,
         tries = excluded.tries, next_try = excluded.next_try, error = excluded.error`,
      row.target,
      row.epoch,
      row.last_n,
      row.confirmed_n,
      row.confirmed_id,
      row.batch_n,
      row.first_try,
      row.tries,
      row.next_try,
      row.error,
    );
  }

  /** How far a sender has come, unless it may be forgotten by now. */
  sender(sender: string, epoch: string, now: number): SenderRow | undefined {
    return this.#sql
      .exec<Row<SenderRow>>(
        "SELECT last_n, last_id FROM _mailbox_senders WHERE sender = ? AND epoch = ? AND keep_until > ?",
        sender,
        epoch,
        now,
      )
      .toArray()[0];
  }

  putSender(sender: string, epoch: string, lastN: number, lastId: string, keepUntil: number): void {
    this.#sql.exec(
      `INSERT INTO _mailbox_senders (sender, epoch, last_n, last_id, keep_until) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (sender, epoch) DO UPDATE
         SET last_n = excluded.last_n, last_id = excluded.last_id, keep_until = excluded.keep_until`,
      sender,
      epoch,
      lastN,
      lastId,
      keepUntil,
    );
  }

  /** Up to `count` senders from one on: whom this object may forget is found a few at a time. */
  sendersFrom(
    sender: string,
    count: number,
  ): { readonly sender: string; readonly epoch: string; readonly keep_until: number }[] {
    return this.#sql
      .exec<{ sender: string; epoch: string; keep_until: number }>(
        "SELECT sender, epoch, keep_until FROM _mailbox_senders WHERE sender >= ? ORDER BY sender, epoch LIMIT ?",
        sender,
        count,
      )
      .toArray();
  }

  forgetSender(sender: string, epoch: string): void {
    this.#sql.exec("DELETE FROM _mailbox_senders WHERE sender = ? AND epoch = ?", sender, epoch);
  }

  /** Up to `count` targets from one on, and whether rows wait for it. */
  targetsFrom(
    target: string,
    count: number,
  ): { readonly target: string; readonly next_try: number; readonly has_rows: number }[] {
    return this.#sql
      .exec<{ target: string; next_try: number; has_rows: number }>(
        `SELECT target, next_try, EXISTS (SELECT 1 FROM _mailbox_outbox o WHERE o.target = t.target) AS has_rows
         FROM _mailbox_targets t WHERE target >= ? ORDER BY target LIMIT ?`,
        target,
        count,
      )
      .toArray();
  }

  forgetTarget(target: string): void {
    this.#sql.exec("DELETE FROM _mailbox_targets WHERE target = ?", target);
  }
}
