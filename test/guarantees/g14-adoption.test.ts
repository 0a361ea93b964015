// G14, an alarm from before the class had a mailbox: it stays the user's own. The object's past is
// played on the real storage, which has no mailbox over it.

import { describe, expect, it } from "vitest";
import { actor, type Script, type ScriptedActor, until } from "../support/scripted.ts";

/** An object that had an alarm before its class became an actor. */
async function withPast(alarmAt: number, present: Script | ((self: ScriptedActor) => Script)) {
  const one = actor({ receive: {} });
  await one.inside(({ realStorage }) => realStorage.setAlarm(alarmAt));
  one.deploy(present);
  await one.evict();
  return one;
}

function tables({ storage }: DurableObjectState): string[] {
  return storage.sql
    .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE name LIKE '\\_mailbox%' ESCAPE '\\'")
    .toArray()
    .map(({ name }) => name);
}

describe("G14 an alarm that was set before the class became an actor", () => {
  it("is answered by getAlarm, and makes no table", async () => {
    const at = Date.now() + 100_000;
    const one = await withPast(at, { receive: {}, alarm: () => {} });
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at);
    expect(await one.inside((_, state) => tables(state))).toEqual([]);
  });

  it("runs at its time, when nothing else happened", async () => {
    const ran: AlarmInvocationInfo[] = [];
    const at = Date.now() + 1_500;
    await withPast(at, { receive: {}, alarm: (info) => ran.push(info) });
    await until(() => ran.length > 0, "the alarm");
    expect(ran).toEqual([{ isRetry: false, retryCount: 0, scheduledTime: at }]);
  });

  it("runs at its time beside messages, which make the tables", async () => {
    const order: string[] = [];
    const at = Date.now() + 1_500;
    const one = await withPast(at, {
      receive: { note: () => order.push("note") },
      alarm: ({ scheduledTime }) => order.push(`alarm ${scheduledTime - at}`),
    });
    await one.ref.send("note", 0);
    await until(() => order.length === 2, "both");
    expect(order).toEqual(["note", "alarm 0"]);
  });

  it("survives a send of the constructor", async () => {
    const ran: number[] = [];
    const at = Date.now() + 1_500;
    const one = await withPast(at, {
      receive: { note: () => {} },
      alarm: ({ scheduledTime }) => ran.push(scheduledTime),
      construct: (self) => void self.send("note", 0),
    });
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at);
    await until(() => ran.length > 0, "the alarm");
    expect(ran).toEqual([at]);
  });

  it("is seen by a constructor that asks before it sets one", async () => {
    const at = Date.now() + 100_000;
    const one = await withPast(at, {
      receive: {},
      alarm: () => {},
      construct: ({ state }) => {
        void state.blockConcurrencyWhile(async () => {
          if ((await state.storage.getAlarm()) === null) await state.storage.setAlarm(at + 1);
        });
      },
    });
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at);
  });

  it.each(["at once", "later in the constructor"])(
    "is overridden by the constructor's own, %s",
    async (when) => {
      const at = Date.now() + 100_000;
      const one = await withPast(at, {
        receive: {},
        alarm: () => {},
        construct: ({ state }) => {
          if (when === "at once") void state.storage.setAlarm(at + 1);
          else void state.blockConcurrencyWhile(() => state.storage.setAlarm(at + 1));
        },
      });
      expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at + 1);
      await one.evict();
      expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at + 1);
    },
  );

  it("is kept when the constructor's own was rolled back", async () => {
    const at = Date.now() + 100_000;
    const one = await withPast(at, {
      receive: {},
      alarm: () => {},
      construct: ({ state: { storage } }) => {
        try {
          storage.transactionSync(() => {
            void storage.setAlarm(at + 1);
            throw new Error("no");
          });
        } catch {
          // Rolled back.
        }
      },
    });
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(at);
  });

  it("does not come back when the constructor sends, which makes the tables, and deletes it", async () => {
    const one = await withPast(Date.now() + 100_000, {
      receive: { note: () => {} },
      alarm: () => {},
      construct: (self) => {
        self.sendIn(50_000, "note", 0);
        void self.state.storage.deleteAlarm();
      },
    });
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it.each(["in the constructor", "in a request"])("is gone for good once deleted, %s", async (where) => {
    let ran = 0;
    const at = Date.now() + 1_500;
    const one = await withPast(at, {
      receive: { note: () => {} },
      alarm: () => (ran += 1),
      construct: ({ state: { storage } }) => {
        if (where === "in the constructor") void storage.deleteAlarm();
      },
    });
    if (where === "in a request") await one.inside((_, { storage }) => storage.deleteAlarm());
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
    await one.ref.send("note", 0);
    await one.evict();
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
    await scheduler.wait(Math.max(0, at - Date.now()) + 150);
    expect(ran).toBe(0);
  });

  it("is still there when its deletion was rolled back", async () => {
    let ran = 0;
    const one = await withPast(Date.now() + 1_500, { receive: {}, alarm: () => (ran += 1) });
    await one.inside((_, { storage }) => {
      expect(() =>
        storage.transactionSync(() => {
          void storage.deleteAlarm();
          throw new Error("no");
        }),
      ).toThrow("no");
    });
    await until(() => ran === 1, "the alarm");
  });

  it("is gone after deleteAll", async () => {
    let ran = 0;
    const one = await withPast(Date.now() + 200, { receive: { note: () => {} }, alarm: () => (ran += 1) });
    await one.inside(async ({ send }, { storage }) => {
      await storage.deleteAll();
      expect(await storage.getAlarm()).toBeNull();
      send("note", 0);
    });
    await scheduler.wait(400);
    expect(ran).toBe(0);
  });
});

describe("G14 costs nothing for those who never set an alarm", () => {
  it("an object that only asks and deletes has no table and no row", async () => {
    const one = actor({ receive: { note: () => {} } });
    await one.inside(async (_, state) => {
      expect(await state.storage.getAlarm()).toBeNull();
      await state.storage.deleteAlarm();
      expect(tables(state)).toEqual([]);
    });
  });

  it("a mailbox in use has no row for it", async () => {
    const received: unknown[] = [];
    const one = actor({ receive: { note: (payload) => received.push(payload) } });
    await one.ref.send("note", 1);
    await until(() => received.length === 1, "the message");
    const names = await one.inside((_, { storage }) =>
      storage.sql.exec<{ name: string }>("SELECT name FROM _mailbox_meta").toArray(),
    );
    expect(names.map(({ name }) => name)).not.toContain("alarm");
  });
});
