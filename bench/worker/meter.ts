// Counts what the storage bills, under a contestant: installed before it sees its storage, and only in
// the objects that are there to be counted, because counting costs time.

import type { Rows } from "./spec.ts";

type Cursor = SqlStorageCursor<Record<string, SqlStorageValue>>;

export class Meter {
  #cursors: Cursor[] = [];
  #setAlarm = 0;

  /** Objects whose name begins with `rows` are counted. */
  static of(ctx: DurableObjectState): Meter | undefined {
    return ctx.id.name?.startsWith("rows") === true ? new Meter(ctx.storage) : undefined;
  }

  constructor(storage: DurableObjectStorage) {
    const { sql } = storage;
    const setAlarm = storage.setAlarm.bind(storage);
    const counted = new Proxy(sql, {
      get: (target, name) => {
        if (name !== "exec") return Reflect.get(target, name, target) as unknown;
        return (text: string, ...bindings: unknown[]): Cursor => {
          const cursor = target.exec(text, ...bindings);
          this.#cursors.push(cursor);
          return cursor;
        };
      },
    });
    Object.defineProperty(storage, "sql", { value: counted, configurable: true });
    Object.defineProperty(storage, "setAlarm", {
      configurable: true,
      writable: true,
      value: (at: number | Date) => {
        this.#setAlarm += 1;
        return setAlarm(at);
      },
    });
  }

  /** What was counted since the last time. */
  take(): Rows {
    const rows = {
      read: this.#cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0),
      written: this.#cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0),
      setAlarm: this.#setAlarm,
    };
    this.#cursors = [];
    this.#setAlarm = 0;
    return rows;
  }
}
