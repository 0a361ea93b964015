import { describe, expect, it } from "vitest";
import { InvalidKeyError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;
const KEY = { type: "note", key: "k" } as const;

/** An actor that notes what it is given. */
function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({ receive: { note: (payload) => void noted.push(payload), other: () => {} } });
  return { box, noted };
}

/** An actor whose first attempt does something in the middle; later ones note and end. */
function during(
  first: (self: ScriptedActor, attempt: { defer: (ms: number) => void }) => unknown,
  isAsync: boolean,
): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor((self) => {
    let isFirst = true;
    const run = (payload: unknown, delivery: { defer: (ms: number) => void }): unknown => {
      noted.push(payload);
      if (!isFirst) return undefined;
      isFirst = false;
      return first(self, delivery);
    };
    const note = isAsync
      ? async (payload: unknown, delivery: { defer: (ms: number) => void }) => run(payload, delivery)
      : run;
    return { policy: { backoff: "1 minute", maxAttempts: 2 }, receive: { note } };
  });
  return { box, noted };
}

async function drainAll(box: Scripted): Promise<void> {
  for (let n = 0; n < 5; n += 1) {
    await box.drain();
    moveClock(HOUR);
  }
}

describe("a key", () => {
  startClockAfterEach();

  it("keeps the message that waits, by default, and answers its id", async () => {
    const now = stopClockAhead();
    const { box, noted } = noter();
    const first = await box.ref.sendIn("1 hour", "note", "first", { key: "k" });
    for (const options of [{ key: "k" }, { key: "k", ifPending: "keep" } as const]) {
      expect(await box.ref.send("note", "later", options)).toBe(first);
      expect(await box.inside((self) => self.sendIn("2 hours", "note", "later", options))).toBe(first);
    }
    expect(await box.ref.get(KEY)).toMatchObject({ id: first, payload: "first", dueAt: now + HOUR });
    await drainAll(box);
    expect(noted).toEqual(["first"]);
    // The sender was told the id of the one that was kept, so nothing is unknown.
    expect(box.eventsOf("notEnqueued")).toEqual([]);
  });

  it("replaces the message that waits with one of its own id, time and attempts", async () => {
    const now = stopClockAhead();
    const { box, noted } = noter();
    const first = await box.ref.send("note", "first", { key: "k" });
    const second = await box.ref.sendIn("1 hour", "note", "second", { key: "k", ifPending: "replace" });
    expect(second).not.toBe(first);
    expect(await box.ref.get(first)).toBeUndefined();
    expect(await box.ref.get(KEY)).toMatchObject({ id: second, dueAt: now + HOUR, attempts: 0 });
    await drainAll(box);
    expect(noted).toEqual(["second"]);
    expect(box.eventsOf("replaced")).toEqual([{ event: "replaced", id: first, type: "note", by: second }]);
  });

  it("replaces a message that waits for its redelivery, with all its attempts before it", async () => {
    stopClockAhead();
    const { box, noted } = during(() => {
      throw new Error("no");
    }, false);
    await box.ref.send("note", "first", { key: "k" });
    await box.drain();
    const second = await box.ref.send("note", "second", { key: "k", ifPending: "replace" });
    expect((await box.ref.pending()).items).toMatchObject([{ id: second, attempts: 0, errors: [] }]);
    await drainAll(box);
    expect(noted).toEqual(["first", "second"]);
  });

  it("belongs to one type, and says nothing of recurrences", async () => {
    stopClockAhead();
    const { box } = noter();
    const ids = [
      await box.ref.sendIn("1 hour", "note", 1, { key: "k" }),
      await box.ref.sendIn("1 hour", "other", 1, { key: "k" }),
      await box.ref.sendIn("1 hour", "note", 1, { key: "K" }),
      await box.ref.sendEvery("2 hours", "note", 1, { key: "k" }),
    ];
    expect(new Set(ids).size).toBe(4);
    expect((await box.ref.stats()).pending).toBe(4);
    expect(await box.ref.cancel(KEY)).toBe(true);
    expect(await box.ref.cancel(KEY)).toBe(false);
    expect((await box.ref.recurrences()).items).toMatchObject([{ key: "k", ended: false }]);
  });

  it("is free again after the ack, after a cancel and when its message is a dead letter", async () => {
    stopClockAhead();
    const { box } = noter();
    const first = await box.ref.send("note", 1, { key: "k" });
    await box.drain();
    const second = await box.ref.sendIn("1 hour", "note", 2, { key: "k" });
    await box.ref.cancel(second);
    const third = await box.ref.send("note", 3, { key: "k", expires: 1 });
    expect(new Set([first, second, third]).size).toBe(3);
    moveClock(2);
    await box.drain();
    expect(await box.ref.deadLetter(third)).toMatchObject({ key: "k" });
    expect(await box.ref.send("note", 4, { key: "k" })).not.toBe(third);
  });

  it("holds among the entries of one sendAll", async () => {
    stopClockAhead();
    const { box, noted } = noter();
    const entries = [
      { type: "note", payload: 1, key: "k" },
      { type: "note", payload: 2, key: "k" },
      { type: "note", payload: 3, key: "k", ifPending: "replace" } as const,
      { type: "note", payload: 4 },
    ];
    const [a, b, c] = await box.ref.sendAll(entries);
    expect(b).toBe(a);
    expect(c).not.toBe(a);
    const inside = await box.inside((self) => self.sendAll(entries.slice(0, 2)));
    expect(inside).toEqual([c, c]);
    await drainAll(box);
    expect(noted).toEqual([3, 4]);
  });

  it("is of 1 to 256 bytes of UTF-8", async () => {
    stopClockAhead();
    const { box } = noter();
    for (const key of ["k".repeat(256), "漢".repeat(85), "\u{1f600}".repeat(64)]) {
      const id = await box.ref.sendIn("1 hour", "note", 1, { key });
      expect(await box.ref.get({ type: "note", key })).toMatchObject({ id, key });
      await box.ref.sendEvery("1 hour", "note", 1, { key });
    }
    expect(await box.ref.stats()).toMatchObject({ pending: 6 });
    for (const key of ["", "k".repeat(257), "漢".repeat(86), 7 as unknown as string]) {
      await expect(box.ref.send("note", 1, { key })).rejects.toThrow(InvalidKeyError);
      await expect(box.ref.sendEvery("1 hour", "note", 1, { key })).rejects.toThrow(InvalidKeyError);
      await expect(box.ref.sendAll([{ type: "note", payload: 1, key }])).rejects.toThrow(InvalidKeyError);
      await box.inside((self) => {
        expect(() => self.send("note", 1, { key })).toThrow(InvalidKeyError);
      });
    }
    expect(await box.ref.stats()).toMatchObject({ pending: 6 });
  });
});

