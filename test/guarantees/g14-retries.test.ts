// G14, the retries of the user's own alarm: as the platform's, then dropped with an event.

import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

startClockAfterEach();

const FAR = 1_000_000;

describe("G14 the user's own alarm is retried as the platform retries", () => {
  it("six times, after 2 s and twice as long each time, and is then dropped with an event", async () => {
    const start = stopClock();
    const infos: AlarmInvocationInfo[] = [];
    const one = actor({
      receive: {},
      alarm: (info) => {
        infos.push(info);
        throw new Error(`run ${info.retryCount}`);
      },
    });
    await one.inside((_, { storage }) => storage.setAlarm(start + FAR));
    moveClock(FAR);
    await one.drain();
    for (const wait of [2, 4, 8, 16, 32, 64]) {
      moveClock(wait * 1000 - 1);
      await one.drain();
      // Between two runs it is still set, for the time that was asked for.
      expect(await one.inside((_, { storage }) => storage.getAlarm())).toBe(start + FAR);
      moveClock(1);
      await one.drain();
    }
    expect(infos).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((retryCount) => ({
        isRetry: retryCount > 0,
        retryCount,
        scheduledTime: start + FAR,
      })),
    );
    expect(one.eventsOf("alarmFailed").map(({ retry }) => retry)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(one.eventsOf("alarmDropped").map(({ error }) => error.message)).toEqual(["run 6"]);
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
    expect(await one.inside(({ mailbox }) => mailbox.stats().nextWake)).toBeUndefined();
  });

  it("by a real alarm, and a success ends it", async () => {
    const ran: number[] = [];
    const one = actor({
      receive: {},
      alarm: async ({ retryCount }) => {
        ran.push(Date.now());
        await Promise.resolve();
        if (retryCount === 0) throw new Error("once");
      },
    });
    await one.inside((_, { storage }) => storage.setAlarm(Date.now()));
    await until(() => ran.length === 2, "the retry");
    expect((ran[1] ?? 0) - (ran[0] ?? 0)).toBeGreaterThanOrEqual(2_000);
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
  });

  it("not when the alarm that fails has deleted itself", async () => {
    const start = stopClock();
    let ran = 0;
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: async () => {
        ran += 1;
        await storage.deleteAlarm();
        throw new Error("no more");
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(start + FAR));
    moveClock(FAR);
    await one.drain();
    moveClock(FAR);
    await one.drain();
    expect(ran).toBe(1);
  });

  it("not when the alarm that fails has set itself anew: the new time wins, with no retries counted", async () => {
    const start = stopClock();
    const infos: AlarmInvocationInfo[] = [];
    const one = actor(({ state: { storage } }) => ({
      receive: {},
      alarm: async (info) => {
        infos.push(info);
        if (infos.length > 1) return;
        await storage.setAlarm(start + FAR + 500);
        throw new Error("first");
      },
    }));
    await one.inside((_, { storage }) => storage.setAlarm(start + FAR));
    moveClock(FAR);
    await one.drain();
    moveClock(500);
    await one.drain();
    expect(infos.map(({ retryCount, scheduledTime }) => [retryCount, scheduledTime - start])).toEqual([
      [0, FAR],
      [0, FAR + 500],
    ]);
  });

  it("a setAlarm from elsewhere between two runs begins anew", async () => {
    const start = stopClock();
    const infos: AlarmInvocationInfo[] = [];
    const one = actor({
      receive: {},
      alarm: (info) => {
        infos.push(info);
        if (infos.length === 1) throw new Error("first");
      },
    });
    await one.inside((_, { storage }) => storage.setAlarm(start + FAR));
    moveClock(FAR);
    await one.drain();
    await one.inside((_, { storage }) => storage.setAlarm(start + 2 * FAR));
    moveClock(FAR - 1);
    await one.drain();
    expect(infos).toHaveLength(1);
    moveClock(1);
    await one.drain();
    expect(infos[1]).toEqual({ isRetry: false, retryCount: 0, scheduledTime: start + 2 * FAR });
  });

  it("an alarm that fails does not hold up messages", async () => {
    const received: unknown[] = [];
    const one = actor({
      receive: { note: (payload) => received.push(payload) },
      alarm: () => {
        throw new Error("always");
      },
    });
    stopClockAhead();
    await one.inside(({ send }, { storage }) => {
      send("note", "beside");
      return storage.setAlarm(Date.now());
    });
    await one.drain();
    expect(one.eventsOf("alarmFailed")).toHaveLength(1);
    expect(received).toEqual(["beside"]);
  });
});
