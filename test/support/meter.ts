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
  /** What read or wrote. */
  readonly statements: readonly { readonly read: number; readonly written: number; readonly text: string }[];
}

class Statement {
  readonly text: string;
  read = 0;
  written = 0;
  readonly #cursor: Cursor;

  constructor(cursor: Cursor, text: string) {
    this.#cursor = cursor;
    this.text = text.replaceAll(/\s+/g, " ").trim();
  }

  /** Takes the numbers as they are by now: final once the cursor was read to its end. */
  look(): void {
    try {
      this.read = this.#cursor.rowsRead;
      this.written = this.#cursor.rowsWritten;
    } catch {
      // Given up in the middle: from outside its object it tells nothing, and was looked at inside.
    }
  }
}

let meter: Statement[] | undefined;
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
        const cursor: Cursor = Reflect.apply(original.exec, this, [text, ...bindings]);
        for (const before of meter?.slice(-4) ?? []) before.look();
        meter?.push(new Statement(cursor, text));
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
  meter = [];
  setAlarm = 0;
  deleteAlarm = 0;
  try {
    await work();
    for (const statement of meter) statement.look();
    return {
      read: meter.reduce((sum, statement) => sum + statement.read, 0),
      written: meter.reduce((sum, statement) => sum + statement.written, 0),
      setAlarm,
      deleteAlarm,
      statements: meter.filter(({ read, written }) => read + written > 0),
    };
  } finally {
    meter = undefined;
  }
}

/** The statements of a cost, for a failing test to show. */
export function shown({ statements }: Cost): string {
  return statements.map(({ read, written, text }) => `${read} read, ${written} written: ${text}`).join("\n");
}
