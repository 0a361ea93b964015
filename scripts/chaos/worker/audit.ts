// Everything that one actor has, read in one request.

import type { DeadLetter, Mailbox, Page, PageOptions } from "../../../mailbox/index.ts";
import type { ClerkMessages, Payload, Rhythm } from "../parcel.ts";
import { tickNumber } from "../parcel.ts";
import type { AlarmState, Audit, LetterSeen, PendingSeen } from "../testimony.ts";
import type { Tables } from "./tables.ts";

export function auditOf(
  actor: number,
  mailbox: Mailbox<ClerkMessages>,
  tables: Tables,
  key: number,
  alarm: AlarmState | undefined,
): Audit {
  const { counted, ...rows } = tables.all();
  return {
    actor,
    ...rows,
    counted: { row: counted, key },
    pending: pendingOf(mailbox),
    outbox: all((page) => mailbox.outbox(page)).map(({ id, target }) => ({ id, target })),
    letters: all((page) => mailbox.deadLetters(page)).map(letterSeen),
    recurrences: all((page) => mailbox.recurrences(page)),
    ...(alarm === undefined ? {} : { alarm }),
  };
}

function pendingOf(mailbox: Mailbox<ClerkMessages>): PendingSeen[] {
  return all((page) => mailbox.pending(page)).map(({ id, payload, state, dueAt, recurrence }) => ({
    id,
    n: numberOf(id, payload),
    state,
    dueAt,
    ...(recurrence === undefined ? {} : { recurrence }),
  }));
}

export function letterSeen(letter: DeadLetter): LetterSeen {
  const { id, type, reason, attempts, errors, recurrence, payload } = letter;
  return {
    id,
    n: numberOf(id, payload),
    type,
    reason,
    attempts,
    records: errors.map(({ attempt, startedAt, durationMs, outcome }) => ({
      attempt,
      startedAt,
      durationMs,
      outcome,
    })),
    ...(recurrence === undefined ? {} : { recurrence }),
  };
}

/** The number in a payload: that of a parcel, or of an occurrence. */
function numberOf(id: string, payload: unknown): string {
  const read = payload as Partial<Payload> & Partial<Rhythm>;
  if (read.parcel !== undefined) return read.parcel.n;
  return tickNumber(read.key ?? "", Number(id.slice(id.indexOf("@") + 1)));
}

function all<T>(page: (options: PageOptions) => Page<T>): T[] {
  const items: T[] = [];
  for (let cursor: string | undefined; ;) {
    const { items: more, cursor: next } = page({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
    items.push(...more);
    if (next === undefined) return items;
    cursor = next;
  }
}
