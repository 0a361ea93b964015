// What becomes of an attempt, of its page-mates and of what it has sent when somebody deletes all storage.

import { describe, expect, it } from "vitest";
import { RefusedInHandlerError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor that does what it is told when its `work` is delivered, and knows `note`. */
function worker(work: (self: ScriptedActor, attempt: number) => unknown): Scripted {
  return actor((self) => ({
    policy: { maxAttempts: 2, backoff: "1 hour" },
    receive: { work: (_, { attempt }) => work(self, attempt), note: () => {} },
  }));
}

/** The actor that an actor of these tests sends to; it has no handlers, so it keeps what it is sent. */
function other(self: ScriptedActor): ReturnType<ScriptedActor["other"]> {
  return self.other(`${self.state.id.name ?? ""}-other`);
}

/** Sends `work` and drains once, on a stopped clock. */
async function deliver(box: Scripted): Promise<void> {
  await box.ref.sendIn("1 hour", "work", undefined);
  moveClock(HOUR);
  await box.drain();
}

describe("G7 deleteAll()", () => {
  startClockAfterEach();

  async function worksAfterwards(box: Scripted): Promise<void> {
    expect(await box.ref.stats()).toMatchObject({ pending: 0, leased: 0, deadLetters: 0 });
    const id = await box.ref.sendIn("1 hour", "note", "after");
    expect(await box.ref.get(id)).toMatchObject({ payload: "after" });
    moveClock(HOUR);
    await box.drain();
    expect(box.eventsOf("delivered").at(-1)).toMatchObject({ id });
  }

  it("in a plain function follows the commit of what it did before its promise, and takes the page-mates with it", async () => {
    stopClock();
    const box = worker((self) => {
      self.state.storage.kv.put("a", 1);
      const done = self.state.storage.deleteAll();
      self.state.storage.kv.put("b", 1);
      expect(self.state.storage.kv.get("a")).toBe(1);
      return done;
    });
    for (let n = 0; n < 5; n += 1) await box.ref.sendIn("1 hour", "note", n);
    await box.ref.sendIn("1 hour", "work", undefined);
    for (let n = 0; n < 20; n += 1) await box.ref.sendIn("1 hour", "note", n);
    moveClock(HOUR);
    await box.drain();
    expect(box.eventsOf("delivered")).toHaveLength(6);
    expect(await box.inside((_, state) => [...state.storage.kv.list()])).toEqual([]);
    await worksAfterwards(box);
  });

  for (const kind of ["returns what it answers", "awaits it"]) {
    it(`drops what a handler that ${kind} has sent before, and keeps what it sends after`, async () => {
      stopClock();
      const send = (self: ScriptedActor, key: string): void => {
        self.sendIn("1 day", "note", 1, { key });
        self.sendEvery("2 days", "note", 1, { key });
        other(self).sendIn("1 day", "note", 1);
      };
      const returning = (self: ScriptedActor): unknown => {
        send(self, "before");
        const done = self.state.storage.deleteAll();
        send(self, "after");
        return done.then(() => {
          self.state.storage.kv.put("fresh", 1);
          self.sendIn("1 day", "note", 1, { key: "at last" });
        });
      };
      const awaiting = async (self: ScriptedActor): Promise<void> => {
        send(self, "before");
        await scheduler.wait(1);
        await self.state.storage.deleteAll();
        send(self, "after");
        self.state.storage.kv.put("fresh", 1);
        self.sendIn("1 day", "note", 1, { key: "at last" });
      };
      const box = worker(kind === "awaits it" ? awaiting : returning);
      await box.ref.sendIn("1 hour", "note", "swept away");
      await deliver(box);
      const { items } = await box.ref.pending();
      expect(items.map(({ key, recurrence }) => key ?? recurrence)).toEqual([
        "after",
        "at last",
        "every:note:after",
      ]);
      expect(await box.inside((_, state) => [...state.storage.kv.list()])).toEqual([["fresh", 1]]);
      // In the outbox, or with the other already.
      const elsewhere = await actor({ receive: {} }, `${box.name}-other`).ref.pending();
      const sent = await box.inside((self) => self.mailbox.outbox().items);
      expect([...sent, ...elsewhere.items]).toHaveLength(1);
      expect(box.eventsOf("accepted")).toHaveLength(2 + 2);
    });
  }

  it("in a function that answers no promise is refused, rolled back and said so, to whoever awaits it too", async () => {
    stopClock();
    const refusals: unknown[] = [];
    const box = worker((self) => {
      self.state.storage.kv.put("b", 1);
      self.send("note", "of the attempt");
      self.state.storage.deleteAll().catch((error: unknown) => refusals.push(error));
    });
    await box.inside((_, state) => state.storage.kv.put("a", 1));
    await deliver(box);
    expect(await box.inside((_, state) => [...state.storage.kv.list()])).toEqual([["a", 1]]);
    const { items } = await box.ref.pending();
    expect(items).toMatchObject([{ type: "work", errors: [{ name: "RefusedInHandlerError" }] }]);
    expect(items[0]?.errors[0]?.message).toContain("return or await what deleteAll() answers");
    expect(refusals[0]).toBeInstanceOf(RefusedInHandlerError);
  });

  it("of a request takes what the attempt that runs has sent by then, and nothing of what it sends later", async () => {
    stopClock();
    const box = worker(async (self) => {
      self.sendIn("1 day", "note", "before");
      await scheduler.wait(1);
      await box.inside((_, state) => state.storage.deleteAll());
      self.sendIn("1 day", "note", "after");
    });
    await deliver(box);
    expect((await box.ref.pending()).items).toMatchObject([{ payload: "after" }]);
  });

  it("in a handler that throws is not done", async () => {
    stopClock();
    const box = worker((self) => {
      void self.state.storage.deleteAll();
      throw new Error("after all");
    });
    await box.inside((_, state) => state.storage.kv.put("a", 1));
    await deliver(box);
    expect(await box.inside((_, state) => state.storage.kv.get("a"))).toBe(1);
    expect((await box.ref.stats()).pending).toBe(1);
  });

  it("in a nested transaction that is rolled back is not done, and what was sent before it stays", async () => {
    stopClock();
    const refusals: unknown[] = [];
    const box = worker((self) => {
      self.sendIn("1 day", "note", "before");
      expect(() =>
        self.state.storage.transactionSync(() => {
          self.state.storage.deleteAll().catch((error: unknown) => refusals.push(error));
          throw new Error("inside");
        }),
      ).toThrow("inside");
    });
    await box.inside((_, state) => state.storage.kv.put("a", 1));
    await deliver(box);
    expect(await box.inside((_, state) => state.storage.kv.get("a"))).toBe(1);
    expect((await box.ref.pending()).items).toMatchObject([{ payload: "before" }]);
    expect(refusals[0]).toBeInstanceOf(RefusedInHandlerError);
  });

  it("in a redelivered, and so leased, plain function works as well", async () => {
    stopClock();
    const box = worker((self, attempt) => {
      if (attempt === 1) throw new Error("once");
      return self.state.storage.deleteAll();
    });
    await deliver(box);
    moveClock(HOUR);
    await box.drain();
    await worksAfterwards(box);
  });

  it("in an async handler is done at once, and the mailbox works afterwards", async () => {
    stopClock();
    const box = worker(async (self) => {
      await scheduler.wait(1);
      await self.state.storage.deleteAll();
      expect(self.state.storage.sql.exec("SELECT name FROM sqlite_schema").toArray()).toEqual([]);
    });
    await box.ref.sendIn("1 hour", "note", "swept away");
    await deliver(box);
    await worksAfterwards(box);
  });

  it("from a request in the middle of a drain leaves nothing, and breaks nothing", async () => {
    stopClock();
    const box = worker(async () => {
      await scheduler.wait(1);
      await box.inside((_, state) => state.storage.deleteAll());
      throw new Error("and it fails as well");
    });
    await box.ref.sendIn("1 hour", "work", undefined);
    for (let n = 0; n < 20; n += 1) await box.ref.sendIn("1 hour", "note", n);
    moveClock(HOUR);
    await box.drain();
    expect(box.eventsOf("delivered")).toEqual([]);
    await worksAfterwards(box);
  });
});
