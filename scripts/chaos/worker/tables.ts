// The actor's own books: tables of its own, beside those of its mailbox.

import type { CancelRow, DoneRow, SentRow } from "../testimony.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS done (id TEXT, n TEXT, kind TEXT, attempt INTEGER, at INTEGER);
  CREATE TABLE IF NOT EXISTS counted (value INTEGER);
  INSERT INTO counted SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counted);
  CREATE TABLE IF NOT EXISTS sent (n TEXT, id TEXT);
  CREATE INDEX IF NOT EXISTS sent_n ON sent (n);
  CREATE TABLE IF NOT EXISTS deferrals (id TEXT PRIMARY KEY, count INTEGER);
  CREATE TABLE IF NOT EXISTS cancels (id TEXT, target INTEGER, answer INTEGER, askedAt INTEGER, at INTEGER);
  CREATE TABLE IF NOT EXISTS lines (target INTEGER PRIMARY KEY, seq INTEGER);
  CREATE TABLE IF NOT EXISTS hooks (id TEXT);
`;

export class Tables {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  completed({ id, n, kind, attempt, at }: DoneRow): void {
    this.#sql.exec(
      "INSERT INTO done (id, n, kind, attempt, at) VALUES (?, ?, ?, ?, ?)",
      id,
      n,
      kind,
      attempt,
      at,
    );
  }

  count(): void {
    this.#sql.exec("UPDATE counted SET value = value + 1");
  }

  /** More than one row of a number is no fault: a message that its ref has sent twice is handled twice. */
  sent(n: string, id: string): void {
    this.#sql.exec("INSERT INTO sent (n, id) VALUES (?, ?)", n, id);
  }

  sentId(n: string): string | undefined {
    return this.#sql
      .exec<{ id: string }>("SELECT id FROM sent WHERE n = ? ORDER BY rowid DESC LIMIT 1", n)
      .toArray()[0]?.id;
  }

  /** Counts one more deferral of a message; how many it has had. */
  deferred(id: string): number {
    return this.#one(
      "INSERT INTO deferrals (id, count) VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count AS value",
      id,
    );
  }

  deferrals(id: string): number {
    return this.#one("SELECT count AS value FROM deferrals WHERE id = ?", id);
  }

  cancelled({ id, target, answer, askedAt, at }: CancelRow): void {
    this.#sql.exec(
      "INSERT INTO cancels (id, target, answer, askedAt, at) VALUES (?, ?, ?, ?, ?)",
      id,
      target,
      answer,
      askedAt,
      at,
    );
  }

  /** The next place among the lines to a target. */
  nextLine(target: number): number {
    return this.#one(
      "INSERT INTO lines (target, seq) VALUES (?, 1) ON CONFLICT DO UPDATE SET seq = seq + 1 RETURNING seq AS value",
      target,
    );
  }

  hooked(id: string): void {
    this.#sql.exec("INSERT INTO hooks (id) VALUES (?)", id);
  }

  all(): {
    done: DoneRow[];
    sent: SentRow[];
    cancels: CancelRow[];
    hooks: string[];
    counted: number;
  } {
    const rows = <T>(query: string): T[] => this.#sql.exec(query).toArray() as T[];
    return {
      done: rows<DoneRow>("SELECT id, n, kind, attempt, at FROM done ORDER BY rowid"),
      sent: rows<SentRow>("SELECT n, id FROM sent ORDER BY rowid"),
      cancels: rows<CancelRow>("SELECT id, target, answer, askedAt, at FROM cancels ORDER BY rowid"),
      hooks: rows<{ id: string }>("SELECT DISTINCT id FROM hooks").map(({ id }) => id),
      counted: this.#one("SELECT value FROM counted"),
    };
  }

  #one(query: string, ...bindings: (string | number)[]): number {
    return this.#sql.exec<{ value: number }>(query, ...bindings).toArray()[0]?.value ?? 0;
  }
}
