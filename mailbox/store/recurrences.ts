// The recurrences' SQL. One row carries a recurrence and its present occurrence: `next_due` is when
// the occurrence is taken up, and null while the occurrence is a message of its own in the mailbox
// (being redelivered, deferred, rescheduled or leased) or when the recurrence has ended.

import type { Sql } from "./schema.ts";

export interface RecurrenceRow {
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly payload: string;
  /** JSON of the rule and its bounds. */
  readonly rule: string;
  /** JSON of EnvelopeOptions without what belongs to one delivery. */
  readonly options: string | null;
  readonly next_due: number | null;
  /** The planned time of the present occurrence, which is part of its id. */
  readonly planned: number;
  /** The planned time of the last one that was delivered or died. */
  readonly last: number | null;
  readonly delivered: number;
  readonly dead: number;
  readonly skipped: number;
  /** 1 when more may have been skipped than `skipped` says. */
  readonly inexact: 0 | 1;
  readonly ended: 0 | 1;
}

type Stored = Omit<RecurrenceRow, "inexact" | "ended"> & {
  readonly inexact: number;
  readonly ended: number;
} & Record<string, SqlStorageValue>;

const COLUMNS =
  "id, type, key, payload, rule, options, next_due, planned, last, delivered, dead, skipped, inexact, ended";
const LISTED = COLUMNS.replace("payload", "'' AS payload");

export class RecurrenceStore {
  readonly #sql: Sql;
  /** Whether any may have a present occurrence as part of it: most mailboxes have no recurrence. */
  #hasWaiting = true;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Reads again what is kept in memory: after a rollback, and after all storage was deleted. */
  forget(): void {
    this.#hasWaiting = true;
  }

  /** Writes a recurrence anew, whatever was there. */
  put(row: RecurrenceRow): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO _mailbox_recurrences (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.id,
      row.type,
      row.key,
      row.payload,
      row.rule,
      row.options,
      row.next_due,
      row.planned,
      row.last,
      row.delivered,
      row.dead,
      row.skipped,
      row.inexact,
      row.ended,
    );
    this.#hasWaiting = true;
  }

  /** Moves on from the occurrence planned for `from`; false when the recurrence is no longer there, or elsewhere. */
  advance(
    id: string,
    from: number,
    to: Pick<
      RecurrenceRow,
      "next_due" | "planned" | "last" | "delivered" | "dead" | "skipped" | "inexact" | "ended"
    >,
  ): boolean {
    const cursor = this.#sql.exec(
      `UPDATE _mailbox_recurrences
       SET next_due = ?, planned = ?, last = ?, delivered = ?, dead = ?, skipped = ?, inexact = ?, ended = ?
       WHERE id = ? AND planned = ? AND ended = 0`,
      to.next_due,
      to.planned,
      to.last,
      to.delivered,
      to.dead,
      to.skipped,
      to.inexact,
      to.ended,
      id,
      from,
    );
    this.#hasWaiting = true;
    return cursor.rowsWritten > 0;
  }

  /** The present occurrence has become a message of its own. */
  detach(id: string, planned: number): boolean {
    const cursor = this.#sql.exec(
      "UPDATE _mailbox_recurrences SET next_due = NULL WHERE id = ? AND planned = ? AND next_due IS NOT NULL",
      id,
      planned,
    );
    return cursor.rowsWritten > 0;
  }

  delete(id: string): boolean {
    return this.#sql.exec("DELETE FROM _mailbox_recurrences WHERE id = ?", id).rowsWritten > 0;
  }

  byId(id: string): RecurrenceRow | undefined {
    return this.#many(`SELECT ${COLUMNS} FROM _mailbox_recurrences WHERE id = ?`, id)[0];
  }

  /**
   * Those whose present occurrence is due, in delivery order: at most `count`, and no more after the
   * one that makes the payloads `maxUnits` UTF-16 units or more.
   */
  due(now: number, count: number, maxUnits: number): RecurrenceRow[] {
    if (!this.#hasWaiting) return [];
    return this.#inOrder(
      maxUnits,
      `SELECT id FROM _mailbox_recurrences WHERE next_due <= ?
       ORDER BY next_due, id || '@' || planned LIMIT ?`,
      now,
      count,
    );
  }

  head(): number | undefined {
    if (!this.#hasWaiting) return undefined;
    const [row] = this.#sql
      .exec<{ next_due: number }>(
        "SELECT next_due FROM _mailbox_recurrences WHERE next_due IS NOT NULL ORDER BY next_due LIMIT 1",
      )
      .toArray();
    this.#hasWaiting = row !== undefined;
    return row?.next_due;
  }

  /** A page of all by id, without their payloads, which are not what a list of them is for. */
  page(after: string, count: number): RecurrenceRow[] {
    return this.#many(
      `SELECT ${LISTED} FROM _mailbox_recurrences WHERE id > ? ORDER BY id LIMIT ?`,
      after,
      count,
    );
  }

  /** Those whose present occurrence waits as part of the recurrence, in due order after a place. */
  waitingPage(
    after: { due: number; id: string },
    type: string | undefined,
    count: number,
    maxUnits: number,
  ): RecurrenceRow[] {
    return this.#inOrder(
      maxUnits,
      `SELECT id FROM _mailbox_recurrences
       WHERE next_due IS NOT NULL AND (next_due, id || '@' || planned) > (?, ?) AND (? IS NULL OR type = ?)
       ORDER BY next_due, id || '@' || planned LIMIT ?`,
      after.due,
      after.id,
      type ?? null,
      type ?? null,
      count,
    );
  }

  counts(now: number): { waiting: number; due: number; oldest: number | null } {
    const [row] = this.#sql
      .exec<{ waiting: number; due: number; oldest: number | null }>(
        `SELECT COUNT(*) AS waiting, COALESCE(SUM(next_due <= ?), 0) AS due, MIN(next_due) AS oldest
         FROM _mailbox_recurrences WHERE next_due IS NOT NULL`,
        now,
      )
      .toArray();
    return row ?? { waiting: 0, due: 0, oldest: null };
  }

  deleteSome(count: number): number {
    const rows = this.page("", count);
    for (const row of rows) this.delete(row.id);
    return rows.length;
  }

  /** The rows of ids: one by one, because the sorting by what is no index would hold all payloads at once. */
  #inOrder(maxUnits: number, ids: string, ...bindings: (string | number | null)[]): RecurrenceRow[] {
    const rows: RecurrenceRow[] = [];
    let units = 0;
    for (const { id } of this.#sql.exec<{ id: string }>(ids, ...bindings).toArray()) {
      const row = this.byId(id);
      if (row === undefined) continue;
      rows.push(row);
      units += row.payload.length;
      if (units >= maxUnits) break;
    }
    return rows;
  }

  #many(statement: string, ...bindings: (string | number | null)[]): RecurrenceRow[] {
    return this.#sql
      .exec<Stored>(statement, ...bindings)
      .toArray()
      .map((row) => ({ ...row, inexact: flag(row.inexact), ended: flag(row.ended) }));
  }
}

function flag(value: number): 0 | 1 {
  return value === 1 ? 1 : 0;
}
