// The envelopes' SQL. One statement, one method; no decisions. Statements are constants, because the
// platform caches prepared statements by their text, and because no input may become SQL.
// The tables beside this one have their statements in store-*.ts.

import type { Accepting, Envelope } from "../message/envelope.ts";
import { formatOptions } from "../message/columns.ts";
import type { Sql } from "./schema.ts";
import { Acks } from "./page-acks.ts";
import { insertPlainRows, knownIds, type PlainRow } from "./bulk.ts";
import { DueRows } from "./due-pages.ts";
import { COLUMNS, fromRaw, plainRow, type Raw, takeUntil } from "./rows.ts";

/** The key of a row. */
export interface Place {
  readonly parked: number;
  readonly due: number;
  readonly id: string;
}

export class EnvelopeStore {
  readonly #sql: Sql;
  /** The due time of the first message that waits, or Infinity; undefined when it has to be read. */
  #head: number | undefined;
  #hasParked = true;
  readonly #acks: Acks;
  readonly #due: DueRows;
  /** The due time of the last row of the last page: it holds until the next one, as a page goes on after a wait. */
  #pageEnd = Number.NEGATIVE_INFINITY;
  readonly #onAcked: (count: number) => void;

  /** @param onAcked told how many rows the acks of a page have deleted */
  constructor(sql: Sql, onAcked: (count: number) => void = () => {}) {
    this.#sql = sql;
    this.#acks = new Acks(sql);
    this.#due = new DueRows(sql, (place) => this.at(place));
    this.#onAcked = onAcked;
  }

  /** A row of the present page was handled: it is deleted with the others, at the latest by {@link endPage}. */
  ack(row: Place): void {
    this.#acks.add(row);
  }

  /** Deletes what was acked. Everything that reads the table, or writes among those rows, begins with it. */
  settleAcks(): void {
    if (!this.#acks.areOpen) return;
    this.#head = undefined;
    this.#onAcked(this.#acks.flush());
  }

  /** What was acked is deleted, before any other request gets in. Not inside a transaction. */
  endPage(): void {
    this.settleAcks();
    this.#acks.close();
  }

  /** All storage is gone, and what was acked with it. */
  wiped(): void {
    this.#acks.close();
  }

  /** Reads again what is kept in memory: after a rollback, and after all storage was deleted. */
  forget(): void {
    this.#head = undefined;
    this.#hasParked = true;
    this.#acks.rolledBack();
  }

  /**
   * Before a row is written that may be due among those of the page, of which the acked ones are deleted
   * as a range: also between the last of them and the one that runs, whose ack is still to come.
   */
  #makeWay(parked: number, due: number): void {
    if (parked === 0 && due <= this.#pageEnd) this.settleAcks();
  }

  #added(parked: number, due: number): void {
    if (parked > 0) this.#hasParked = true;
    else if (this.#head !== undefined && due < this.#head) this.#head = due;
  }

  #taken({ parked, due }: Place): void {
    if (parked === 0 && this.#head !== undefined && due <= this.#head) this.#head = undefined;
  }

  /** Inserts a message that has nothing but its payload: the cheapest row there is. */
  insertPlain(due: number, id: string, type: string, payload: string): void {
    this.#makeWay(0, due);
    this.#sql.exec(
      "INSERT INTO _mailbox_envelopes (due, id, type, payload) VALUES (?, ?, ?, ?)",
      due,
      id,
      type,
      payload,
    );
    this.#added(0, due);
  }

