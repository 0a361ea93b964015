// The pages that a drain delivers. Each column that is read costs time, and most messages have nothing
// but their payload; so pages are read without the other columns for as long as those are empty.

import type { Envelope } from "../message/envelope.ts";
import type { Sql } from "./schema.ts";
import { COLUMNS, plainRow, type Raw, takeUntil } from "./rows.ts";

/** Due, id, type, payload, and whether that is all. */
type PlainRaw = [number, string, string, string, number];

export class DueRows {
  readonly #sql: Sql;
  readonly #whole: (row: Envelope) => Envelope | undefined;
  /** Whether the last page was of plain rows: the next one is likely to be the same. */
  #arePlain = true;

  /** @param whole reads a row of the page with all its columns */
  constructor(sql: Sql, whole: (row: Envelope) => Envelope | undefined) {
    this.#sql = sql;
    this.#whole = whole;
  }

  /**
   * The next due messages in delivery order: at most `count`, and no more after the one that makes
   * the payloads `maxUnits` UTF-16 units or more, so that memory is bounded by the page.
   */
  page(now: number, count: number, maxUnits: number): Envelope[] {
    if (this.#arePlain) return this.#mostlyPlain(now, count, maxUnits);
    const cursor = this.#sql
      .exec(
        `SELECT ${COLUMNS} FROM _mailbox_envelopes WHERE parked = 0 AND due <= ? ORDER BY due, id LIMIT ?`,
        now,
        count,
      )
      .raw<Raw>();
    const rows = takeUntil(cursor, maxUnits);
    this.#arePlain = rows.every(isPlain);
    return rows;
  }

  #mostlyPlain(now: number, count: number, maxUnits: number): Envelope[] {
    const cursor = this.#sql
      .exec(
        `SELECT due, id, type, payload, attempt = 0 AND moved = 0 AND COALESCE(key, recurrence, options, history) IS NULL
         FROM _mailbox_envelopes WHERE parked = 0 AND due <= ? ORDER BY due, id LIMIT ?`,
        now,
        count,
      )
      .raw<PlainRaw>();
    const rows: Envelope[] = [];
    const others = new Set<number>();
    let units = 0;
    for (const [due, id, type, payload, isAll] of cursor) {
      if (isAll !== 1) others.add(rows.length);
      rows.push(plainRow(due, id, type, payload));
      units += payload.length;
      if (units >= maxUnits) break;
    }
    this.#arePlain = others.size === 0;
    return this.#arePlain
      ? rows
      : rows.flatMap((row, index) => (others.has(index) ? (this.#whole(row) ?? []) : row));
  }
}

function isPlain({ attempt, moved, key, recurrence, options, history }: Envelope): boolean {
  return attempt === 0 && moved === 0 && (key ?? recurrence ?? options ?? history) === null;
}
