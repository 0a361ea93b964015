// An object as schema version 1 has left it, written down once and never changed: whatever later versions make of
// their tables, they must be able to wake it. It stands on its own, so it says again what the tables were.

/** When the object was left: 2030-01-01, 9:00 UTC, so far ahead that no alarm of it fires by itself. Its first message is due ten minutes later. */
export const VERSION_1_LEFT_AT: number = 1_893_488_400_000;

/** The receiver of the message in its outbox. */
export const VERSION_1_RECEIVER = "version-1-receiver";

/** All of its tables and rows: a message of each kind, recurrences, a dead letter, an outbox, an alarm of its own. */
export const VERSION_1_OBJECT: string = String.raw`
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

CREATE TABLE _mailbox_schema (version INTEGER PRIMARY KEY);
INSERT INTO _mailbox_schema VALUES (1);
INSERT INTO _mailbox_envelopes VALUES
  (0, 1893489000000, '0o5uu3s00tr98DLWiW_00020', 'fails', '{"json":"1970-01-01T00:00:00.000Z","meta":{"values":["Date"],"v":1}}', 1, 1, NULL, NULL, NULL,
   '[{"attempt":1,"startedAt":1893488400000,"durationMs":0,"outcome":"threw","name":"Error","message":"no","stack":"Error: no\n    at work (worker.js:1:1)"}]'),
  (0, 1893492000000, '0o5uu3s00tr98DLWiW_0000255s0', 'note', '{"json":{"plain":true}}', 0, 0, NULL, NULL, NULL, NULL),
  (0, 1893495600000, '0o5uu3s00tr98DLWiW_00014abk0', 'note', '{"json":{"keyed":true}}', 0, 0, 'k', NULL, '{"policy":{"maxAttempts":8},"expiresAt":1893582000000}', NULL),
  (1893488400000, 1893492000000, '0o5uu3s00tr98DLWiW_00040', 'later', '{"json":1}', 0, 1, NULL, NULL, '{"defers":1}', NULL);
INSERT INTO _mailbox_recurrences VALUES
  ('every:note:', 'note', '', '{"json":"weekly"}', '{"rule":{"kind":"cron","cron":"0 9 * * 1","timeZone":"Europe/Berlin"},"bounds":{"missed":"latest"}}', NULL, 1894003200000, 1894003200000, NULL, 0, 0, 0, 0),
  ('every:note:hourly', 'note', 'hourly', '{"json":"hourly"}', '{"rule":{"kind":"interval","everyMs":3600000,"anchor":1893488400000},"bounds":{"missed":"latest"}}', NULL, 1893492000000, 1893492000000, NULL, 0, 0, 0, 0);
INSERT INTO _mailbox_dead_letters VALUES
  ('0o5uu3s00tr98DLWiW_00030', 1893488400000, 'dies', '{"json":1}', 'exhausted', 1, 1893488400000, 'Error: no', NULL, NULL, NULL, NULL,
   '[{"attempt":1,"startedAt":1893488400000,"durationMs":0,"outcome":"threw","name":"Error","message":"no","stack":"Error: no\n    at work (worker.js:1:1)"}]', NULL, 0);
INSERT INTO _mailbox_outbox VALUES
  ('["env:ACTORS","name","version-1-receiver"]', 2, '0o5uu3s00tr98DLWiW_00060', 'note', '{"json":"by outbox"}', 1893488400000, '{"immediate":true}');
INSERT INTO _mailbox_targets VALUES
  ('["env:ACTORS","name","version-1-receiver"]', 'yW3wRhktSK4HZT7_97lgk', 1, 1, '0o5uu3s00tr98DLWiW_00054abk00', NULL, NULL, 0, 1893488400000, NULL);
INSERT INTO _mailbox_senders VALUES
  ('d8b3f0c2a1', 'Zt0v0m1hD7cQ2mXv9pQ1c', 7, '0o5uu3s00tr98DLWiW_00090', 1894698000000);
INSERT INTO _mailbox_meta VALUES ('alarm', '{"time":1893506400000,"retry":0}');
`;