  /** Inserts any row, whole. */
  insert(row: Envelope): void {
    this.#makeWay(row.parked, row.due);
    this.#sql.exec(
      `INSERT INTO _mailbox_envelopes (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.parked,
      row.due,
      row.id,
      row.type,
      row.payload,
      row.attempt,
      row.moved,
      row.key,
      row.recurrence,
      row.options,
      row.history,
    );
    this.#added(row.parked, row.due);
  }

  /** Inserts many plain messages, in few statements; answers when the first of them is due. */
  insertMany(messages: readonly PlainRow[]): number {
    const first = messages.reduce((least, { due }) => Math.min(least, due), Number.POSITIVE_INFINITY);
    this.#makeWay(0, first);
    insertPlainRows(this.#sql, messages);
    this.#added(0, first);
    return first;
  }

  /** The ids of those that are in the mailbox. */
  knownAmong(places: readonly { readonly id: string; readonly due: number }[]): string[] {
    this.settleAcks();
    return knownIds(this.#sql, places);
  }

  /** Whether the row was there. */
  delete(place: Place): boolean {
    const cursor = this.#sql.exec(
      "DELETE FROM _mailbox_envelopes WHERE parked = ? AND due = ? AND id = ?",
      place.parked,
      place.due,
      place.id,
    );
    this.#taken(place);
    return cursor.rowsWritten > 0;
  }

  /** Rewrites a row in another place; whether it was there. */
  move(place: Place, to: Omit<Envelope, "id" | "type" | "payload">): boolean {
    this.#makeWay(to.parked, to.due);
    const cursor = this.#sql.exec(
      `UPDATE _mailbox_envelopes
       SET parked = ?, due = ?, attempt = ?, moved = ?, key = ?, recurrence = ?, options = ?, history = ?
       WHERE parked = ? AND due = ? AND id = ?`,
      to.parked,
      to.due,
      to.attempt,
      to.moved,
      to.key,
      to.recurrence,
      to.options,
      to.history,
      place.parked,
      place.due,
      place.id,
    );
    this.#taken(place);
    if (cursor.rowsWritten === 0) return false;
    this.#added(to.parked, to.due);
    return true;
  }

  /** Takes the key from a row, so that another can hold it. */
  releaseKey(place: Place): void {
    this.#sql.exec(
      "UPDATE _mailbox_envelopes SET key = NULL WHERE parked = ? AND due = ? AND id = ?",
      place.parked,
      place.due,
      place.id,
    );
  }

  at(place: Place): Envelope | undefined {
    return this.#one(
      `SELECT ${COLUMNS} FROM _mailbox_envelopes WHERE parked = ? AND due = ? AND id = ?`,
      place.parked,
      place.due,
      place.id,
    );
  }

  /** Finds a message by id: at the place that its id names, else by the index of those that moved. */
  byId(id: string, dueOfId: number): Envelope | undefined {
    return this.at({ parked: 0, due: dueOfId, id }) ?? this.movedById(id);
  }

  movedById(id: string): Envelope | undefined {
    return this.#one(`SELECT ${COLUMNS} FROM _mailbox_envelopes WHERE id = ? AND moved = 1`, id);
  }

  byKey(type: string, key: string): Envelope | undefined {
    return this.#one(`SELECT ${COLUMNS} FROM _mailbox_envelopes WHERE type = ? AND key = ?`, type, key);
  }

  /**
   * The next due messages in delivery order: at most `count`, and no more after the one that makes
   * the payloads `maxUnits` UTF-16 units or more, so that memory is bounded by the page.
   */
  due(now: number, count: number, maxUnits: number): Envelope[] {
    this.settleAcks();
    const rows = this.#due.page(now, count, maxUnits);
    this.#pageEnd = rows.at(-1)?.due ?? Number.NEGATIVE_INFINITY;
    return rows;
  }

  /** The due time of the first message that waits, parked ones apart. */
  head(): number | undefined {
    this.settleAcks();
    if (this.#head === undefined) {
      const [row] = this.#sql
        .exec<{ due: number }>("SELECT due FROM _mailbox_envelopes WHERE parked = 0 ORDER BY due, id LIMIT 1")
        .toArray();
      this.#head = row?.due ?? Number.POSITIVE_INFINITY;
    }
    return this.#head === Number.POSITIVE_INFINITY ? undefined : this.#head;
  }

  /** A page of waiting messages in due order after a place, of one type or of all. */
  page(
    after: { due: number; id: string },
    type: string | undefined,
    count: number,
    units: number,
  ): Envelope[] {
    this.settleAcks();
    const cursor = this.#sql
      .exec(
        `SELECT ${COLUMNS} FROM _mailbox_envelopes
         WHERE parked = 0 AND (due, id) > (?, ?) AND (? IS NULL OR type = ?) ORDER BY due, id LIMIT ?`,
        after.due,
        after.id,
        type ?? null,
        type ?? null,
        count,
      )
      .raw<Raw>();
    return takeUntil(cursor, units);
  }

  /** A page of parked messages, the longest parked first. */
  parkedPage(after: Place, type: string | undefined, count: number, units: number): Envelope[] {
    const cursor = this.#sql
      .exec(
        `SELECT ${COLUMNS} FROM _mailbox_envelopes
         WHERE parked > 0 AND (parked, due, id) > (?, ?, ?) AND (? IS NULL OR type = ?) ORDER BY parked, due, id LIMIT ?`,
        after.parked,
        after.due,
        after.id,
        type ?? null,
        type ?? null,
        count,
      )
      .raw<Raw>();
    return takeUntil(cursor, units);
  }

  /** The types of parked messages, by skipping from one to the next: reads two rows a type, not all. */
  parkedTypes(): string[] {
    return this.#sql
      .exec<{ type: string }>(
        `WITH RECURSIVE t (type) AS (
           SELECT MIN(type) FROM _mailbox_envelopes WHERE parked > 0
           UNION ALL
           SELECT (SELECT MIN(type) FROM _mailbox_envelopes WHERE parked > 0 AND type > t.type) FROM t WHERE t.type IS NOT NULL
         ) SELECT type FROM t WHERE type IS NOT NULL`,
      )
      .toArray()
      .map((row) => row.type);
  }

  /** Where up to `count` parked messages of a type are, the longest parked first. */
  parkedOf(type: string, count: number): Place[] {
    return this.#sql
      .exec<{ parked: number; due: number; id: string }>(
        "SELECT parked, due, id FROM _mailbox_envelopes WHERE parked > 0 AND type = ? ORDER BY parked, due, id LIMIT ?",
        type,
        count,
      )
      .toArray();
  }

  /** A parked message waits again, in its place. */
  unpark(place: Place, moved: 0 | 1): void {
    this.#makeWay(0, place.due);
    this.#sql.exec(
      "UPDATE _mailbox_envelopes SET parked = 0, moved = ? WHERE parked = ? AND due = ? AND id = ?",
      moved,
      place.parked,
      place.due,
      place.id,
    );
    this.#added(0, place.due);
  }

  /** When the message that is parked longest was parked. */
  oldestParked(): number | undefined {
    if (!this.#hasParked) return undefined;
    const [row] = this.#sql
      .exec<{ parked: number }>(
        "SELECT parked FROM _mailbox_envelopes WHERE parked > 0 ORDER BY parked LIMIT 1",
      )
      .toArray();
    this.#hasParked = row !== undefined;
    return row?.parked;
  }

  counts(now: number): { pending: number; due: number; parked: number; oldest: number | null } {
    this.settleAcks();
    const [row] = this.#sql
      .exec<{ pending: number; due: number; parked: number; oldest: number | null }>(
        `SELECT COUNT(*) AS pending, COALESCE(SUM(parked = 0 AND due <= ?), 0) AS due,
           COALESCE(SUM(parked > 0), 0) AS parked, MIN(CASE WHEN parked = 0 THEN due END) AS oldest
         FROM _mailbox_envelopes`,
        now,
      )
      .toArray();
    return row ?? { pending: 0, due: 0, parked: 0, oldest: null };
  }

  /** Deletes up to `count` messages of any state; how many there were. */
  deleteSome(count: number): number {
    this.settleAcks();
    const places = this.#sql
      .exec<{ parked: number; due: number; id: string }>(
        "SELECT parked, due, id FROM _mailbox_envelopes ORDER BY parked, due, id LIMIT ?",
        count,
      )
      .toArray();
    for (const place of places) this.delete(place);
    return places.length;
  }

  #one(statement: string, ...bindings: (string | number)[]): Envelope | undefined {
    this.settleAcks();
    const [raw] = [...this.#sql.exec(statement, ...bindings).raw<Raw>()];
    return raw === undefined ? undefined : fromRaw(raw);
  }
}

/** The row of a newly accepted message. */
export function acceptedRow(message: Accepting, due: number): Envelope {
  return {
    ...plainRow(due, message.id, message.type, message.payload),
    moved: due === message.due && message.moved === undefined ? 0 : 1,
    key: message.key ?? null,
    options: formatOptions(message.options),
  };
}
