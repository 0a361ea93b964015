import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

function noter(): { box: Scripted; seen: unknown[] } {
  const seen: unknown[] = [];
  return { seen, box: actor({ receive: { note: (payload) => void seen.push(payload) } }) };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("G4 Order", () => {
  startClockAfterEach();

  it("keeps 1,000 sends of one synchronous block in the order sent", async () => {
    stopClock();
    const { box, seen } = noter();
    await box.inside((self) => {
      for (const n of numbers(1_000)) self.send("note", n);
    });
    await box.drain();
    expect(seen).toEqual(numbers(1_000));
  });

  it("keeps the entries of a sendAll in their order, and sends of one ref in the order of its calls", async () => {
    stopClock();
    const { box, seen } = noter();
    await box.ref.sendAll(numbers(300).map((n) => ({ type: "note", payload: n })));
    await Promise.all(numbers(50).map((n) => box.ref.send("note", 300 + n)));
    await box.drain();
    expect(seen).toEqual(numbers(350));
  });

  it("delivers by due time, whatever the order sent", async () => {
    const now = stopClock();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 40 }),
        async (times) => {
          const { box, seen } = noter();
          await box.inside((self) => {
            for (const [index, time] of times.entries())
              self.sendLater(now - 100 + time, "note", { time, index });
          });
          await box.drain();
          const expected = times
            .map((time, index) => ({ time, index }))
            .toSorted((a, b) => a.time - b.time || a.index - b.index);
          expect(seen).toEqual(expected);
        },
      ),
      { numRuns: 15 },
    );
  });

  it("puts a past time in its place among what waits", async () => {
    const now = stopClock();
    const { box, seen } = noter();
    await box.inside((self) => {
      self.send("note", "now");
      self.sendLater(now - HOUR, "note", "an hour ago");
      self.sendLater(new Date(0), "note", "in 1970");
    });
    await box.drain();
    expect(seen).toEqual(["in 1970", "an hour ago", "now"]);
  });

  it("lets a message that is put back to the due time of what was selected take its place by its id", async () => {
    stopClock();
    const seen: unknown[] = [];
    let letter = "";
    const box = actor((self) => ({
      policy: { maxAttempts: 1 },
      receive: {
        note: (payload) => {
          seen.push(payload);
          if (payload === "letter" && seen.length === 1) throw new Error("no");
          if (payload === 2) expect(self.mailbox.redrive(letter)).toBe(true);
        },
      },
    }));
    letter = await box.ref.send("note", "letter");
    await box.drain();
    // The first page is of one message: the others are selected together.
    await box.ref.sendAll([1, 2, 3, 4].map((n) => ({ type: "note", payload: n })));
    await box.drain();
    expect(seen).toEqual(["letter", 1, 2, "letter", 3, 4]);
  });

  it("lets a newcomer with an earlier due time begin before what was selected with it", async () => {
    const now = stopClock();
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload) => {
          seen.push(payload);
          if (payload === 3) self.sendLater(now - HOUR, "note", "earlier");
        },
        slow: async (payload) => {
          seen.push(payload);
          if (payload === "slow") self.state.waitUntil(box.ref.sendLater(now - HOUR, "note", "from outside"));
          await scheduler.wait(30);
        },
      },
    }));
    await box.ref.sendAll(numbers(20).map((n) => ({ type: "note", payload: n })));
    await box.ref.send("slow", "slow");
    await box.ref.sendAll(numbers(3).map((n) => ({ type: "note", payload: 20 + n })));
    await box.drain();
    expect(seen).toEqual([
      ...numbers(4),
      "earlier",
      ...numbers(20).slice(4),
      "slow",
      "from outside",
      20,
      21,
      22,
    ]);
  });

  it("does not deliver what a handler before it has cancelled, though both were selected together", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload) => {
          seen.push(payload);
          if (payload === 20) self.cancel({ type: "note", key: "22" });
        },
        slow: async () => {
          await scheduler.wait(1);
          self.cancel({ type: "note", key: "25" });
        },
      },
    }));
    await box.inside((self) => {
      for (const n of numbers(24)) self.send("note", n, { key: String(n) });
      self.send("slow", undefined);
      for (const n of [24, 25, 26]) self.send("note", n, { key: String(n) });
    });
    await box.drain();
    expect(seen).toEqual(numbers(27).filter((n) => n !== 22 && n !== 25));
  });

  it("begins next with what a handler has rescheduled, or deferred, to before the others", async () => {
    const now = stopClock();
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload, delivery) => {
          seen.push(payload);
          if (payload === 12) self.mailbox.reschedule({ type: "note", key: "18" }, now - HOUR);
          if (payload === 14 && seen.filter((n) => n === 14).length < 3) delivery.defer(new Date(now - HOUR));
        },
      },
    }));
    await box.inside((self) => {
      for (const n of numbers(20)) self.send("note", n, { key: String(n) });
    });
    await box.drain();
    expect(seen).toEqual([...numbers(13), 18, 13, 14, 14, 14, 15, 16, 17, 19]);
  });

  it("lets a redelivered message wait for nobody, and nobody for it", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({
      receive: {
        note: {
          backoff: "1 minute",
          handle: (payload, { attempt }) => {
            seen.push(payload);
            if (payload === 1 && attempt === 1) throw new Error("no");
          },
        },
      },
    });
    await box.ref.sendAll([1, 2].map((n) => ({ type: "note", payload: n })));
    await box.ref.sendIn("30 seconds", "note", 3);
    await box.ref.sendIn("90 seconds", "note", 4);
    await box.drain();
    moveClock(90_000);
    await box.drain();
    expect(seen).toEqual([1, 2, 3, 1, 4]);
  });

  it("keeps recurrences and messages in one order", async () => {
    const now = stopClock(Date.UTC(2026, 10, 24, 9));
    const { box, seen } = noter();
    await box.inside((self) => {
      self.sendEvery("2 minutes", "note", "every");
      self.sendLater(now + 119_999, "note", "before");
      self.sendLater(now + 120_001, "note", "after");
    });
    moveClock(150_000);
    await box.drain();
    expect(seen).toEqual(["before", "every", "after"]);
  });

  it("keeps what one actor sends to another in the order of its commits, then of its calls", async () => {
    const { box: target, seen } = noter();
    const box = actor((self) => ({
      receive: {
        go: (payload) => {
          for (const n of [1, 2, 3]) self.other(target.name).send("note", `${String(payload)}${n}`);
        },
      },
    }));
    await box.ref.sendAll(["a", "b", "c"].map((payload) => ({ type: "go", payload })));
    await until(() => seen.length === 9);
    expect(seen).toEqual(["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3"]);
  });

  it("holds over an eviction in the middle", async () => {
    stopClock();
    const { box, seen } = noter();
    for (const n of numbers(5)) {
      await box.ref.sendIn("1 hour", "note", n);
      await box.evict();
    }
    moveClock(HOUR);
    await box.drain();
    expect(seen).toEqual(numbers(5));
  });
});
