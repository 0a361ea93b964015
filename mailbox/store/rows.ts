// The rows of the envelopes' table as they come from the database, and as objects.

import type { Envelope } from "../message/envelope.ts";

/** All columns, in the order of {@link Raw}. */
export const COLUMNS = "parked, due, id, type, payload, attempt, moved, key, recurrence, options, history";

export type Raw = [
  number,
  number,
  string,
  string,
  string,
  number,
  number,
  string | null,
  string | null,
  string | null,
  string | null,
];

export function fromRaw(raw: Raw): Envelope {
  return {
    parked: raw[0],
    due: raw[1],
    id: raw[2],
    type: raw[3],
    payload: raw[4],
    attempt: raw[5],
    moved: raw[6] === 1 ? 1 : 0,
    key: raw[7],
    recurrence: raw[8],
    options: raw[9],
    history: raw[10],
  };
}

/** The row of a message that has nothing but its payload. Its fields are in the same order: the engine then sees one kind. */
export function plainRow(due: number, id: string, type: string, payload: string): Envelope {
  return {
    parked: 0,
    due,
    id,
    type,
    payload,
    attempt: 0,
    moved: 0,
    key: null,
    recurrence: null,
    options: null,
    history: null,
  };
}

/** Reads no more rows after the one that makes the payloads `maxUnits` UTF-16 units or more. */
export function takeUntil(cursor: IterableIterator<Raw>, maxUnits: number): Envelope[] {
  const rows: Envelope[] = [];
  let units = 0;
  for (const raw of cursor) {
    const row = fromRaw(raw);
    rows.push(row);
    units += row.payload.length;
    if (units >= maxUnits) break;
  }
  return rows;
}
