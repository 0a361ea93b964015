import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, crashAll, type Scripted, until } from "../support/scripted.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** What a mailbox told of the ends of its messages. */
function ends(box: Scripted): string[] {
  return box.events
    .filter(({ event }) => event !== "accepted" && event !== "attemptFailed" && event !== "healed")
    .map(({ event }) => event);
}

describe("G2 At least once", () => {
  startClockAfterEach();

  it("delivers until a handler completes", async () => {
    stopClock();
    const attempts: number[] = [];
    const box = actor({
      receive: {
        work: {
          backoff: 1_000,
          handle: (_, { attempt }) => {
            attempts.push(attempt);
            if (attempt < 4) throw new Error("not yet");
          },
        },
      },
    });
    await box.ref.send("work", undefined);
    for (let round = 0; round < 6; round += 1) {
      await box.drain();
      moveClock(1_000);
    }
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(ends(box)).toEqual(["delivered"]);
    expect((await box.ref.stats()).pending).toBe(0);
  });

  it("delivers until the message is a dead letter, and then no more", async () => {
    stopClock();
    let runs = 0;
    const box = actor({
      receive: {
        work: {
          maxAttempts: 3,
          backoff: 1_000,
          handle: () => {
            runs += 1;
            throw new Error("never");
          },
        },
      },
    });
    const id = await box.ref.send("work", undefined);
    for (let round = 0; round < 6; round += 1) {
      await box.drain();
      moveClock(1_000);
    }
    expect(runs).toBe(3);
    expect(ends(box)).toEqual(["deadLettered"]);
    expect((await box.ref.deadLetter(id))?.reason).toBe("exhausted");
  });

  it("redelivers by itself, on the platform's clock", async () => {
    const attempts: number[] = [];
    const box = actor({
      receive: {
        work: {
          backoff: 20,
          handle: async (_, { attempt }) => {
            attempts.push(attempt);
            await scheduler.wait(1);
            if (attempt < 4) throw new Error("not yet");
          },
        },
      },
    });
    await box.ref.send("work", undefined);
    await until(() => ends(box).length > 0);
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(ends(box)).toEqual(["delivered"]);
  });

  it("delivers again what a kill has interrupted, in an async handler and in a sync one", async () => {
    const runs = { async: 0, sync: 0 };
    const box = actor((self) => ({
      receive: {
        async: async () => {
          runs.async += 1;
          await scheduler.wait(1);
          if (runs.async === 1) self.state.abort("killed by a test");
        },
        sync: () => {
          runs.sync += 1;
          self.state.storage.kv.put("run", runs.sync);
          if (runs.sync === 1) self.state.abort("killed by a test");
        },
      },
    }));
    await box.ref.send("async", undefined);
    await until(() => runs.async === 2);
    await until(() => ends(box).length === 1);
    await box.ref.send("sync", undefined);
    await until(() => ends(box).length === 2);
    expect(runs).toEqual({ async: 2, sync: 2 });
    expect(ends(box)).toEqual(["delivered", "delivered"]);
    expect(await box.inside((_, state) => state.storage.kv.get("run"))).toBe(2);
  });

  it("does not deliver again what was acknowledged before a kill", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "note", payload: n, in: "1 hour" })));
    moveClock(HOUR);
    await box.drain();
    await crashAll();
    await box.drain();
    expect(seen).toEqual([1, 2, 3]);
    expect((await box.ref.stats()).pending).toBe(0);
  });

  it("delivers once, not twice, when the alarm is called while it runs", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({
      receive: {
        note: async (payload) => {
          seen.push(payload);
          await scheduler.wait(10);
        },
      },
    });
    await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "note", payload: n, in: "1 hour" })));
    moveClock(HOUR);
    await Promise.all([box.drain(), box.drain(), box.drain()]);
    expect(seen).toEqual([1, 2, 3]);
  });

  it("takes no completion for one that comes after the timeout", async () => {
    let runs = 0;
    const box = actor({
      receive: {
        slow: {
          timeout: 30,
          backoff: 10,
          handle: async () => {
            runs += 1;
            if (runs === 1) await scheduler.wait(60);
          },
        },
      },
    });
    await box.ref.send("slow", undefined);
    await until(() => ends(box).length > 0);
    expect(runs).toBe(2);
    expect(box.eventsOf("attemptFailed")).toMatchObject([{ attempt: 1, outcome: "timedOut" }]);
    expect(box.eventsOf("delivered")).toMatchObject([{ attempt: 2 }]);
  });

  it("keeps a message through a pause, an eviction in it, and its end", async () => {
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await box.ref.pause();
    await box.ref.send("note", 1);
    await box.evict();
    await box.drain();
    expect(seen).toEqual([]);
    await box.ref.resume();
    await until(() => seen.length === 1);
  });

  it("keeps a message whose type the deployed code does not know, until one knows it", async () => {
    stopClock();
    const seen: unknown[] = [];
    const receive = { note: (payload: unknown) => void seen.push(payload) };
    const box = actor({ receive });
    const id = await box.ref.sendIn("1 hour", "note", 1);
    box.deploy({ receive: {} });
    await box.evict();
    moveClock(HOUR);
    await box.drain();
    expect(await box.ref.get(id)).toMatchObject({ state: "parked", attempts: 0 });
    box.deploy({ receive });
    await box.evict();
    await box.drain();
    expect(seen).toEqual([1]);
    expect(ends(box)).toEqual(["parked", "released", "delivered"]);
  });

  describe("of the other ends of a message, each raises an event:", () => {
    const later = { in: "1 hour" } as const;

    it("cancel", async () => {
      stopClock();
      const box = actor({ receive: { note: () => {} } });
      const id = await box.ref.sendIn(later.in, "note", 1);
      await box.ref.cancel(id);
      await until(() => ends(box).length > 0);
      expect(box.eventsOf("cancelled")).toMatchObject([{ id, type: "note" }]);
    });

    it("replace", async () => {
      stopClock();
      const box = actor({ receive: { note: () => {} } });
      const first = await box.ref.sendIn(later.in, "note", 1, { key: "k" });
      const second = await box.ref.sendIn(later.in, "note", 2, { key: "k", ifPending: "replace" });
      await until(() => ends(box).length > 0);
      expect(box.eventsOf("replaced")).toMatchObject([{ id: first, by: second }]);
    });

    it("keep, of a message whose key another takes before it is written with the ack", async () => {
      stopClock();
      let first = "";
      const box = actor((self) => ({
        receive: {
          note: () => {},
          go: async () => {
            self.sendIn(later.in, "note", 2, { key: "k" });
            first = await box.ref.sendIn(later.in, "note", 1, { key: "k" });
          },
        },
      }));
      await box.ref.send("go", undefined);
      await box.drain();
      await until(() => box.eventsOf("notEnqueued").length > 0);
      expect(box.eventsOf("notEnqueued")).toMatchObject([{ type: "note", keptId: first }]);
    });

    it("destroy", async () => {
      stopClock();
      const box = actor({ receive: { note: () => {} } });
      await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "note", payload: n, ...later })));
      await box.inside((self) => self.mailbox.destroy());
      await until(() => ends(box).length > 0);
      expect(box.eventsOf("destroyed")).toMatchObject([{ pending: 3 }]);
    });

    it("a skipped occurrence", async () => {
      const now = stopClock();
      const box = actor({ receive: { note: () => {} } });
      await box.ref.sendEvery("1 hour", "note", 1, { missed: "skip" });
      moveClock(5 * HOUR + HOUR / 2);
      await box.drain();
      await until(() => ends(box).length > 0);
      expect(box.eventsOf("skipped")).toMatchObject([{ count: 5, from: now + HOUR, to: now + 5 * HOUR }]);
    });

    it("retention of a dead letter", async () => {
      stopClock();
      const box = actor({
        receive: {
          note: {
            maxAttempts: 1,
            handle: () => {
              throw new Error("no");
            },
          },
        },
      });
      await box.ref.sendIn(later.in, "note", 1);
      moveClock(HOUR);
      await box.drain();
      expect((await box.ref.deadLetters()).items).toHaveLength(1);
      moveClock(31 * DAY);
      await box.drain();
      await until(() => ends(box).length === 2);
      expect(box.eventsOf("retentionDeleted")).toEqual([{ event: "retentionDeleted", count: 1 }]);
      expect((await box.ref.deadLetters()).items).toEqual([]);
    });
  });

  describe("a message that is cancelled while it runs", () => {
    it("has ended by that: what its handler sent is dropped, also when that completes, and it is not delivered again", async () => {
      stopClock();
      let runs = 0;
      const aborted: unknown[] = [];
      const box = actor((self) => ({
        receive: {
          work: async (_, { id, signal }) => {
            runs += 1;
            signal.addEventListener("abort", () => void aborted.push(signal.reason));
            self.sendIn("2 hours", "note", "sent");
            await scheduler.wait(1);
            expect(await box.ref.cancel(id)).toBe(true);
          },
          note: () => {},
        },
      }));
      await box.ref.sendIn("1 hour", "work", undefined);
      moveClock(HOUR);
      await box.drain();
      await box.drain();
      expect(runs).toBe(1);
      expect(aborted).toHaveLength(1);
      expect((await box.ref.pending()).items).toEqual([]);
      expect(ends(box)).toEqual(["cancelled"]);
    });

    it("leaves nothing when its handler fails: no redelivery, no letter, no sends", async () => {
      stopClock();
      let runs = 0;
      const box = actor((self) => ({
        receive: {
          work: async (_, { id }) => {
            runs += 1;
            self.send("note", "sent");
            await scheduler.wait(1);
            self.cancel(id);
            throw new Error("failed after all");
          },
          note: () => {},
        },
      }));
      await box.ref.sendIn("1 hour", "work", undefined);
      moveClock(HOUR);
      await box.drain();
      moveClock(DAY);
      await box.drain();
      expect(runs).toBe(1);
      expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0 });
      expect(ends(box)).toEqual(["cancelled"]);
    });

    it("is acknowledged without a row, when a sync handler cancels itself", async () => {
      stopClock();
      const box = actor((self) => ({
        receive: {
          work: (_, { id }) => {
            expect(self.cancel(id)).toBe(true);
            self.sendIn("2 hours", "note", "sent");
          },
          note: () => {},
        },
      }));
      await box.ref.sendIn("1 hour", "work", undefined);
      moveClock(HOUR);
      await box.drain();
      expect((await box.ref.pending()).items).toMatchObject([{ type: "note", payload: "sent" }]);
    });
  });
});
