// G14: the user's own alarm keeps working, beside the mailbox: what `setAlarm`, `getAlarm`,
// `deleteAlarm` and `alarm()` do, and when the alarm runs. Its parts: -retries, -transactions,
// -adoption, -storage and -survives.

import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

startClockAfterEach();

describe("G14 the user's own alarm is as the platform documents it", () => {
  it("runs at its time, with what the platform tells of it", async () => {
    const ran: { info: AlarmInvocationInfo; at: number }[] = [];
    const one = actor({ receive: {}, alarm: (info) => ran.push({ info, at: Date.now() }) });
    // From inside: making the object may take longer than that.
    const at = await one.inside(async (_, { storage }) => {
      const soon = Date.now() + 150;
      await storage.setAlarm(soon);
      return soon;
    });
    await until(() => ran.length > 0, "the alarm");
    expect(ran[0]?.info).toEqual({ isRetry: false, retryCount: 0, scheduledTime: at });
    expect(ran[0]?.at).toBeGreaterThanOrEqual(at);
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
    await scheduler.wait(100);
    expect(ran).toHaveLength(1);
  });

  it("takes a Date, answers what is set, and a later setAlarm overrides an earlier one", async () => {
    const now = stopClockAhead();
    const [first, second] = [now + 1_000, now + 2_000];
    const ran: number[] = [];
    const one = actor({ receive: {}, alarm: (info) => ran.push(info.scheduledTime) });
    const answers = await one.inside(async (_, { storage }) => {
      const before = await storage.getAlarm();
      await storage.setAlarm(new Date(first));
      const set = await storage.getAlarm();
      await storage.setAlarm(second);
      return [before, set, await storage.getAlarm()];
    });
    expect(answers).toEqual([null, first, second]);
    moveClock(1_000);
    await one.drain();
    expect(ran).toEqual([]);
    moveClock(1_000);
    await one.drain();
    expect(ran).toEqual([second]);
  });

  it("does not run after deleteAlarm", async () => {
    let ran = 0;
    const one = actor({ receive: {}, alarm: () => (ran += 1) });
    await one.inside(async (_, { storage }) => {
      await storage.setAlarm(Date.now() + 50);
      await storage.deleteAlarm();
      expect(await storage.getAlarm()).toBeNull();
    });
    await scheduler.wait(200);
    expect(ran).toBe(0);
  });

  it("takes a past time for the present", async () => {
    let ran = 0;
    const one = actor({ receive: {}, alarm: () => (ran += 1) });
    const before = Date.now();
    const set = await one.inside(async (_, { storage }) => {
      await storage.setAlarm(before - 60_000);
      return storage.getAlarm();
    });
    expect(set).toBeGreaterThanOrEqual(before);
    await until(() => ran === 1, "the alarm");
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, new Date(Number.NaN), "soon", null, undefined])(
    "rejects setAlarm(%s) with a TypeError",
    async (time) => {
      const one = actor({ receive: {}, alarm: () => {} });
      await one.inside(async (_, { storage }) => {
        await expect(storage.setAlarm(time as number)).rejects.toThrow(TypeError);
        expect(await storage.getAlarm()).toBeNull();
      });
    },
  );

  it("is null inside alarm(), unless it was set anew", async () => {
    const seen: (number | null)[] = [];
    const next = Date.now() + 100_000;
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: async () => {
        seen.push(await storage.getAlarm());
        await storage.setAlarm(next);
        seen.push(await storage.getAlarm());
        await storage.deleteAlarm();
        seen.push(await storage.getAlarm());
        await storage.setAlarm(next + 1);
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(Date.now()));
    await until(() => seen.length === 3, "the alarm");
    expect(seen).toEqual([null, next, null]);
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(next + 1);
  });

  it("runs again when it sets itself anew, for the very same time too", async () => {
    const ran: number[] = [];
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: async ({ scheduledTime }) => {
        ran.push(scheduledTime);
        if (ran.length < 4) await storage.setAlarm(scheduledTime);
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(Date.now() + 30));
    await until(() => ran.length === 4, "four runs");
    await scheduler.wait(100);
    expect(ran).toHaveLength(4);
  });

  it("sends of alarm() commit with its end, and are discarded when it fails", async () => {
    const received: unknown[] = [];
    const one = actor((self) => ({
      receive: { note: (payload) => received.push(payload) },
      alarm: ({ retryCount }) => {
        self.send("note", retryCount);
        if (retryCount === 0) throw new Error("first");
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(Date.now()));
    await until(() => received.length > 0, "the message");
    expect(received).toEqual([1]);
  });
});

describe("G14 the user's own alarm beside the mailbox", () => {
  startClockAfterEach();

  it("runs before messages that are due at the same time", async () => {
    const order: string[] = [];
    const one = actor({
      receive: { note: (payload) => order.push(String(payload)) },
      alarm: () => order.push("alarm"),
    });
    await one.inside(async ({ sendLater }, { storage }) => {
      const at = Date.now() + 150;
      sendLater(at, "note", "first");
      await storage.setAlarm(at);
      sendLater(at, "note", "second");
    });
    await until(() => order.length === 3, "all three");
    expect(order).toEqual(["alarm", "first", "second"]);
  });

  it("never runs beside a handler, nor a handler beside it", async () => {
    const order: string[] = [];
    const slow = async (name: string): Promise<void> => {
      order.push(`${name} begins`);
      await scheduler.wait(600);
      order.push(`${name} ends`);
    };
    const one = actor({ receive: { note: (name) => slow(String(name)) }, alarm: () => slow("alarm") });
    await one.inside(async ({ send, sendIn }, { storage }) => {
      send("note", "a");
      // Far enough ahead for "a" to begin before it, also on a busy machine.
      await storage.setAlarm(Date.now() + 400);
      sendIn(400, "note", "b");
    });
    await until(() => order.length === 6, "all ends");
    // Which comes first depends on when the wake came; each ends before another begins.
    for (let n = 0; n < order.length; n += 2) {
      expect(order[n + 1]).toBe(order[n]?.replace("begins", "ends"));
    }
  });

  it("is late by at most the handler that runs, whatever the backlog", async () => {
    const delivered: number[] = [];
    let whenRan: number | undefined;
    const one = actor({
      receive: {
        slow: async (n) => {
          await scheduler.wait(40);
          delivered.push(Number(n));
        },
      },
      alarm: () => {
        whenRan = delivered.length;
      },
    });
    await one.inside(async ({ send }, { storage }) => {
      for (let n = 0; n < 20; n += 1) send("slow", n);
      await storage.setAlarm(Date.now() + 60);
    });
    await until(() => whenRan !== undefined, "the alarm");
    expect(whenRan).toBeLessThanOrEqual(3);
    await until(() => delivered.length === 20, "the backlog");
  });

  it("an alarm that always sets itself to the present does not starve the mailbox", async () => {
    const received: unknown[] = [];
    let runs = 0;
    let isOver = false;
    const one = actor(({ state: { storage } }) => ({
      receive: { note: (payload) => received.push(payload) },
      alarm: async () => {
        runs += 1;
        await scheduler.wait(5);
        if (!isOver) await storage.setAlarm(Date.now());
      },
    }));
    await one.inside(({ send, sendIn }, { storage }) => {
      send("note", "before");
      sendIn(100, "note", "later");
      return storage.setAlarm(Date.now());
    });
    await until(() => received.length === 2, "both messages");
    expect(received).toEqual(["before", "later"]);
    const seen = runs;
    await until(() => runs > seen + 2, "more runs");
    isOver = true;
  });

  it("runs again when it sets itself to the present while the clock stands still, as inside one event", async () => {
    stopClockAhead();
    let runs = 0;
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: () => {
        runs += 1;
        return runs < 3 ? storage.setAlarm(Date.now()) : undefined;
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(Date.now()));
    await one.drain();
    expect(runs).toBe(3);
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("goes on while the mailbox is paused", async () => {
    let ran = 0;
    const one = actor({ receive: { note: () => {} }, alarm: () => (ran += 1) });
    await one.inside(({ mailbox, send }, { storage }) => {
      send("note", 0);
      mailbox.pause();
      return storage.setAlarm(Date.now() + 30);
    });
    await until(() => ran === 1, "the alarm");
    expect(await one.inside(({ mailbox }) => mailbox.stats().pending)).toBe(1);
  });

  it("an alarm set by a handler runs, and one set by a handler that fails does not", async () => {
    const at = stopClockAhead() + 1_000;
    const ran: number[] = [];
    const one = actor(({ state: { storage } }) => ({
      receive: {
        good: () => void storage.setAlarm(at),
        bad: () => {
          void storage.setAlarm(at - 500);
          throw new Error("rolled back");
        },
      },
      policy: { maxAttempts: 1 },
      alarm: (info) => ran.push(info.scheduledTime),
    }));
    await one.inside(({ send }) => {
      send("good", 0);
      send("bad", 0);
    });
    await one.drain();
    moveClock(500);
    await one.drain();
    expect(ran).toEqual([]);
    moveClock(500);
    await one.drain();
    expect(ran).toEqual([at]);
  });
});
