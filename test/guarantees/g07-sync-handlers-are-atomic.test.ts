import { describe, expect, it } from "vitest";
import { RefusedInHandlerError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Script, type Scripted, type ScriptedActor } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor that does what it is told when its `work` is delivered, and knows a few more types. */
function worker(
  work: (self: ScriptedActor, attempt: number) => unknown,
  script: Partial<Script> = {},
): Scripted {
  return actor((self) => ({
    policy: { maxAttempts: 2, backoff: "1 hour" },
    alarm: () => {},
    ...script,
    receive: {
      work: (_, { attempt }) => work(self, attempt),
      note: () => {},
      failing: {
        maxAttempts: 1,
        handle: () => {
          throw new Error("dead");
        },
      },
    },
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

/** What is on disk, of the object and of its mailbox, and what has been sent to the other actor. */
async function everything(box: Scripted): Promise<unknown> {
  const elsewhere = await actor({ receive: {} }, `${box.name}-other`).ref.pending();
  return box.inside(async (self, state) => ({
    rows: state.storage.sql.exec("SELECT * FROM t").toArray(),
    kv: [...state.storage.kv.list()],
    put: [...(await state.storage.list())],
    alarm: await state.storage.getAlarm(),
    pending: self.mailbox.pending().items.map(({ type, key }) => key ?? type),
    recurrences: self.mailbox.recurrences().items.map(({ id }) => id),
    sent: [...self.mailbox.outbox().items, ...elsewhere.items].map(({ type }) => type),
    letters: self.mailbox.deadLetters().items.map(({ type }) => type),
    paused: self.mailbox.stats().paused,
  }));
}

/** Prepares rows for every verb to act on. */
async function prepared(box: Scripted): Promise<string> {
  stopClock();
  await box.inside((_, state) => state.storage.sql.exec("CREATE TABLE t (a)"));
  await box.ref.sendIn("1 hour", "failing", undefined);
  moveClock(HOUR);
  await box.drain();
  await box.ref.sendIn("1 day", "note", 1, { key: "to be cancelled" });
  await box.ref.sendIn("1 day", "note", 1, { key: "to be replaced" });
  await box.ref.sendEvery("1 day", "note", 1, { key: "to be ended" });
  return (await box.ref.deadLetters()).items[0]?.id ?? "";
}

/** Everything that a handler can write. */
function writeAll(self: ScriptedActor, letter: string): void {
  const { storage } = self.state;
  storage.sql.exec("INSERT INTO t VALUES (1)");
  storage.kv.put("kv", 1);
  void storage.put("put", 1);
  void storage.setAlarm(Date.now() + HOUR);
  storage.transactionSync(() => storage.sql.exec("INSERT INTO t VALUES (2)"));
  self.sendIn("1 day", "note", 1, { key: "sent" });
  self.sendAll([{ type: "note", payload: 1, key: "one of many", in: "1 day" }]);
  self.sendIn("1 day", "note", 2, { key: "to be replaced", ifPending: "replace" });
  self.cancel({ type: "note", key: "to be cancelled" });
  self.sendEvery("1 day", "note", 1, { key: "declared" });
  self.cancel("every:note:to%20be%20ended");
  other(self).sendIn("1 day", "note", 1);
  self.mailbox.redrive(letter, { at: Date.now() + HOUR });
  self.mailbox.pause();
}

describe("G7 Sync handlers are atomic", () => {
  startClockAfterEach();

  it("commits all that a handler writes together with its ack", async () => {
    let letter = "";
    const box = worker((self) => writeAll(self, letter));
    letter = await prepared(box);
    await deliver(box);
    expect(await everything(box)).toEqual({
      rows: [{ a: 1 }, { a: 2 }],
      kv: expect.arrayContaining([["kv", 1]]) as unknown,
      put: expect.arrayContaining([["put", 1]]) as unknown,
      alarm: Date.now() + HOUR,
      pending: ["failing", "sent", "one of many", "to be replaced", "note"],
      recurrences: ["every:note:declared"],
      sent: ["note"],
      letters: [],
      paused: true,
    });
    expect(box.eventsOf("delivered")).toHaveLength(1);
  });

  it("rolls all of it back when the handler throws, and tells no event of it", async () => {
    let letter = "";
    const box = worker((self) => {
      writeAll(self, letter);
      throw new Error("after all that");
    });
    letter = await prepared(box);
    const before = await everything(box);
    box.events.length = 0;
    await deliver(box);
    expect(await everything(box)).toEqual({
      ...(before as object),
      pending: ["work", ...(before as { pending: string[] }).pending],
    });
    expect(box.events.map(({ event }) => event)).toEqual(["accepted", "attemptFailed"]);
  });

  it("sees what it has written, and works after a roll back as if nothing had been", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = worker((self, attempt) => {
      const id = self.sendIn("1 day", "note", attempt, { key: "k" });
      // The lists and the counts are of rows, and what it sends is one when it has ended.
      const { pending } = self.mailbox.stats();
      seen.push(self.mailbox.get(id)?.payload, pending, self.mailbox.pending().items.length);
      if (attempt === 1) throw new Error("once");
    });
    await deliver(box);
    moveClock(HOUR);
    await box.drain();
    expect(seen).toEqual([1, 1, 1, 2, 1, 1]);
    expect((await box.ref.pending()).items).toMatchObject([{ payload: 2, key: "k" }]);
  });

  it("rolls back only what a nested transaction did, when the handler catches its error", async () => {
    stopClock();
    const box = worker((self) => {
      const { storage } = self.state;
      storage.sql.exec("CREATE TABLE t (a)");
      self.sendIn("1 day", "note", 1, { key: "before" });
      try {
        storage.transactionSync(() => {
          storage.sql.exec("INSERT INTO t VALUES (1)");
          void storage.setAlarm(Date.now() + HOUR);
          self.cancel({ type: "note", key: "before" });
          self.sendIn("1 day", "note", 1, { key: "inside" });
          other(self).sendIn("1 day", "note", 1);
          throw new Error("inside");
        });
      } catch {
        // Meant.
      }
      self.sendIn("1 day", "note", 1, { key: "after" });
    });
    await deliver(box);
    expect(await everything(box)).toMatchObject({
      rows: [],
      alarm: null,
      pending: ["before", "after"],
      sent: [],
    });
    expect(box.eventsOf("cancelled")).toEqual([]);
  });

  it("holds for each message of a page, whatever its page-mates do", async () => {
    stopClock();
    const completed: number[] = [];
    const box = actor((self) => ({
      policy: { backoff: "1 hour" },
      receive: {
        note: () => {},
        work: (payload, { attempt, id, defer }) => {
          const n = payload as number;
          const { storage } = self.state;
          const rollBack = (write: () => void): void => {
            expect(() =>
              storage.transactionSync(() => {
                write();
                throw new Error("roll back");
              }),
            ).toThrow("roll back");
          };
          if (n % 10 === 1) expect(self.mailbox.get(id)?.state).toBe("running");
          if (n % 10 === 2) rollBack(() => self.sendIn("1 day", "note", "rolled back"));
          if (n % 10 === 3) storage.transactionSync(() => rollBack(() => void self.mailbox.stats()));
          if (n % 10 === 4) self.sendIn("1 day", "note", n, { key: "k", ifPending: "replace" });
          if (n % 10 === 5) rollBack(() => self.cancel(id));
          storage.kv.put(`${n}`, (storage.kv.get<number>(`${n}`) ?? 0) + 1);
          if (n % 10 === 6 && attempt === 1) {
            self.mailbox.pending();
            throw new Error("once");
          }
          if (n % 10 === 7 && !completed.includes(n)) defer(0);
          completed.push(n);
          return n % 10 === 8 ? scheduler.wait(0) : self.mailbox.stats().pending;
        },
      },
    }));
    const count = 300;
    await box.ref.sendAll(
      Array.from({ length: count }, (_, n) => ({ type: "work", payload: n, in: "1 hour" })),
    );
    moveClock(HOUR);
    await box.drain();
    moveClock(HOUR);
    await box.drain();
    const runs = await box.inside((_, state) => [...state.storage.kv.list<number>()]);
    expect(runs).toHaveLength(count);
    for (const [n, times] of runs) expect([n, times]).toEqual([n, Number(n) % 10 === 7 ? 2 : 1]);
    expect(completed).toHaveLength(count + count / 10);
    expect((await box.ref.pending()).items).toMatchObject([{ type: "note", payload: count - 6 }]);
    expect(box.eventsOf("accepted")).toHaveLength(count + count / 10);
  });

  it("refuses transaction(), whose writes would not be part of it, and says so", async () => {
    stopClock();
    const errors: unknown[] = [];
    const box = worker((self) => {
      try {
        void self.state.storage.transaction(async () => self.state.storage.put("late", 1));
      } catch (error) {
        errors.push(error);
        throw error;
      }
    });
    await deliver(box);
    moveClock(HOUR);
    await box.drain();
    expect(errors).toHaveLength(2);
    expect(errors[0]).toBeInstanceOf(RefusedInHandlerError);
    expect((await box.ref.deadLetters()).items[0]?.errors[0]?.message).toContain("transactionSync()");
    expect(await box.inside((_, state) => state.storage.get("late"))).toBeUndefined();
  });

  it("refuses the verbs that work in pages", async () => {
    stopClock();
    const verbs: ((self: ScriptedActor) => Promise<unknown>)[] = [
      (self) => self.mailbox.redriveAll(),
      (self) => self.mailbox.purgeAll(),
      (self) => self.mailbox.destroy(),
    ];
    const refused: Promise<unknown>[] = [];
    const box = worker((self) => {
      refused.push(...verbs.map((verb) => verb(self).catch((error: unknown) => error)));
    });
    await deliver(box);
    for (const error of await Promise.all(refused)) expect(error).toBeInstanceOf(RefusedInHandlerError);
  });
});