for (const isAsync of [false, true]) {
  describe(`a key, from inside its own ${isAsync ? "async" : "sync"} handler`, () => {
    startClockAfterEach();

    for (const ifPending of ["keep", "replace"] as const) {
      it(`is free: ${ifPending} sends the next message`, async () => {
        stopClockAhead();
        let next = "";
        const { box, noted } = during((self) => {
          next = self.sendIn("1 hour", "note", "next", { key: "k", ifPending });
        }, isAsync);
        const first = await box.ref.send("note", "first", { key: "k" });
        await box.drain();
        expect(next).not.toBe(first);
        expect(await box.ref.get(KEY)).toMatchObject({ id: next });
        await drainAll(box);
        expect(noted).toEqual(["first", "next"]);
        expect(box.eventsOf("replaced")).toEqual([]);
        expect(box.eventsOf("notEnqueued")).toEqual([]);
      });

      it(`comes back to the message whose attempt failed after ${ifPending}, and what it sent is gone`, async () => {
        stopClockAhead();
        const { box, noted } = during((self) => {
          self.sendIn("1 hour", "note", "next", { key: "k", ifPending });
          throw new Error("no");
        }, isAsync);
        const first = await box.ref.send("note", "first", { key: "k" });
        await box.drain();
        expect(await box.ref.get(KEY)).toMatchObject({ id: first, attempts: 1, key: "k" });
        expect((await box.ref.stats()).pending).toBe(1);
        await drainAll(box);
        expect(noted).toEqual(["first", "first"]);
      });

      it(`stays with what was sent by ${ifPending} when the message is deferred`, async () => {
        stopClockAhead();
        let next = "";
        const { box, noted } = during((self, delivery) => {
          next = self.sendIn("2 hours", "note", "next", { key: "k", ifPending });
          delivery.defer(HOUR);
        }, isAsync);
        const first = await box.ref.send("note", "first", { key: "k" });
        await box.drain();
        expect(await box.ref.get(KEY)).toMatchObject({ id: next });
        expect(await box.ref.get(first)).not.toHaveProperty("key");
        await drainAll(box);
        expect(noted).toEqual(["first", "first", "next"]);
      });
    }

    it("comes back to a message that is deferred, when nobody took it", async () => {
      stopClockAhead();
      const { box } = during((_, delivery) => delivery.defer(HOUR), isAsync);
      const first = await box.ref.send("note", "first", { key: "k" });
      await box.drain();
      expect(await box.ref.send("note", "second", { key: "k" })).toBe(first);
    });

    it("does not find the running message", async () => {
      stopClockAhead();
      const found: unknown[] = [];
      const { box, noted } = during((self) => {
        found.push(self.mailbox.get(KEY), self.cancel(KEY), self.mailbox.reschedule(KEY, new Date()));
      }, isAsync);
      await box.ref.send("note", "first", { key: "k" });
      await box.drain();
      expect(found).toEqual([undefined, false, false]);
      expect(noted).toEqual(["first"]);
    });
  });
}

