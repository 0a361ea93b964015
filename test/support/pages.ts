// Watches the pages that drains select: how many rows and how much payload each takes into memory. It
// stands under the mailbox: the class of the cursors' source is patched before an actor of the test is made.

import { actor } from "./scripted.ts";

/** One page, as it was read. */
export interface SeenPage {
  /** The most rows that it asked for. */
  readonly limit: number;
  rows: number;
  /** UTF-16 units of all payloads, and of the last one. */
  units: number;
  lastUnits: number;
}

type Raw = SqlStorageValue[];

const pages: SeenPage[] = [];
let isInstalled = false;

/** All pages of messages that drains have selected since the last call. */
export function takePages(): SeenPage[] {
  return pages.splice(0);
}

/** Patches the class of `storage.sql`; for `beforeAll`. */
export async function watchPages(): Promise<void> {
  if (isInstalled) return;
  isInstalled = true;
  await actor({ receive: {} }).inside(({ realStorage }) => {
    const sql = Object.getPrototypeOf(realStorage.sql) as SqlStorage;
    const { exec } = sql;
    Object.assign(sql, {
      exec(this: SqlStorage, text: string, ...bindings: unknown[]): unknown {
        const cursor: SqlStorageCursor<Record<string, SqlStorageValue>> = Reflect.apply(exec, this, [
          text,
          ...bindings,
        ]);
        if (!/FROM _mailbox_envelopes WHERE parked = 0 AND due <= \? ORDER BY due, id LIMIT \?/.test(text))
          return cursor;
        const page: SeenPage = { limit: Number(bindings[1]), rows: 0, units: 0, lastUnits: 0 };
        pages.push(page);
        return { raw: () => watched(cursor.raw<Raw>(), cursor.columnNames.indexOf("payload"), page) };
      },
    });
  });
}

function* watched(rows: IterableIterator<Raw>, payload: number, page: SeenPage): Generator<Raw> {
  for (const row of rows) {
    page.rows += 1;
    page.lastUnits = (row[payload] as string).length;
    page.units += page.lastUnits;
    yield row;
  }
}
