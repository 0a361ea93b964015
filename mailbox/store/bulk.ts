// Statements over many messages at once. Rows travel as one JSON text, in statements of bounded size: a
// bound value has the limit of a row, and a statement costs more than what it does for one message.

import type { Sql } from "./schema.ts";

/** A message that has nothing but its payload. */
export interface PlainRow {
  readonly due: number;
  readonly id: string;
  readonly type: string;
  readonly payload: string;
}

const UNITS = 256 * 1024;

/** Inserts plain messages. */
export function insertPlainRows(sql: Sql, messages: readonly PlainRow[]): void {
  for (const text of texts(messages.map(({ due, id, type, payload }) => [due, id, type, payload]))) {
    sql.exec(
      `INSERT INTO _mailbox_envelopes (due, id, type, payload)
       SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)`,
      text,
    );
  }
}

/** The ids of those that are in the table: at the place that their id names, or moved from there. */
export function knownIds(
  sql: Sql,
  places: readonly { readonly id: string; readonly due: number }[],
): string[] {
  return texts(places.map(({ id, due }) => [id, due])).flatMap((text) =>
    sql
      .exec<{ id: string }>(
        `SELECT value ->> 0 AS id FROM json_each(?) AS asked
         WHERE EXISTS (SELECT 1 FROM _mailbox_envelopes WHERE parked = 0 AND due = asked.value ->> 1 AND id = asked.value ->> 0)
           OR EXISTS (SELECT 1 FROM _mailbox_envelopes WHERE moved = 1 AND id = asked.value ->> 0)`,
        text,
      )
      .toArray()
      .map(({ id }) => id),
  );
}

/** Whether a message can be written with others: in a list, each quote in its payload is one character more. */
export function fitsBulk({ payload }: PlainRow): boolean {
  return payload.length <= UNITS;
}

/** JSON lists that hold all rows together, each of a bounded length: what is escaped in it counts too. */
function texts(rows: readonly (readonly (string | number)[])[]): string[] {
  const lists: string[][] = [];
  let units = UNITS;
  for (const row of rows) {
    const text = JSON.stringify(row);
    if (units + text.length > UNITS) {
      lists.push([]);
      units = 0;
    }
    lists.at(-1)?.push(text);
    units += text.length;
  }
  return lists.map((list) => `[${list.join(",")}]`);
}
