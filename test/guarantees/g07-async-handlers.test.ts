import { describe, expect, it } from "vitest";
import { AttemptEndedError, AttemptFullError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor whose `work` is an async function, or a plain one, and that knows `note`. */
function worker(work: (self: ScriptedActor, id: string) => unknown, isPlain = false): Scripted {
  return actor((self) => ({
    policy: { maxAttempts: 1, timeout: 100 },
    receive: {
      work: isPlain ? (_, { id }) => work(self, id) : async (_, { id }) => work(self, id),
      note: () => {},
    },
  }));
}

async function deliver(box: Scripted): Promise<string> {
  const id = await box.ref.sendIn("1 hour", "work", undefined, { key: "own" });
  moveClock(HOUR);
  await box.drain();
  return id;
}

/** The actor that an actor of these tests sends to; it has no handlers, so it keeps what it is sent. */
function other(self: ScriptedActor): ReturnType<ScriptedActor["other"]> {
  return self.other(`${self.state.id.name ?? ""}-other`);
}

/** What waits in the mailbox, and what has been sent to the other actor. */
async function waiting(box: Scripted): Promise<unknown> {
  const elsewhere = await actor({ receive: {} }, `${box.name}-other`).ref.pending();
  return box.inside((self) => ({
    pending: self.mailbox.pending().items.map(({ type, payload }) => `${type} ${String(payload)}`),
    sent: [...self.mailbox.outbox().items, ...elsewhere.items].map(({ type }) => type),
    recurrences: self.mailbox.recurrences().items.map(({ id }) => id),
  }));
}

const NOTHING = { pending: [], sent: [], recurrences: [] };

/** One send of every kind. */
function sendAll(self: ScriptedActor): void {
  self.sendIn("1 day", "note", "sent");
  self.sendAll([{ type: "note", payload: "one of many", in: "1 day" }]);
  self.sendEvery("2 days", "note", "declared");
  other(self).sendIn("1 day", "note", "by the outbox");
}

describe("G7 Sends and ack of an async handler commit together", () => {
  startClockAfterEach();

  it("when it resolves, and not before", async () => {
    stopClock();
    const before: unknown[] = [];
    const box = worker(async (self, id) => {
      sendAll(self);
      await scheduler.wait(1);
      before.push(await waiting(box));
      before.push(self.mailbox.get(id)?.state);
    });
    await deliver(box);
    expect(before).toEqual([{ ...NOTHING, pending: ["work undefined"] }, "running"]);
    expect(await waiting(box)).toEqual({
      pending: ["note sent", "note one of many", "note declared"],
      sent: ["note"],
      recurrences: ["every:note:"],
    });
  });

  it("and are discarded when it fails, while its own writes stand", async () => {
    stopClock();
    const box = worker(async (self) => {
      sendAll(self);
      self.state.storage.kv.put("own", 1);
      await scheduler.wait(1);
      throw new Error("failed");
    });
    await deliver(box);
    expect(await waiting(box)).toEqual(NOTHING);
    expect(await box.inside((_, state) => state.storage.kv.get("own"))).toBe(1);
    expect(box.eventsOf("accepted")).toHaveLength(1);
  });

  it("and cancel, reschedule and get see what waits in the attempt's memory", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = worker(async (self) => {
      const dropped = self.sendIn("1 day", "note", "dropped");
      const moved = self.sendIn("1 day", "note", "moved", { key: "k" });
      await scheduler.wait(1);
      seen.push(self.mailbox.get(dropped)?.payload, self.cancel(dropped), self.mailbox.get(dropped));
      seen.push(self.mailbox.reschedule({ type: "note", key: "k" }, Date.now() + 5 * HOUR), moved);
    });
    await deliver(box);
    expect(seen.slice(0, 4)).toEqual(["dropped", true, undefined, true]);
    const { items } = await box.ref.pending();
    expect(items).toMatchObject([{ id: seen[4], payload: "moved", dueAt: Date.now() + 5 * HOUR }]);
  });

  it("and take nothing of a sendAll that is over the attempt's cap, but what was within it", async () => {
    stopClock();
    const errors: unknown[] = [];
    const box = worker(async (self) => {
      const entries = (count: number) =>
        Array.from({ length: count }, (_, n) => ({ type: "note", payload: n, in: "1 day" }));
      self.sendAll(entries(6_000));
      await scheduler.wait(1);
      try {
        self.sendAll(entries(6_000));
      } catch (error) {
        errors.push(error);
      }
      self.sendAll(entries(4_000));
    });
    await deliver(box);
    expect(errors[0]).toBeInstanceOf(AttemptFullError);
    expect((await box.ref.stats()).pending).toBe(10_000);
  });

  describe("a transaction inside it", () => {
    it("that is rolled back takes what was sent in it along, and a later send is delivered", async () => {
      stopClock();
      const box = worker(async (self) => {
        const { storage } = self.state;
        self.sendIn("1 day", "note", "before");
        expect(() =>
          storage.transactionSync(() => {
            self.sendIn("1 day", "note", "in transactionSync");
            throw new Error("roll back");
          }),
        ).toThrow("roll back");
        await expect(
          storage.transaction(async () => {
            self.sendIn("1 day", "note", "in transaction");
            await scheduler.wait(1);
            other(self).sendIn("1 day", "note", "in transaction");
            throw new Error("roll back");
          }),
        ).rejects.toThrow("roll back");
        await storage.transaction(async (txn) => {
          self.sendIn("1 day", "note", "before txn.rollback()");
          txn.rollback();
          self.sendIn("1 day", "note", "after txn.rollback()");
        });
        self.sendIn("1 day", "note", "later");
      });
      await deliver(box);
      expect(await waiting(box)).toEqual({
        ...NOTHING,
        pending: ["note before", "note after txn.rollback()", "note later"],
      });
      moveClock(24 * HOUR);
      await box.drain();
      expect(box.eventsOf("delivered")).toHaveLength(4);
    });

    it("that commits does not commit its sends before the ack", async () => {
      stopClock();
      const box = worker(async (self) => {
        await self.state.storage.transaction(async (txn) => {
          self.sendIn("1 day", "note", "in transaction");
          await txn.put("own", 1);
        });
        await self.state.blockConcurrencyWhile(async () => {
          self.sendIn("1 day", "note", "in blockConcurrencyWhile");
        });
        throw new Error("failed");
      });
      await deliver(box);
      expect(await waiting(box)).toEqual(NOTHING);
      expect(await box.inside((_, state) => state.storage.get("own"))).toBe(1);
    });
  });

  describe("of a plain function that returns a promise:", () => {
    it("the sends of its prefix wait for the ack, and its own writes in the prefix stand", async () => {
      stopClock();
      const seen: unknown[] = [];
      const box = worker((self) => {
        self.state.storage.kv.put("own", 1);
        sendAll(self);
        return waiting(box).then((value) => {
          seen.push(value);
          self.sendIn("1 day", "note", "after");
        });
      }, true);
      await deliver(box);
      expect(seen).toEqual([{ ...NOTHING, pending: ["work undefined"] }]);
      expect(await waiting(box)).toEqual({
        pending: ["note sent", "note one of many", "note after", "note declared"],
        sent: ["note"],
        recurrences: ["every:note:"],
      });
      expect(box.eventsOf("accepted").map(({ type }) => type)).toHaveLength(1 + 3);
    });

    it("a failure discards the sends of its prefix, and tells no event of them", async () => {
      stopClock();
      const box = worker((self) => {
        self.state.storage.kv.put("own", 1);
        sendAll(self);
        return Promise.reject(new Error("failed"));
      }, true);
      await deliver(box);
      expect(await waiting(box)).toEqual(NOTHING);
      expect(await box.inside((_, state) => state.storage.kv.get("own"))).toBe(1);
      expect(box.events.map(({ event }) => event)).toEqual(["accepted", "deadLettered"]);
    });

    it("what its prefix replaced is back when it fails, and replaced when it resolves", async () => {
      for (const fails of [true, false]) {
        stopClock();
        const box = worker((self) => {
          self.sendIn("1 day", "note", "new", { key: "k", ifPending: "replace" });
          self.sendIn("1 day", "note", "newer", { key: "k", ifPending: "replace" });
          self.sendIn("1 day", "note", "kept out", { key: "k" });
          self.sendEvery("5 days", "note", "changed", { key: "r" });
          return fails ? Promise.reject(new Error("failed")) : Promise.resolve();
        }, true);
        await box.ref.sendEvery("1 day", "note", "as it was", { key: "r" });
        const old = await box.ref.sendIn("2 days", "note", "old", { key: "k" });
        await deliver(box);
        const { items } = await box.ref.pending();
        if (fails) {
          expect(items).toMatchObject([{ payload: "as it was" }, { id: old, payload: "old" }]);
          expect(box.eventsOf("replaced")).toEqual([]);
        } else {
          expect(items).toMatchObject([{ payload: "newer" }, { payload: "changed" }]);
          // Of its own two, one was never enqueued.
          expect(box.eventsOf("replaced")).toMatchObject([{ id: old, by: items[0]?.id }]);
        }
        expect((await box.ref.recurrences()).items).toHaveLength(1);
      }
    });

    it("what its prefix sent and then rescheduled or cancelled stays so, once", async () => {
      stopClock();
      const box = worker(async (self) => {
        const cancelled = self.sendIn("1 day", "note", "cancelled");
        const moved = self.sendIn("1 day", "note", "moved");
        self.cancel(cancelled);
        self.mailbox.reschedule(moved, Date.now() + 5 * HOUR);
      }, false);
      const plain = worker((self) => {
        const cancelled = self.sendIn("1 day", "note", "cancelled");
        const moved = self.sendIn("1 day", "note", "moved");
        self.cancel(cancelled);
        self.mailbox.reschedule(moved, Date.now() + 5 * HOUR);
        return Promise.resolve();
      }, true);
      await deliver(box);
      await deliver(plain);
      for (const each of [box, plain]) {
        const { items } = await each.ref.pending();
        expect(items.map(({ payload }) => payload)).toEqual(["moved"]);
      }
      expect((await plain.ref.pending()).items[0]?.dueAt).toBe(Date.now() + 5 * HOUR);
    });

    it("a send in a transaction of its prefix that was rolled back does not come back", async () => {
      stopClock();
      const box = worker((self) => {
        self.sendIn("1 day", "note", "sent");
        try {
          self.state.storage.transactionSync(() => {
            self.sendIn("1 day", "note", "rolled back");
            other(self).sendIn("1 day", "note", "rolled back");
            throw new Error("roll back");
          });
        } catch {
          // Meant.
        }
        return Promise.resolve();
      }, true);
      await deliver(box);
      expect(await waiting(box)).toEqual({ ...NOTHING, pending: ["note sent"] });
    });
  });

  describe("what is left of an attempt", () => {
    it("that timed out is refused every verb, with AttemptEndedError", async () => {
      stopClock();
      const refusals = new Map<string, unknown>();
      const attempts: Record<string, (self: ScriptedActor) => unknown> = {
        send: (self) => self.send("note", "zombie"),
        sendAll: (self) => self.sendAll([{ type: "note", payload: "zombie" }]),
        sendEvery: (self) => self.sendEvery("1 day", "note", "zombie"),
        outbox: (self) => other(self).send("note", "zombie"),
        cancel: (self) => self.cancel("anything"),
        get: (self) => self.mailbox.get("anything"),
        stats: (self) => self.mailbox.stats(),
        pause: (self) => self.mailbox.pause(),
        redriveAll: (self) => self.mailbox.redriveAll(),
        "another's stats": (self) => other(self).stats(),
        "another's cancel": (self) => other(self).cancel("anything"),
      };
      const box = worker(async (self) => {
        self.sendIn("1 day", "note", "in time");
        await scheduler.wait(250);
        for (const [name, verb] of Object.entries(attempts)) {
          try {
            await verb(self);
            refusals.set(name, "was not refused");
          } catch (error) {
            refusals.set(name, error);
          }
        }
        refusals.set("end", true);
      });
      await deliver(box);
      await until(() => refusals.has("end"));
      refusals.delete("end");
      expect([...refusals.keys()]).toEqual(Object.keys(attempts));
      for (const error of refusals.values()) expect(error).toBeInstanceOf(AttemptEndedError);
      expect(await waiting(box)).toEqual(NOTHING);
    });

    it("that failed is refused as well", async () => {
      stopClock();
      const refusals: unknown[] = [];
      const left = async (self: ScriptedActor): Promise<void> => {
        await scheduler.wait(20);
        try {
          self.send("note", "zombie");
        } catch (error) {
          refusals.push(error);
        }
      };
      for (const work of [
        async (self: ScriptedActor) => {
          void left(self);
          await scheduler.wait(1);
          throw new Error("failed");
        },
        (self: ScriptedActor) => {
          void left(self);
          throw new Error("failed");
        },
      ]) {
        const box = worker(work, true);
        await deliver(box);
        await until(() => refusals.length > 0);
        expect(refusals.splice(0)).toMatchObject([{ name: "AttemptEndedError" }]);
        expect(await waiting(box)).toEqual(NOTHING);
      }
    });

    it("that completed sends for itself, at once", async () => {
      stopClock();
      const box = worker(async (self) => {
        self.state.waitUntil(scheduler.wait(20).then(() => self.sendIn("1 day", "note", "left over")));
      });
      await deliver(box);
      await until(async () => (await box.ref.stats()).pending === 1);
    });

    it("does not touch the next attempt, whose sends commit", async () => {
      let runs = 0;
      let refused = 0;
      const box = actor((self) => ({
        receive: {
          work: {
            timeout: 1_000,
            backoff: 1,
            handle: async () => {
              runs += 1;
              const run = runs;
              // The first goes on only when the second runs, and that one ends only then.
              while (run === 1 ? runs === 1 : refused === 0) await scheduler.wait(1);
              try {
                self.sendIn("1 day", "note", run);
              } catch (error) {
                if (error instanceof AttemptEndedError) refused = run;
              }
              await scheduler.wait(1);
            },
          },
          note: () => {},
        },
      }));
      await box.ref.send("work", undefined);
      await until(() => box.eventsOf("delivered").length === 1);
      expect(refused).toBe(1);
      expect((await box.ref.pending()).items).toMatchObject([{ payload: runs }]);
    });
  });
});
