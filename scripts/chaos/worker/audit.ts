// Everything that one actor has, read in one request.

import type { DeadLetter, Mailbox, Page, PageOptions } from "../../../mailbox/index.ts";
import { type ClerkMessages, type Payload, placed, type Rhythm, rhythmName, tickNumber } from "../parcel.ts";
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
    pending: pendingOf(actor, mailbox),
    outbox: all((page) => mailbox.outbox(page)).map(({ id, target }) => ({ id: placed(actor, id), target })),
    letters: all((page) => mailbox.deadLetters(page)).map((letter) => letterSeen(actor, letter)),
    recurrences: all((page) => mailbox.recurrences(page)).map((row) => ({
      ...row,
      id: placed(actor, row.id),
    })),
    ...(alarm === undefined ? {} : { alarm }),
  };
}

function pendingOf(actor: number, mailbox: Mailbox<ClerkMessages>): PendingSeen[] {
  return all((page) => mailbox.pending(page)).map(({ id, payload, state, dueAt, recurrence }) => ({
    id: placed(actor, id),
    n: numberOf(id, payload),
    state,
    dueAt,
    ...(recurrence === undefined ? {} : { recurrence: placed(actor, recurrence) }),
  }));
}

export function letterSeen(actor: number, letter: DeadLetter): LetterSeen {
  const { id, type, reason, attempts, errors, recurrence, payload } = letter;
  // No occurrence is ever undeliverable, because whoever ticks does it for itself.
  const isDeclaration = type === "tick" && reason === "undeliverable";
  return {
    id: placed(actor, id),
    n: isDeclaration ? rhythmName(payload as Rhythm) : numberOf(id, payload),
    type,
    reason,
    attempts,
    ...(isDeclaration ? { isDeclaration } : {}),
    records: errors.map(({ attempt, startedAt, durationMs, outcome }) => ({
      attempt,
      startedAt,
      durationMs,
      outcome,
    })),
    ...(recurrence === undefined ? {} : { recurrence: placed(actor, recurrence) }),
  };
}

/** The number in a payload: that of a parcel, or of an occurrence. */
function numberOf(id: string, payload: unknown): string {
  const read = payload as Partial<Payload>;
  if (read.parcel !== undefined) return read.parcel.n;
  return tickNumber(payload as Rhythm, Number(id.slice(id.indexOf("@") + 1)));
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
