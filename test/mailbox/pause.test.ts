import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

describe("pause and resume", () => {
  startClockAfterEach();

  it("let no attempt begin, and deliver in order what came meanwhile when they end", async () => {
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await box.ref.pause();
    for (const n of [1, 2, 3]) await box.ref.send("note", n);
    await box.drain();
    expect(seen).toEqual([]);
    expect(await box.ref.stats()).toMatchObject({ paused: true, pending: 3, due: 3, nextWake: undefined });
    await box.ref.resume();
    await until(() => seen.length === 3, "the delivery after resume");
    expect(seen).toEqual([1, 2, 3]);
  });

  it("survive an eviction", async () => {
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await box.ref.pause();
    await box.ref.send("note", 1);
    await box.evict();
    await box.drain();
    expect(seen).toEqual([]);
    expect((await box.ref.stats()).paused).toBe(true);
  });

  it("let the running attempt end, and keep the next from beginning", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        first: async () => {
          self.mailbox.pause();
          await Promise.resolve();
          seen.push("first");
        },
        second: () => void seen.push("second"),
      },
    }));
    await box.inside((self) => {
      self.sendIn("1 hour", "first", undefined);
      self.sendIn("1 hour", "second", undefined);
    });
    moveClock(3_600_000);
    await box.drain();
    expect(seen).toEqual(["first"]);
    await box.ref.resume();
    await box.drain();
    expect(seen).toEqual(["first", "second"]);
  });

  it("hold a recurrence too, and its missed occurrences do not pile up", async () => {
    stopClock();
    const seen: string[] = [];
    const box = actor({ receive: { tick: (_, { id }) => void seen.push(id) } });
    await box.ref.sendEvery("1 hour", "tick", undefined);
    await box.ref.pause();
    moveClock(10.5 * 3_600_000);
    await box.drain();
    expect(seen).toEqual([]);
    await box.ref.resume();
    await box.drain();
    expect(seen).toHaveLength(1);
    expect(box.eventsOf("skipped")).toMatchObject([{ count: 9 }]);
  });

  it("keep a leased attempt from beginning while its lease is written, and it is charged nothing", async () => {
    stopClockAhead();
    let runs = 0;
    const box = actor({
      policy: { backoff: "1 minute" },
      receive: {
        note: () => {
          runs += 1;
          throw new Error("no");
        },
      },
    });
    await box.ref.send("note", undefined);
    await box.drain();
    moveClock(60_000);
    await box.inside(({ mailbox, realStorage }) => {
      const { sync } = realStorage;
      Object.defineProperty(realStorage, "sync", {
        value: () => {
          if (mailbox.stats().leased === 1) mailbox.pause();
          return sync.call(realStorage);
        },
      });
    });
    await box.drain();
    expect(runs).toBe(1);
    expect(await box.ref.stats()).toMatchObject({ paused: true, leased: 0 });
    await box.evict();
    await box.ref.resume();
    await box.drain();
    expect(runs).toBe(2);
    expect(box.eventsOf("attemptFailed")).toMatchObject([
      { attempt: 1, outcome: "threw" },
      { attempt: 2, outcome: "threw" },
    ]);
  });

  it("hold the hook of a dead letter as they hold an attempt", async () => {
    stopClockAhead();
    const seen: string[] = [];
    const box = actor((self) => ({
      policy: { maxAttempts: 1 },
      receive: {
        last: () => {
          self.mailbox.pause();
          return Promise.reject(new Error("no"));
        },
      },
      onDeadLetter: ({ id }) => void seen.push(id),
    }));
    const id = await box.ref.send("last", undefined);
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1, paused: true });
    expect(seen).toEqual([]);
    await box.ref.resume();
    await box.drain();
    expect(seen).toEqual([id]);
  });

  it("are harmless when they change nothing", async () => {
    const box = actor({ receive: { note: () => {} } });
    await box.ref.resume();
    await box.ref.pause();
    await box.ref.pause();
    expect((await box.ref.stats()).paused).toBe(true);
  });
});
