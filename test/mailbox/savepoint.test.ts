// The savepoint that sync handlers share, without handlers; what it is for is in test/guarantees/g07-*.

import { describe, expect, it } from "vitest";
import { Savepoint } from "../../mailbox/delivery/savepoint.ts";
import { storageUses, watchStorage } from "../../mailbox/host/storage-uses.ts";
import { actor } from "../support/scripted.ts";

describe("Savepoint", () => {
  it("is shared until storage is used, by a proxy of it too", async () => {
    const shared = await actor({ receive: {} }).inside(({ realStorage }) => {
      const savepoint = new Savepoint(realStorage);
      const proxy = new Proxy(realStorage.sql, {
        get: (target, name) =>
          name === "exec"
            ? (text: string) => target.exec(text)
            : (Reflect.get(target, name, target) as unknown),
      });
      const seen: boolean[] = [];
      void savepoint.around(() => {
        seen.push(savepoint.isShared);
        proxy.exec("SELECT 1");
        seen.push(savepoint.isShared);
      });
      return [...seen, savepoint.isShared];
    });
    expect(shared).toEqual([true, false, false]);
  });

  it("is not shared where uses of storage cannot be seen", () => {
    const storage = { transactionSync: (run: () => void) => run(), sql: {}, kv: {} };
    const savepoint = new Savepoint(storage as unknown as DurableObjectStorage);
    let isShared = true;
    void savepoint.around(() => {
      isShared = savepoint.isShared;
    });
    expect(isShared).toBe(false);
  });
});

describe("Uses of storage", () => {
  it("are counted once each, however many mailboxes there are", async () => {
    const box = actor({ receive: {} });
    const count = await box.inside(({ realStorage }) => {
      watchStorage(realStorage.sql);
      const before = storageUses();
      realStorage.sql.exec("SELECT 1");
      realStorage.kv.get("nothing");
      return storageUses() - before;
    });
    expect(count).toBe(2);
  });

  it("leave as it was what a method answers and throws, and the keys of its object", async () => {
    await actor({ receive: {} }).inside(({ realStorage }) => {
      expect(realStorage.sql.exec("SELECT 1 AS n").one()).toEqual({ n: 1 });
      expect(() => realStorage.sql.exec("no SQL")).toThrow("syntax error");
      expect(Object.keys(realStorage.sql)).toEqual([]);
    });
  });

  it("are not counted in an unknown class, whose methods stay as they are", () => {
    class Other {
      exec(): number {
        return 1;
      }
    }
    const { exec } = Other.prototype;
    expect(watchStorage(new Other())).toBe(false);
    expect(Other.prototype.exec).toBe(exec);
    expect(watchStorage({})).toBe(false);
  });
});