describe("a key that is taken while its message runs", () => {
  startClockAfterEach();

  /** Runs a message, takes its key from a request meanwhile, then lets the attempt end. */
  async function taken(
    end: "resolve" | "throw",
    ifPending: "keep" | "replace",
  ): Promise<{ box: Scripted; noted: unknown[]; first: string; newcomer: string }> {
    stopClockAhead();
    // Looked at again and again: a promise that one object makes and a request settles can take workerd down.
    let hasBegun = false;
    let mayEnd = false;
    const { box, noted } = during(async () => {
      hasBegun = true;
      while (!mayEnd) await scheduler.wait(5);
      if (end === "throw") throw new Error("no");
    }, true);
    const first = await box.ref.send("note", "first", { key: "k" });
    const drained = box.drain();
    await until(() => hasBegun);
    const newcomer = await box.ref.sendIn("2 hours", "note", "newcomer", { key: "k", ifPending });
    mayEnd = true;
    await drained;
    return { box, noted, first, newcomer };
  }

  for (const ifPending of ["keep", "replace"] as const) {
    it(`by ${ifPending}: the one that fails goes on without it, and replaces nobody`, async () => {
      const { box, noted, first, newcomer } = await taken("throw", ifPending);
      expect(newcomer).not.toBe(first);
      expect(await box.ref.get(KEY)).toMatchObject({ id: newcomer });
      expect(await box.ref.get(first)).toMatchObject({ state: "waiting", attempts: 1 });
      expect(await box.ref.get(first)).not.toHaveProperty("key");
      await drainAll(box);
      expect(noted).toEqual(["first", "first", "newcomer"]);
    });
  }

  it("stays taken when the attempt succeeds", async () => {
    const { box, noted, newcomer } = await taken("resolve", "keep");
    expect((await box.ref.pending()).items).toMatchObject([{ id: newcomer, key: "k" }]);
    await drainAll(box);
    expect(noted).toEqual(["first", "newcomer"]);
  });
});
