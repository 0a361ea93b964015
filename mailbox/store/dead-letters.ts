// The dead letters' SQL.

import type { DeadLetterReason, LetterRow } from "../message/envelope.ts";
import type { Sql } from "./schema.ts";

const COLUMNS =
  "id, died, type, payload, reason, attempts, due, fingerprint, key, recurrence, target, options, history, hook_due, hook_attempt";

/** The filter of the list and the bulk verbs, parsed. */
export interface LetterFilter {
  readonly type?: string;
  readonly reason?: DeadLetterReason;
  /** A fingerprint: see `errorFingerprint`. */
  readonly error?: string;
  readonly ids?: readonly string[];
  readonly diedBefore?: number;
}

/** Where a letter is in the order of deaths. */
export interface LetterPlace {
  readonly id: string;
  readonly died: number;
}

const MATCHING = `FROM _mailbox_dead_letters
       WHERE (died, id) < (?, ?) AND died < ?
         AND (? IS NULL OR type = ?) AND (? IS NULL OR reason = ?) AND (? IS NULL OR fingerprint = ?)
         AND (? IS NULL OR id IN (SELECT value FROM json_each(?)))
       ORDER BY died DESC, id DESC LIMIT ?`;

/** What {@link MATCHING} is bound to. */
function matching(before: LetterPlace, filter: LetterFilter, count: number): (string | number | null)[] {
  const { type = null, reason = null, error = null, diedBefore = Number.MAX_SAFE_INTEGER } = filter;
  const ids = filter.ids === undefined ? null : JSON.stringify(filter.ids);
  return [before.died, before.id, diedBefore, type, type, reason, reason, error, error, ids, ids, count];
}

export class DeadLetterStore {
  readonly #sql: Sql;
  /** Whether there may be any letter, and any whose hook is to run: most mailboxes have none. */
  #hasAny = true;
  #hasHooks = true;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Reads again what is kept in memory: after a rollback, and after all storage was deleted. */
  forget(): void {
    this.#hasAny = true;
    this.#hasHooks = true;
  }

  /** Inserts a letter; an older one of the same id gives way to it. */
  insert(row: LetterRow): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO _mailbox_dead_letters (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.id,
      row.died,
      row.type,
      row.payload,
      row.reason,
      row.attempts,
      row.due,
      row.fingerprint,
      row.key,
      row.recurrence,
      row.target,
      row.options,
      row.history,
      row.hook_due,
      row.hook_attempt,
    );
    this.#hasAny = true;
    this.#hasHooks ||= row.hook_due !== null;
  }

  delete(id: string): boolean {
    return this.#sql.exec("DELETE FROM _mailbox_dead_letters WHERE id = ?", id).rowsWritten > 0;
  }

  byId(id: string): LetterRow | undefined {
    return this.#many(`SELECT ${COLUMNS} FROM _mailbox_dead_letters WHERE id = ?`, id)[0];
  }

  has(id: string): boolean {
    return (
      this.#hasAny &&
      this.#sql.exec("SELECT 1 FROM _mailbox_dead_letters WHERE id = ?", id).toArray().length > 0
    );
  }

  /** The ids of those that are dead. */
  knownAmong(ids: readonly string[]): string[] {
    if (!this.#hasAny) return [];
    return this.#sql
      .exec<{ id: string }>(
        "SELECT id FROM _mailbox_dead_letters WHERE id IN (SELECT value FROM json_each(?))",
        JSON.stringify(ids),
      )
      .toArray()
      .map(({ id }) => id);
  }

  /**
   * The newest letters that match, older than a place: at most `count`, and no more after the one
   * that makes payloads and histories `maxUnits` UTF-16 units or more.
   */
  page(
    before: { died: number; id: string },
    filter: LetterFilter,
    count: number,
    maxUnits: number,
  ): LetterRow[] {
    const cursor = this.#sql.exec<LetterRow & Record<string, SqlStorageValue>>(
      `SELECT ${COLUMNS} ${MATCHING}`,
      ...matching(before, filter, count),
    );
    const rows: LetterRow[] = [];
    let units = 0;
    for (const row of cursor) {
      rows.push(row);
      units += row.payload.length + (row.history?.length ?? 0);
      if (units >= maxUnits) break;
    }
    return rows;
  }

  /**
   * Where the newest letters are that match, older than a place: at most `count`, and no more after the one
   * that makes payloads and histories `maxBytes` or more. Reads neither.
   */
  places(
    before: { died: number; id: string },
    filter: LetterFilter,
    count: number,
    maxBytes: number,
  ): LetterPlace[] {
    const cursor = this.#sql.exec<{ id: string; died: number; bytes: number }>(
      `SELECT id, died, octet_length(payload) + COALESCE(octet_length(history), 0) AS bytes ${MATCHING}`,
      ...matching(before, filter, count),
    );
    const places: LetterPlace[] = [];
    let sum = 0;
    for (const { id, died, bytes } of cursor) {
      places.push({ id, died });
      sum += bytes;
      if (sum >= maxBytes) break;
    }
    return places;
  }

  count(): number {
    const [row] = this.#sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM _mailbox_dead_letters").toArray();
    return row?.n ?? 0;
  }

  /** When the oldest letter died. */
  oldest(): number | undefined {
    if (!this.#hasAny) return undefined;
    const [row] = this.#sql
      .exec<{ died: number }>("SELECT died FROM _mailbox_dead_letters ORDER BY died, id LIMIT 1")
      .toArray();
    this.#hasAny = row !== undefined;
    return row?.died;
  }

  /** Deletes up to `count` of the oldest letters that died at or before a moment; how many there were. */
  deleteOldest(diedUntil: number, count: number): number {
    return this.#sql.exec(
      `DELETE FROM _mailbox_dead_letters WHERE id IN
         (SELECT id FROM _mailbox_dead_letters WHERE died <= ? ORDER BY died, id LIMIT ?)`,
      diedUntil,
      count,
    ).rowsWritten;
  }

  /** The next letter whose hook is due. */
  dueHook(now: number): LetterRow | undefined {
    if (!this.#hasHooks) return undefined;
    return this.#many(
      `SELECT ${COLUMNS} FROM _mailbox_dead_letters WHERE hook_due <= ? ORDER BY hook_due LIMIT 1`,
      now,
    )[0];
  }

  hookHead(): number | undefined {
    if (!this.#hasHooks) return undefined;
    const [row] = this.#sql
      .exec<{ hook_due: number }>(
        "SELECT hook_due FROM _mailbox_dead_letters WHERE hook_due IS NOT NULL ORDER BY hook_due LIMIT 1",
      )
      .toArray();
    this.#hasHooks = row !== undefined;
    return row?.hook_due;
  }

  /** Plans the next run of a letter's hook, or none; not that of a later letter of the same message. */
  setHook(letter: { id: string; died: number }, due: number | null, attempt: number): void {
    this.#sql.exec(
      "UPDATE _mailbox_dead_letters SET hook_due = ?, hook_attempt = ? WHERE id = ? AND died = ?",
      due,
      attempt,
      letter.id,
      letter.died,
    );
    this.#hasHooks ||= due !== null;
  }

  #many(statement: string, ...bindings: (string | number)[]): LetterRow[] {
    return this.#sql.exec<LetterRow & Record<string, SqlStorageValue>>(statement, ...bindings).toArray();
  }
}
