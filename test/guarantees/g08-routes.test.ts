// What an outbox keeps in memory of its targets: it must not lose count of what waits, whatever is rolled
// back meanwhile, and lets nobody wait for ever.

import { describe, expect, it } from "vitest";
import { batchOf } from "../support/batches.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

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
