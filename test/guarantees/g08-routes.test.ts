// What an outbox keeps in memory of its routes: it must not lose count of what waits, whatever is rolled back
// meanwhile or changed behind its back, and lets nobody wait for ever.

import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { OutboxFullError } from "../../actors/index.ts";
import { batchOf } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { costOf, installMeter, shown } from "../support/meter.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

beforeAll(installMeter);

const outboxOf = async (box: Scripted): Promise<number> =>
  (await box.inside((self) => self.mailbox.stats())).outbox;

/** A transaction of somebody else, which fails. */
function rollBack(self: ScriptedActor): void {
  try {
    self.state.storage.transactionSync(() => {
      throw new Error("mine");
    });
  } catch {
    // Meant.
  }
}

const many = (count: number): { type: string; payload: unknown }[] =>
  Array.from({ length: count }, (_, n) => ({ type: "note", payload: n }));

describe("G8 what waits in an outbox is sent to its last row", () => {
  it("also when a transaction of another request is rolled back while a batch is on its way", async () => {
    const seen: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    let calls = 0;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: async (call, next) => {
        if (batchOf(call) !== undefined && (calls += 1) === 1) await gate.promise;
        return next();
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).sendAll(many(250)));
    await until(() => calls === 1);
    await from.inside(rollBack);
    gate.resolve();
    await until(async () => (await outboxOf(from)) === 0);
    await until(() => seen.length === 250);
    expect(seen).toEqual(many(250).map(({ payload }) => payload));
  });

  it("also when a handler's send is taken back after a transaction in it was rolled back", async () => {
    const seen: unknown[] = [];
    let isUp = false;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      settings: { maxPending: 2 },
      onCall: (call, next) => {
        if (batchOf(call) !== undefined && !isUp) throw new Error("down");
        return next();
      },
    });
    const from = actor((self) => ({
      receive: {
        go: () => {
          self.other(to.name).send("note", 2);
          rollBack(self);
          return Promise.resolve();
        },
      },
    }));
    await from.inside((self) => void self.other(to.name).sendAll(many(2)));
    await until(async () => (await from.inside((self) => self.mailbox.outbox())).items[0]?.tries);
    await from.ref.send("go", undefined);
    await until(async () => (await from.ref.stats()).pending === 0);
    isUp = true;
    await until(() => seen.length === 3, "the last");
    expect(seen).toEqual([0, 1, 2]);
    await until(async () => (await outboxOf(from)) === 0);
  });

  it("also to a target that was full, while others always have something", async () => {
    const order: string[] = [];
    const noted = (name: string, waitMs: number, maxPending?: number): Scripted =>
      actor({
        receive: { note: () => {} },
        settings: maxPending === undefined ? {} : { maxPending },
        onCall: async (call, next) => {
          if (batchOf(call) !== undefined) {
            order.push(name);
            await scheduler.wait(waitMs);
          }
          return next();
        },
      });
    const full = noted("full", 0, 1);
    const busy = Array.from({ length: 6 }, () => noted("busy", 20));
    const from = actor({ receive: {} });
    await full.ref.pause();
    await from.inside((self) => void self.other(full.name).sendAll(many(2)));
    await until(() => order.includes("full"));
    await full.ref.resume();
    order.length = 0;
    await until(async () => {
      await from.inside((self) => {
        for (const { name } of busy) self.other(name).send("note", 1);
      });
      return order.includes("full");
    }, "a batch to the target that was full");
    expect(order).toContain("busy");
  });
});

