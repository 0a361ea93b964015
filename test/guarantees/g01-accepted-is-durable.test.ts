import { describe, expect, it } from "vitest";
import { actor, crashAll, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";

const HOUR = 3_600_000;

/** An actor that notes what it is given. */
function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({ receive: { note: (payload) => void noted.push(payload) } });
  return { box, noted };
}

async function pendingIds(box: Scripted): Promise<string[]> {
  return (await box.ref.pending()).items.map((item) => item.id);
}

describe("G1 Accepted is durable", () => {
  startClockAfterEach();

  it("keeps a message through a kill that follows the answer of its ref at once", async () => {
    stopClock();
    const { box, noted } = noter();
    const id = await box.ref.sendIn("1 hour", "note", "kept");
    await crashAll();
    expect(await pendingIds(box)).toEqual([id]);
    moveClock(HOUR);
    await box.drain();
    expect(noted).toEqual(["kept"]);
  });

  it("keeps all messages of a sendAll through a kill", async () => {
    stopClock();
    const { box } = noter();
    const ids = await box.ref.sendAll(
      Array.from({ length: 300 }, (_, n) => ({ type: "note", payload: n, in: "1 hour" })),
    );
    await crashAll();
    expect(await pendingIds(box)).toEqual(ids.slice(0, 100));
    expect((await box.ref.stats()).pending).toBe(300);
  });

  it("keeps every message that was answered, of many that come at once and share commits", async () => {
    stopClock();
    const { box } = noter();
    await box.ref.stats();
    // The kill comes while the sends of a second lot wait for the commit of the first.
    const answered: string[] = [];
    const sends = Array.from({ length: 200 }, async (_, n) => {
      const id = await box.ref.sendIn("1 hour", "note", n);
      answered.push(id);
      if (answered.length === 50) await crashAll();
    });
    await Promise.allSettled(sends);
    expect(answered.length).toBeGreaterThanOrEqual(50);
    const waiting: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await box.ref.pending(cursor === undefined ? {} : { cursor });
      waiting.push(...page.items.map(({ id }) => id));
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    // Each once, and in the order in which they were sent.
    expect(new Set(waiting).size).toBe(waiting.length);
    expect(waiting.filter((id) => answered.includes(id))).toHaveLength(answered.length);
    expect(waiting).toEqual(waiting.toSorted());
  });

  for (const [how, guard] of Object.entries<
    (self: ScriptedActor, n: number, next: () => Promise<string>) => Promise<string>
  >({
    "blockConcurrencyWhile around each": (self, _, next) => self.state.blockConcurrencyWhile(next),
    "blockConcurrencyWhile around every other": (self, n, next) =>
      n % 2 === 0 ? next() : self.state.blockConcurrencyWhile(next),
    "a transaction around every other": (self, n, next) =>
      n % 2 === 0 ? next() : self.state.storage.transaction(next),
  })) {
    it(`takes all that come at once when their object puts ${how}`, async () => {
      const noted: unknown[] = [];
      let calls = 0;
      const box = actor((self) => ({
        receive: { note: (payload) => void noted.push(payload) },
        onCall: (_, next) => guard(self, (calls += 1), next),
      }));
      await Promise.all(Array.from({ length: 30 }, (_, n) => box.ref.send("note", n)));
      await until(() => noted.length === 30);
    });
  }

  it("refuses one of those that come at once, and takes the others", async () => {
    stopClock();
    const { box } = noter();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => box.ref.sendIn("1 hour", n % 5 === 4 ? "unknown" : "note", n)),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(16);
    expect((await box.ref.pending()).items.map(({ payload }) => payload)).toEqual(
      Array.from({ length: 20 }, (_, n) => n).filter((n) => n % 5 !== 4),
    );
  });

  it("keeps what a request sent from inside, once the request has ended", async () => {
    stopClock();
    const { box } = noter();
    const id = await box.inside((self) => self.sendIn("1 hour", "note", "kept"));
    await crashAll();
    expect(await pendingIds(box)).toEqual([id]);
  });

  it("delivers after a kill by itself: the wake is part of the message's commit", async () => {
    const { box, noted } = noter();
    await box.ref.sendIn(400, "note", "kept");
    await crashAll();
    await until(() => noted.length > 0);
    expect(noted).toEqual(["kept"]);
  });

  it("delivers after an eviction by itself", async () => {
    const { box, noted } = noter();
    await box.ref.sendIn(400, "note", "kept");
    await box.evict();
    await until(() => noted.length > 0);
    expect(noted).toEqual(["kept"]);
  });

  it("delivers to the new code after a deploy", async () => {
    const { box } = noter();
    const byNewCode: unknown[] = [];
    await box.ref.sendIn(1_500, "note", "kept");
    box.deploy({ receive: { note: (payload) => void byNewCode.push(payload) } });
    await box.evict();
    await until(() => byNewCode.length > 0);
    expect(byNewCode).toEqual(["kept"]);
  });

  it("keeps what the constructor sent", async () => {
    stopClock();
    const box = actor({
      receive: { note: () => {} },
      construct: (self) => void self.sendIn("1 hour", "note", "first", { key: "first" }),
    });
    await box.inside(() => {});
    await crashAll();
    expect((await box.ref.pending()).items).toMatchObject([{ payload: "first", key: "first" }]);
  });

  it("wakes for the first thing that a new object does, whatever it is", async () => {
    const first: Record<string, (self: ScriptedActor, to: string) => unknown> = {
      send: (self) => self.send("note", 1),
      sendAll: (self) => self.sendAll([{ type: "note", payload: 1 }]),
      outbox: (self, to) => self.other(to).send("note", 1),
      sendEvery: (self) => self.sendEvery("1 second", "note", 1, { startAt: new Date() }),
    };
    for (const [name, verb] of Object.entries(first)) {
      const { box, noted } = noter();
      const other = noter();
      await box.inside((self) => void verb(self, other.box.name));
      await until(() => noted.length + other.noted.length > 0, name);
      await box.ref.cancel("every:note:");
    }
  });

  describe("a send from a request while an async handler is in flight", () => {
    async function inFlight(): Promise<{ box: Scripted }> {
      let runs = 0;
      const box = actor((self) => ({
        receive: {
          hang: async () => {
            runs += 1;
            if (runs > 1) return;
            self.sendIn("1 hour", "note", "of the handler");
            await new Promise(() => {});
          },
          note: () => {},
        },
      }));
      await box.ref.send("hang", undefined);
      await until(() => runs === 1);
      return { box };
    }

    it("is durable when its ref answers, not when the handler ends", async () => {
      const { box } = await inFlight();
      const id = await box.ref.sendIn("1 hour", "note", "of the request");
      await box.kill();
      const { items } = await box.ref.pending({ type: "note" });
      expect(items).toMatchObject([{ id, payload: "of the request" }]);
    });

    it("is durable when it was made inside the object", async () => {
      const { box } = await inFlight();
      const id = await box.inside((self) => self.sendIn("1 hour", "note", "of the request"));
      await box.kill();
      const { items } = await box.ref.pending({ type: "note" });
      expect(items).toMatchObject([{ id, payload: "of the request" }]);
    });

    it("leaves the handler's own message in the mailbox, to be delivered again", async () => {
      const { box } = await inFlight();
      await box.kill();
      await until(() => box.eventsOf("delivered").some(({ type }) => type === "hang"));
      expect(box.eventsOf("accepted").map(({ type }) => type)).toEqual(["hang"]);
    });
  });

  describe("a transaction of a request", () => {
    const rollBack: Record<string, (self: ScriptedActor, state: DurableObjectState) => unknown> = {
      "transactionSync() that throws": (self, state) => {
        try {
          state.storage.transactionSync(() => {
            self.send("note", "rolled back");
            throw new Error("roll back");
          });
        } catch {
          // Meant.
        }
      },
      "transaction() that rejects": (self, state) =>
        state.storage
          .transaction(async () => {
            self.send("note", "rolled back");
            await scheduler.wait(1);
            throw new Error("roll back");
          })
          .catch(() => {}),
      "txn.rollback()": (self, state) =>
        state.storage.transaction(async (txn) => {
          self.send("note", "rolled back");
          await scheduler.wait(1);
          txn.rollback();
        }),
    };

    it.for(Object.entries(rollBack))(
      "that is rolled back, by %s, takes its send with it, and a later send is delivered",
      async ([, roll]) => {
        const { box, noted } = noter();
        await box.inside(async (self, state) => {
          await roll(self, state);
          self.send("note", "later");
        });
        await until(() => noted.length > 0);
        expect(noted).toEqual(["later"]);
        expect(box.eventsOf("accepted")).toHaveLength(1);
      },
    );

    it.for(Object.entries(rollBack))(
      "that is rolled back, by %s, leaves the wake of what was there before",
      async ([, roll]) => {
        const { box, noted } = noter();
        await box.ref.sendIn(300, "note", "before");
        await box.inside(roll);
        await until(() => noted.length > 0);
        expect(noted).toEqual(["before"]);
      },
    );

    it("keeps what is sent after txn.rollback() in what is left of its closure", async () => {
      const { box, noted } = noter();
      await box.inside(async (self, state) => {
        await state.storage.transaction(async (txn) => {
          self.send("note", "rolled back");
          txn.rollback();
          self.send("note", "after");
          await scheduler.wait(1);
        });
      });
      await until(() => noted.length > 0);
      expect(noted).toEqual(["after"]);
    });

    it("that commits is delivered", async () => {
      const { box, noted } = noter();
      await box.inside(async (self, state) => {
        state.storage.transactionSync(() => self.send("note", "sync"));
        await state.storage.transaction(async () => {
          self.send("note", "async");
          await scheduler.wait(1);
        });
      });
      await until(() => noted.length === 2);
      expect(noted).toEqual(["sync", "async"]);
    });

    it("loses only what its inner one sent when that is rolled back", async () => {
      const { box, noted } = noter();
      await box.inside((self, state) => {
        state.storage.transactionSync(() => {
          self.send("note", "outer, before");
          expect(() =>
            state.storage.transactionSync(() => {
              self.send("note", "inner");
              throw new Error("roll back");
            }),
          ).toThrow("roll back");
          self.send("note", "outer, after");
        });
      });
      await until(() => noted.length === 2);
      expect(noted).toEqual(["outer, before", "outer, after"]);
    });

    it("can be the first thing that a new object does, and be rolled back with the tables", async () => {
      const { box, noted } = noter();
      await box.inside((self, state) => {
        expect(() =>
          state.storage.transactionSync(() => {
            self.send("note", "rolled back");
            throw new Error("roll back");
          }),
        ).toThrow("roll back");
      });
      await crashAll();
      await box.ref.send("note", "later");
      await until(() => noted.length > 0);
      expect(noted).toEqual(["later"]);
    });
  });
});
