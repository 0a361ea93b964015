// Counts what the platform bills: the rows that statements read and write, and the calls of the real
// alarm. It stands under the mailbox: the classes of the storage are patched before an actor of the
// test is made, so the mailbox captures the patched methods.

import { actor } from "./scripted.ts";

type Cursor = SqlStorageCursor<Record<string, SqlStorageValue>>;

/** What one stretch of work cost. */
export interface Cost {
  readonly read: number;
  readonly written: number;
  /** Calls of the real setAlarm, each of which is billed as a row written, beside `written`. */
  readonly setAlarm: number;
  readonly deleteAlarm: number;
  /** What wrote or read, for a failing test to show. */
  readonly statements: readonly string[];
}

let cursors: { readonly cursor: Cursor; readonly text: string }[] | undefined;
let setAlarm = 0;
let deleteAlarm = 0;
let isInstalled = false;

/** Puts the counters under all storage of this test file; for `beforeAll`. */
export async function installMeter(): Promise<void> {
  if (isInstalled) return;
  isInstalled = true;
  await actor({ receive: {} }).inside(({ realStorage }) => {
    const storage = Object.getPrototypeOf(realStorage) as DurableObjectStorage;
    const sql = Object.getPrototypeOf(realStorage.sql) as SqlStorage;
    const original = { exec: sql.exec, set: storage.setAlarm, drop: storage.deleteAlarm };
    Object.assign(sql, {
      exec(this: SqlStorage, text: string, ...bindings: unknown[]): Cursor {
        const cursor = Reflect.apply(original.exec, this, [text, ...bindings]);
        cursors?.push({ cursor, text: text.replaceAll(/\s+/g, " ").trim() });
        return cursor;
      },
    });
    Object.assign(storage, {
      setAlarm(this: DurableObjectStorage, ...args: [number]): Promise<void> {
        setAlarm += 1;
        return Reflect.apply(original.set, this, args);
      },
      deleteAlarm(this: DurableObjectStorage): Promise<void> {
        deleteAlarm += 1;
        return Reflect.apply(original.drop, this, []);
      },
    });
  });
}

/** Runs some work and answers what it cost. One at a time. */
export async function costOf(work: () => unknown): Promise<Cost> {
  cursors = [];
  setAlarm = 0;
  deleteAlarm = 0;
  try {
    await work();
    let read = 0;
    let written = 0;
    const statements: string[] = [];
    for (const { cursor, text } of cursors) {
      // Final once a cursor was read to its end, or given up.
      read += cursor.rowsRead;
      written += cursor.rowsWritten;
      if (cursor.rowsRead + cursor.rowsWritten > 0)
        statements.push(`${cursor.rowsRead} read, ${cursor.rowsWritten} written: ${text}`);
    }
    return { read, written, setAlarm, deleteAlarm, statements };
  } finally {
    cursors = undefined;
  }
}
