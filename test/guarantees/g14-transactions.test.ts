// G14, the user's own alarm in transactions: it commits and rolls back with what it was set beside.

import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

const FAR = 1_000_000;
const at = (): number => Date.now() + 100_000;

describe("G14 the user's own alarm is part of the user's transaction", () => {
  startClockAfterEach();

  it("transactionSync that throws takes setAlarm back", async () => {
    const [kept, lost] = [at(), at() + 1];
    const one = actor({ receive: {}, alarm: () => {} });
    await one.inside(async (_, { storage }) => {
      await storage.setAlarm(kept);
      expect(() =>
        storage.transactionSync(() => {
          void storage.setAlarm(lost);
          throw new Error("no");
        }),
      ).toThrow("no");
      expect(await storage.getAlarm()).toBe(kept);
    });
  });

  it("transactionSync that throws takes deleteAlarm back, and the alarm still runs", async () => {
    let ran = 0;
    const one = actor({ receive: {}, alarm: () => (ran += 1) });
    await one.inside(async (_, { storage }) => {
      await storage.setAlarm(Date.now() + 100);
      expect(() =>
        storage.transactionSync(() => {
          void storage.deleteAlarm();
          throw new Error("no");
        }),
      ).toThrow("no");
    });
    await until(() => ran === 1, "the alarm");
  });

  it("a rolled-back earlier alarm leaves the later one armed", async () => {
    const kept = stopClockAhead() + FAR;
    const ran: number[] = [];
    const one = actor({ receive: {}, alarm: ({ scheduledTime }) => ran.push(scheduledTime) });
    await one.inside(async (_, { storage }) => {
      await storage.setAlarm(kept);
      await storage
        .transaction(async (txn) => {
          await txn.setAlarm(kept - 1);
          throw new Error("no");
        })
        .catch(() => {});
      expect(await storage.getAlarm()).toBe(kept);
    });
    expect(await one.inside(({ realStorage }) => realStorage.getAlarm())).toBe(kept);
    moveClock(FAR - 1);
    await one.drain();
    expect(ran).toEqual([]);
    moveClock(1);
    await one.drain();
    expect(ran).toEqual([kept]);
  });

  it("the handle of transaction() has the same alarm, and commits it", async () => {
    const [before, after] = [at(), at() + 1];
    const one = actor({ receive: {}, alarm: () => {} });
    await one.inside(async (_, { storage }) => {
      await storage.setAlarm(before);
      const seen = await storage.transaction(async (txn) => {
        const first = await txn.getAlarm();
        await txn.setAlarm(after);
        const second = await txn.getAlarm();
        await txn.deleteAlarm();
        const third = await txn.getAlarm();
        await txn.setAlarm(after);
        return [first, second, third];
      });
      expect(seen).toEqual([before, after, null]);
      expect(await storage.getAlarm()).toBe(after);
    });
  });

  it("rollback() of the handle takes it back", async () => {
    const kept = at();
    const one = actor({ receive: {}, alarm: () => {} });
    await one.inside(async (_, { storage }) => {
      await storage.setAlarm(kept);
      await storage.transaction(async (txn) => {
        await txn.setAlarm(kept + 1);
        txn.rollback();
      });
      expect(await storage.getAlarm()).toBe(kept);
    });
  });

  it("the very first alarm, rolled back, leaves nothing", async () => {
    const one = actor({ receive: {}, alarm: () => {} });
    await one.inside(async (_, { storage }) => {
      expect(() =>
        storage.transactionSync(() => {
          void storage.setAlarm(at());
          throw new Error("no");
        }),
      ).toThrow("no");
      expect(await storage.getAlarm()).toBeNull();
    });
  });

  it("setAlarm rolled back inside alarm() does not make it run again", async () => {
    let ran = 0;
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: async ({ scheduledTime }) => {
        ran += 1;
        await storage
          .transaction(async (txn) => {
            await txn.setAlarm(scheduledTime);
            throw new Error("no");
          })
          .catch(() => {});
        expect(await storage.getAlarm()).toBeNull();
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(Date.now()));
    await until(() => ran > 0, "the alarm");
    await scheduler.wait(200);
    expect(ran).toBe(1);
    expect(one.eventsOf("alarmFailed")).toEqual([]);
  });

  it("setAlarm inside alarm() and inside a transaction is armed", async () => {
    const first = stopClockAhead() + FAR;
    const ran: number[] = [];
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: async ({ scheduledTime }) => {
        ran.push(scheduledTime);
        if (ran.length === 1) {
          await storage.transaction(async (txn) => {
            await txn.setAlarm(scheduledTime + 100);
          });
        }
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(first));
    moveClock(FAR);
    await one.drain();
    expect(await one.inside(({ realStorage }) => realStorage.getAlarm())).toBe(first + 100);
    moveClock(100);
    await one.drain();
    expect(ran).toEqual([first, first + 100]);
  });
});
