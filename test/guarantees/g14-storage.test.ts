// G14, the rest of ctx.storage: everything that is not the alarm stays as the platform made it.

import { describe, expect, it } from "vitest";
import { actor } from "../support/scripted.ts";

describe("G14 every other member of ctx.storage stays intact", () => {
  it("sql: statements, cursors, the size", async () => {
    await actor({ receive: {} }).inside(({ realStorage }, { storage }) => {
      expect(storage.sql).toBe(realStorage.sql);
      storage.sql.exec("CREATE TABLE own (id INTEGER PRIMARY KEY, name TEXT)");
      const cursor = storage.sql.exec("INSERT INTO own (name) VALUES (?), (?) RETURNING id", "a", "b");
      expect(cursor.toArray()).toEqual([{ id: 1 }, { id: 2 }]);
      expect(cursor.rowsWritten).toBeGreaterThanOrEqual(2);
      expect(storage.sql.exec("SELECT name FROM own").columnNames).toEqual(["name"]);
      expect(storage.sql.databaseSize).toBeGreaterThan(0);
    });
  });

  it("kv, and the methods of key-value storage", async () => {
    await actor({ receive: {} }).inside(async ({ realStorage }, { storage }) => {
      expect(storage.kv).toBe(realStorage.kv);
      storage.kv.put("a", { n: 1 });
      await storage.put({ b: 2, c: new Date(3) });
      expect(await storage.get("a")).toEqual({ n: 1 });
      expect(await storage.get(["b", "c"])).toEqual(
        new Map<string, unknown>([
          ["b", 2],
          ["c", new Date(3)],
        ]),
      );
      expect([...(await storage.list({ start: "b" })).keys()]).toEqual(["b", "c"]);
      expect(await storage.delete(["a", "b"])).toBe(2);
      expect([...storage.kv.list()].map(([key]) => key)).toEqual(["c"]);
    });
  });

  it("transactions answer what their closure answers, and sync resolves", async () => {
    await actor({ receive: {} }).inside(async (_, { storage }) => {
      expect(storage.transactionSync(() => "sync")).toBe("sync");
      const inside = await storage.transaction(async (txn) => {
        await txn.put("a", 1);
        return (await txn.list()).size;
      });
      expect(inside).toBe(1);
      expect(await storage.sync()).toBeUndefined();
    });
  });

  it("bookmarks of point-in-time recovery", async () => {
    await actor({ receive: {} }).inside(async (_, { storage }) => {
      const bookmark = await storage.getCurrentBookmark();
      expect(bookmark).toMatch(/^[0-9a-f-]+$/);
      expect(typeof storage.getBookmarkForTime).toBe("function");
      expect(typeof storage.onNextSessionRestoreBookmark).toBe("function");
    });
  });

  it("it is still a DurableObjectStorage, with all its members, and methods can be taken out", async () => {
    await actor({ receive: {} }).inside(async ({ realStorage }, { storage }) => {
      expect(storage instanceof realStorage.constructor).toBe(true);
      expect(Object.prototype.toString.call(storage)).toBe("[object DurableObjectStorage]");
      for (const name of membersOf(realStorage)) {
        expect(typeof Reflect.get(storage, name), name).toBe(typeof Reflect.get(realStorage, name));
      }
      const { put, get, getAlarm } = storage;
      expect(put).toBe(storage.put);
      await put("taken out", 1);
      expect(await get("taken out")).toBe(1);
      expect(await getAlarm()).toBeNull();
    });
  });
});

function membersOf(object: object): readonly string[] {
  const names = new Set<string>();
  for (let level: object | null = object; level !== null && level !== Object.prototype;) {
    for (const name of Object.getOwnPropertyNames(level)) names.add(name);
    level = Object.getPrototypeOf(level) as object | null;
  }
  return [...names];
}
