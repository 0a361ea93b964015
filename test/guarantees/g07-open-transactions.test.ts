// G7, and with it G1, G2 and G8: what happens in an open transaction of the user's happens only if it commits. The
// mailbox does nothing of its own meanwhile, though a promise that is resolved in it lets others go on.

import { describe, expect, it } from "vitest";
import { RefusedInTransactionError } from "../../actors/index.ts";
import { aWhile } from "../support/a-while.ts";
import { batchOf, quiet } from "../support/batches.ts";
import { actor, type Script, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

/** A transaction of a request, which does something, waits for a payment provider, say, and is declined. */
function declined(box: Scripted, act: (self: ScriptedActor) => unknown): Promise<unknown> {
  return box.inside((self) =>
    self.state.storage
      .transaction(async () => {
        await act(self);
        await aWhile();
        throw new Error("declined");
      })
      .catch((error: unknown) => error),
  );
}

/** An actor whose drain waits for a batch that its target is slow to answer. */
async function lingering(script: Script): Promise<Scripted> {
  let called = false;
  const slow = actor({
    receive: { note: () => {} },
    onCall: async (call, next) => {
      if (batchOf(call) === undefined) return next();
      called = true;
      for (let n = 0; n < 50; n += 1) await scheduler.wait(20);
      return next();
    },
  });
  const box = actor(script);
  await box.inside((self) => void self.other(slow.name).send("note", "slow"));
  await until(() => called, "the slow batch");
  return box;
}

/** An actor whose drain waits for a handler, until it is told to go on. */
async function waiting(script: Script): Promise<{ box: Scripted; goOn: () => void }> {
  let isRunning = false;
  let isOver = false;
  const box = actor({
    ...script,
    receive: {
      ...script.receive,
      slow: async () => {
        isRunning = true;
        while (!isOver) await scheduler.wait(10);
      },
    },
  });
  await box.ref.send("slow", undefined);
  await until(() => isRunning, "the slow handler");
  return { box, goOn: () => void (isOver = true) };
}

function receiver(): { to: Scripted; arrived: unknown[] } {
  const arrived: unknown[] = [];
  const to = actor({ receive: { note: (payload) => void arrived.push(payload) } });
  return { to, arrived };
}

describe("G7 What is sent in a transaction that is rolled back", () => {
  it("reaches nobody by the outbox, while a handler runs", async () => {
    const { to, arrived } = receiver();
    const { box, goOn } = await waiting({ receive: {} });
    await declined(box, (self) => self.other(to.name).send("note", "rolled back"));
    await box.inside((self) => void self.other(to.name).send("note", "kept"));
    await until(() => arrived.length > 0, "what was kept");
    goOn();
    await quiet(box);
    expect(arrived).toEqual(["kept"]);
    expect(box.eventsOf("outboxForked")).toEqual([]);
  });

  it("reaches nobody by the outbox, while a batch for another is on its way", async () => {
    const { to, arrived } = receiver();
    const box = await lingering({ receive: {} });
    await declined(box, (self) => self.other(to.name).send("note", "rolled back"));
    await box.inside((self) => void self.other(to.name).send("note", "kept"));
    await quiet(box);
    await until(() => arrived.length > 0, "what was kept");
    expect(arrived).toEqual(["kept"]);
  });

  it("leaves the numbers of its route as they were: what is sent next is no fork", async () => {
    const { to, arrived } = receiver();
    const { box, goOn } = await waiting({ receive: {} });
    await box.inside((self) => void self.other(to.name).send("note", "before"));
    await until(() => arrived.length > 0, "the first");
    await declined(box, (self) => self.other(to.name).send("note", "rolled back"));
    await box.inside((self) => void self.other(to.name).send("note", "after"));
    goOn();
    await quiet(box);
    await until(() => arrived.length > 1, "the last");
    expect(arrived).toEqual(["before", "after"]);
    expect(box.eventsOf("outboxForked")).toEqual([]);
  });

  it("is not delivered to the actor itself, while a batch is on its way", async () => {
    const noted: unknown[] = [];
    const box = await lingering({ receive: { note: (payload) => void noted.push(payload) } });
    await declined(box, (self) => self.send("note", "rolled back"));
    await box.inside((self) => void self.send("note", "kept"));
    await quiet(box);
    expect(noted).toEqual(["kept"]);
    expect(box.eventsOf("delivered")).toHaveLength(1);
    await until(() => box.eventsOf("accepted").length > 0, "its event");
    expect(box.eventsOf("accepted"), "and nothing was told of it").toHaveLength(1);
  });

  it("is no reason to wake for: the alarm is the one that the rows ask for", async () => {
    const box = actor({ receive: { note: () => {} } });
    const id = await box.ref.sendIn("1 hour", "note", "kept");
    await declined(box, (self) => self.send("note", "rolled back"));
    const dueAt = (await box.ref.get(id))?.dueAt;
    expect(await box.inside(({ realStorage }) => realStorage.getAlarm())).toBe(dueAt);
  });
});

describe("G7 A run that ends in the middle of another request's transaction", () => {
  /** A handler that waits for a promise, which only the transaction of a request settles. */
  async function settledInTransaction(
    settle: (promise: PromiseWithResolvers<void>) => void,
    isDeclined: boolean,
    policy: Script["policy"] = {},
  ): Promise<Scripted> {
    const promise = Promise.withResolvers<void>();
    let runs = 0;
    const box = actor((self) => ({
      receive: {
        note: () => {},
        work: async () => {
          runs += 1;
          if (runs === 1) await promise.promise;
          self.send("note", "sent by it");
        },
      },
      policy: { backoff: 1, ...policy },
    }));
    await box.ref.send("work", undefined);
    await until(() => runs === 1, "the run");
    await box.inside((self) =>
      self.state.storage
        .transaction(async () => {
          self.state.storage.kv.put("written", 1);
          settle(promise);
          await aWhile();
          if (isDeclined) throw new Error("declined");
        })
        .catch(() => {}),
    );
    await quiet(box);
    return box;
  }

  it.each([true, false])(
    "is acknowledged once, with what it sent, whether that is rolled back: %s",
    async (is) => {
      const box = await settledInTransaction((promise) => promise.resolve(), is);
      expect(box.eventsOf("delivered").map(({ type }) => type)).toEqual(["work", "note"]);
      expect(await box.inside((self) => self.state.storage.kv.get("written"))).toBe(is ? undefined : 1);
    },
  );

  it.each([true, false])("has failed once, whether that is rolled back: %s", async (is) => {
    const box = await settledInTransaction((promise) => promise.reject(new Error("no")), is);
    expect(box.eventsOf("attemptFailed").map(({ attempt }) => attempt)).toEqual([1]);
    expect(box.eventsOf("delivered").map(({ type, attempt }) => [type, attempt])).toEqual([
      ["work", 2],
      ["note", 1],
    ]);
  });

  it("becomes a dead letter that stays, though that is rolled back", async () => {
    const box = await settledInTransaction((promise) => promise.reject(new Error("no")), true, {
      maxAttempts: 1,
    });
    expect((await box.ref.deadLetters()).items).toMatchObject([
      { type: "work", errors: [{ message: "no" }] },
    ]);
  });
});

describe("G7 A handler in its own transaction", () => {
  it("is acknowledged when that has ended, though nobody waits for it", async () => {
    const steps: string[] = [];
    const box = actor((self) => ({
      receive: {
        work: async () => {
          void self.state.storage
            .transaction(async () => {
              steps.push("begun");
              await aWhile();
              steps.push("rolled back");
              throw new Error("no");
            })
            .catch(() => {});
          await scheduler.wait(1);
        },
      },
      settings: { onEvent: ({ event }) => void steps.push(event) },
    }));
    await box.ref.send("work", undefined);
    await until(() => steps.includes("delivered"), "the delivery");
    expect(steps).toEqual(["accepted", "begun", "rolled back", "delivered"]);
    expect(await box.ref.stats()).toMatchObject({ pending: 0 });
  });
});

describe("G7 A verb that waits", () => {
  const verbs: Readonly<Record<string, (self: ScriptedActor) => Promise<unknown>>> = {
    redriveAll: (self) => self.mailbox.redriveAll(),
    purgeAll: (self) => self.mailbox.purgeAll(),
    destroy: (self) => self.mailbox.destroy(),
    "a ref's cancel": (self) => self.other("somebody").cancel("nothing"),
    "a ref's reschedule": (self) => self.other("somebody").reschedule("nothing", Date.now()),
    "a ref's get": (self) => self.other("somebody").get({ type: "note", key: "k" }),
    "a ref's stats": (self) => self.other("somebody").stats(),
    "a ref's redrive": (self) => self.other("somebody").redrive("nothing"),
  };

  it.each(Object.entries(verbs))("is refused in an open transaction: %s", async (_, verb) => {
    const box = actor({ receive: { note: () => {} } });
    await box.inside(async (self) => {
      const { storage } = self.state;
      const id = self.sendIn("1 hour", "note", 1);
      await storage.transaction(() => expect(verb(self)).rejects.toThrow(RefusedInTransactionError));
      let answered: Promise<unknown> | undefined;
      storage.transactionSync(() => void (answered = verb(self)));
      await expect(answered).rejects.toMatchObject({ code: "refused_in_transaction" });
      expect(self.mailbox.get(id), "and nothing was done").toBeDefined();
      await verb(self);
    });
  });

  it("is refused before anything was taken out of the outbox", async () => {
    const box = actor({ receive: {} });
    await box.inside(async (self) => {
      const other = self.other("somebody else");
      await self.state.storage.transaction(async () => {
        const id = other.sendIn("1 hour", "note", 1);
        await expect(other.cancel(id)).rejects.toThrow(RefusedInTransactionError);
      });
    });
    expect((await box.ref.outbox()).items).toHaveLength(1);
  });
});

describe("Events", () => {
  it("that are raised while a handler runs are told meanwhile, not when it has ended", async () => {
    const { box, goOn } = await waiting({ receive: { note: () => {} } });
    await box.ref.cancel(await box.ref.sendIn("1 hour", "note", 1));
    await until(() => box.eventsOf("cancelled").length > 0, "the event");
    expect(box.eventsOf("delivered")).toEqual([]);
    goOn();
    await quiet(box);
  });

  it("of a transaction are told when it has committed", async () => {
    const { box, goOn } = await waiting({ receive: { note: () => {} } });
    const seen: number[] = [];
    await box.inside((self) =>
      self.state.storage.transaction(async () => {
        self.sendIn("1 hour", "note", 1);
        await aWhile();
        seen.push(box.eventsOf("accepted").length);
      }),
    );
    await until(() => box.eventsOf("accepted").length === 2, "the event");
    expect(seen).toEqual([1]);
    goOn();
  });
});
