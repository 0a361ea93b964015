// The tables, and how they come to be. Migrations are numbered and only ever appended: an object may
// sleep for a year and wake under any later version. What each column costs is in ARCHITECTURE.md.

import { nanoid } from "nanoid";
import { NotSqliteError } from "../errors.ts";

/** What the schema needs to know of the storage: the SQL interface and nothing else. */
export type Sql = SqlStorage;

/** The columns and tables of version 1. `WITHOUT ROWID`: the key is the time order, so a message is one row. */
const VERSION_1 = `
CREATE TABLE _mailbox_envelopes (
  parked INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  payload TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  moved INTEGER NOT NULL DEFAULT 0,
  key TEXT,
  recurrence TEXT,
  options TEXT,
  history TEXT,
  PRIMARY KEY (parked, due, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX _mailbox_envelopes_moved ON _mailbox_envelopes (id) WHERE moved = 1;
CREATE UNIQUE INDEX _mailbox_envelopes_key ON _mailbox_envelopes (type, key) WHERE key IS NOT NULL;

CREATE TABLE _mailbox_recurrences (
  id TEXT NOT NULL PRIMARY KEY,
  type TEXT NOT NULL,
  key TEXT NOT NULL,
  payload TEXT NOT NULL,
  rule TEXT NOT NULL,
  options TEXT,
  next_due INTEGER,
  planned INTEGER NOT NULL,
  last INTEGER,
  delivered INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX _mailbox_recurrences_due ON _mailbox_recurrences (next_due) WHERE next_due IS NOT NULL;

CREATE TABLE _mailbox_dead_letters (
  id TEXT NOT NULL PRIMARY KEY,
  died INTEGER NOT NULL,
  type TEXT NOT NULL,
  payload TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due INTEGER NOT NULL,
  fingerprint TEXT,
  key TEXT,
  recurrence TEXT,
  target TEXT,
  options TEXT,
  history TEXT,
  hook_due INTEGER,
  hook_attempt INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX _mailbox_dead_letters_died ON _mailbox_dead_letters (died, id);
CREATE INDEX _mailbox_dead_letters_hook ON _mailbox_dead_letters (hook_due) WHERE hook_due IS NOT NULL;

CREATE TABLE _mailbox_outbox (
  target TEXT NOT NULL,
  n INTEGER NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  payload TEXT NOT NULL,
  due INTEGER NOT NULL,
  options TEXT,
  PRIMARY KEY (target, n)
) WITHOUT ROWID;
CREATE TABLE _mailbox_targets (
  target TEXT NOT NULL PRIMARY KEY,
  epoch TEXT,
  last_n INTEGER NOT NULL DEFAULT 0,
  confirmed_n INTEGER NOT NULL DEFAULT 0,
  confirmed_id TEXT,
  batch_n INTEGER,
  first_try INTEGER,
  tries INTEGER NOT NULL DEFAULT 0,
  next_try INTEGER NOT NULL DEFAULT 0,
  error TEXT
) WITHOUT ROWID;
CREATE TABLE _mailbox_senders (
  sender TEXT NOT NULL,
  epoch TEXT NOT NULL,
  last_n INTEGER NOT NULL,
  last_id TEXT NOT NULL,
  keep_until INTEGER NOT NULL,
  PRIMARY KEY (sender, epoch)
) WITHOUT ROWID;

CREATE TABLE _mailbox_meta (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
`;

/** A name for one life of the numbers of one route of an outbox. */
export function newEpoch(): string {
  return nanoid();
}

/**
 * Version 2. Parked messages are found by their type: nobody else pays for that index. A recurrence says whether
 * the number of those skipped is exact.
 */
const VERSION_2 = `
CREATE INDEX _mailbox_envelopes_parked ON _mailbox_envelopes (type) WHERE parked > 0;
ALTER TABLE _mailbox_recurrences ADD COLUMN inexact INTEGER NOT NULL DEFAULT 0;
`;

const MIGRATIONS: readonly string[] = [VERSION_1, VERSION_2];

/** The version of this code. An object that a newer one has written to is refused, not guessed at. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/**
 * The schema version on disk: 0 when the object has no mailbox yet, or had all its storage deleted.
 *
 * @throws {NotSqliteError} when the class has no SQL
 */
export function schemaVersion(storage: DurableObjectStorage, className: string): number {
  try {
    return versionOnDisk(storage.sql);
  } catch (cause) {
    if (hasSql(storage)) throw cause;
    throw new NotSqliteError(
      `${className} is not SQLite-backed, and a mailbox needs SQL; declare the class in new_sqlite_classes of its migration (a class that already has key-value storage cannot be changed: make a new one).`,
      { cause },
    );
  }
}

function versionOnDisk(sql: Sql): number {
  const exists = sql
    .exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_mailbox_schema'")
    .toArray();
  if (exists.length === 0) return 0;
  const [row] = sql
    .exec<{ version: number }>("SELECT MAX(version) AS version FROM _mailbox_schema")
    .toArray();
  return row?.version ?? 0;
}

/** Whether the class has SQL: where it has none the members throw, in some runtimes the first of them, in others the last. */
function hasSql(storage: DurableObjectStorage): boolean {
  try {
    return storage.sql.databaseSize >= 0;
  } catch {
    return false;
  }
}

/**
 * Brings the schema from `version` to this code's, in one transaction: a crash in the middle leaves
 * the old version whole, and the next wake starts again.
 */
export function migrate(storage: DurableObjectStorage, version: number): void {
  const { sql } = storage;
  storage.transactionSync(() => {
    sql.exec("CREATE TABLE IF NOT EXISTS _mailbox_schema (version INTEGER PRIMARY KEY)");
    for (const [index, statements] of MIGRATIONS.entries()) {
      if (index < version) continue;
      sql.exec(statements);
      sql.exec("INSERT INTO _mailbox_schema (version) VALUES (?)", index + 1);
    }
  });
}