describe("G8 what memory knows of the routes is compared with the disk once a wake", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  const nextWake = async (box: Scripted): Promise<number | undefined> =>
    (await box.inside((self) => self.mailbox.stats())).nextWake;

  /** A transaction by a handle that was taken before the mailbox was, which is rolled back. */
  function bypassed(self: ScriptedActor, act: () => unknown): void {
    try {
      self.realStorage.transactionSync(() => {
        act();
        throw new Error("mine");
      });
    } catch {
      // Meant.
    }
  }

  it("so rows that somebody has deleted are not asked for again and again", async () => {
    const to = actor({
      receive: {},
      onCall: (call, next) => (batchOf(call) === undefined ? next() : Promise.reject(new Error("down"))),
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", 1));
    await from.drain();
    expect(from.eventsOf("outboxFailed")).toHaveLength(1);
    await from.inside(({ realStorage: { sql } }) => void sql.exec("DELETE FROM _mailbox_outbox"));
    moveClock(5_000);
    const { written } = await costOf(() => from.drain());
    expect(written).toBeLessThan(5);
    expect(await nextWake(from)).toBeUndefined();
    expect(from.eventsOf("looping")).toEqual([]);
  });

  it("so a send that was rolled back behind the mailbox is asked for no more", async () => {
    const seen: unknown[] = [];
    const to = actor({ receive: { note: (payload) => void seen.push(payload) } });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.mailbox.stats();
      bypassed(self, () => self.other(to.name).send("note", "rolled back"));
    });
    const { written } = await costOf(() => from.drain());
    expect(written).toBeLessThan(5);
    expect(await nextWake(from)).toBeUndefined();
    await from.inside((self) => void self.other(to.name).send("note", "after"));
    await from.drain();
    await to.drain();
    expect(seen).toEqual(["after"]);
  });

  it("so a cancel that was rolled back behind the mailbox leaves nothing that is never sent", async () => {
    const seen: unknown[] = [];
    const to = actor({ receive: { note: (payload) => void seen.push(payload) } });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      const other = self.other(to.name);
      const id = other.send("note", "still there");
      bypassed(self, () => void other.cancel(id).catch(() => {}));
    });
    await from.drain();
    await to.drain();
    expect(seen).toEqual(["still there"]);
  });

  it("so its room is counted by what is there, not by the numbers that were given", async () => {
    const from = actor({ receive: {}, settings: { outbox: { maxRows: 5 } } });
    await from.inside((self) => {
      const other = self.other("nobody");
      const ids = many(5).map(({ payload }) => other.send("note", payload));
      for (const id of ids.slice(1, 3)) void other.cancel(id);
      expect(self.mailbox.stats().outbox).toBe(3);
    });
    await from.evict();
    await from.inside((self) => {
      const other = self.other("nobody");
      other.sendAll(many(2));
      expect(() => other.send("note", "one too many")).toThrow(OutboxFullError);
      expect(self.mailbox.stats().outbox).toBe(5);
    });
  });

  it("and not with each row: a handler that fails costs no more for a long outbox behind it", async () => {
    const from = actor({
      receive: {
        fails: {
          maxAttempts: 1,
          handle: () => {
            throw new Error("it fails");
          },
        },
      },
    });
    await from.inside(({ realStorage: { sql }, mailbox }) => {
      mailbox.stats();
      const target = JSON.stringify(["env:ACTORS", "name", "nobody"]);
      for (let n = 1; n <= 2_000; n += 1) {
        sql.exec(
          "INSERT INTO _mailbox_outbox VALUES (?, ?, ?, 'note', '{\"json\":1}', 1, NULL)",
          target,
          n,
          `id-${n}`,
        );
      }
      const later = Date.now() + 3_600_000;
      sql.exec(
        "INSERT INTO _mailbox_targets (target, epoch, last_n, batch_n, first_try, tries, next_try) VALUES (?, 'e', 2000, 100, ?, 3, ?)",
        target,
        later,
        later,
      );
    });
    await from.evict();
    await from.ref.send("fails", 1);
    const cost = await costOf(() => from.drain());
    expect(await from.inside((self) => self.mailbox.stats())).toMatchObject({
      deadLetters: 1,
      outbox: 2_000,
    });
    expect(cost.read, shown(cost)).toBeLessThan(200);
  });
});

describe("G8 an event of the outbox", () => {
  it("is told at once, also while a handler takes its time", async () => {
    const gate = Promise.withResolvers<void>();
    const to = actor({
      receive: {},
      onCall: (call, next) => (batchOf(call) === undefined ? next() : Promise.reject(new Error("down"))),
    });
    const from = actor({ receive: { slow: () => gate.promise } });
    await from.ref.send("slow", undefined);
    await until(async () => (await from.ref.pending()).items[0]?.state === "running");
    await from.inside((self) => void self.other(to.name).send("note", 1));
    await until(() => from.eventsOf("outboxFailed").length > 0);
    expect((await from.ref.pending()).items[0]?.state).toBe("running");
    gate.resolve();
  });
});
