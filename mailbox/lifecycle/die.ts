// How a message becomes a dead letter.

import { addToHistory, parseHistory, parseOptions } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import type {
  AttemptRecord,
  DeadLetterReason,
  Envelope,
  LetterRow,
  StoredError,
} from "../message/envelope.ts";
import { errorFingerprint } from "../message/fingerprint.ts";

/** How the last attempt of a message ended, for its letter. */
export interface Death {
  readonly reason: DeadLetterReason;
  /** Attempts of this life. */
  readonly attempts: number;
  readonly record: AttemptRecord | undefined;
}

/**
 * Makes a message a dead letter. Its row is gone already, in the same transaction: a crash before the
 * commit leaves the message, one after it leaves the letter.
 */
export function die(core: Core, row: Envelope, death: Death, now: number): void {
  const options = parseOptions(row.options);
  const history = death.record === undefined ? row.history : addToHistory(row.history, death.record);
  insertLetter(core, {
    id: row.id,
    died: now,
    type: row.type,
    payload: row.payload,
    reason: death.reason,
    attempts: (options.earlierAttempts ?? 0) + death.attempts,
    due: row.due,
    fingerprint: fingerprintOf(death.record ?? parseHistory(row.history).at(-1)),
    key: row.key,
    recurrence: row.recurrence,
    target: null,
    options: row.options,
    history,
    hook_due: core.config.onDeadLetter === undefined ? null : now,
    hook_attempt: 0,
  });
}

/** Writes a letter and raises its event. */
export function insertLetter(core: Core, row: LetterRow): void {
  if (core.letterCount !== undefined && !core.letters.has(row.id)) core.letterCount += 1;
  core.letters.insert(row);
  core.raise({
    event: "deadLettered",
    id: row.id,
    type: row.type,
    reason: row.reason,
    attempts: row.attempts,
    error: parseHistory(row.history).at(-1),
  });
}

function fingerprintOf(error: StoredError | undefined): string | null {
  return error === undefined ? null : errorFingerprint(error.name, error.message);
}
