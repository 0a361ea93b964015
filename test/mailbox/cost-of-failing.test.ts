// To fail is ordinary. So nothing is counted anew for it: what a rollback has taken back is again what it was.

import { beforeAll, describe, expect, it } from "vitest";
import { batchOf } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { costOf, installMeter, shown } from "../support/meter.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const MANY = 1_000;
/** Far less than one row for each of many. */
const FEW = 100;

const many = (type: string, more: object): { type: string; payload: number }[] =>
  Array.from({ length: MANY }, (_, n) => ({ type, payload: n, ...more }));

/** An actor whose `fail` does something and throws. */
function failing(fail: (self: ScriptedActor) => void = () => {}): Scripted {
  return actor((self) => ({
    policy: { maxAttempts: 1 },
    settings: { maxPending: 100_000, retention: { count: 100_000 } },
    receive: {
      note: () => {},
      fail: () => {
        fail(self);
        throw new Error("no");
      },
    },
  }));
}

const FAILURES: Readonly<Record<string, (box: Scripted) => Promise<unknown>>> = {
  "an attempt that throws": async (box) => {
    await box.ref.send("fail", 1);
    await box.drain();
  },
  "a transaction that is rolled back": (box) =>
    box.inside((self) => {
      expect(() =>
        self.state.storage.transactionSync(() => {
          self.sendIn("2 days", "note", 1);
          throw new Error("no");
        }),
      ).toThrow("no");
    }),
};

describe("What a failure costs", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  for (const [what, fails] of Object.entries(FAILURES)) {
    it(`is no count of what waits: a send after ${what} reads as little as one before`, async () => {
      stopClock();
      const box = failing((self) => {
        self.sendIn("2 days", "note", 1);
        self.cancel({ type: "note", key: "k" });
      });
      await box.ref.sendIn("2 days", "note", 1, { key: "k" });
      await box.inside((self) => self.sendAll(many("note", { in: "1 day" })));
      await box.ref.sendIn("1 day", "note", 1);
      await fails(box);
      const cost = await costOf(() => box.ref.sendIn("1 day", "note", 1));
      expect(cost.read, shown(cost)).toBeLessThan(FEW);
      // And what is known without a count is right.
      const free = 100_000 - (await box.ref.stats()).pending;
      await box.inside((self) => {
        for (let left = free; left > 0; left -= 10_000) {
          const some = { length: Math.min(left, 10_000) };
          self.sendAll(Array.from(some, () => ({ type: "note", payload: 1, in: "2 days" })));
        }
      });
      await expect(box.ref.sendIn("1 day", "note", 1)).rejects.toThrow("100000");
      expect(await box.ref.cancel({ type: "note", key: "k" })).toBe(true);
      await box.ref.sendIn("1 day", "note", 1);
    });
  }

  it("is no look at those for whom something waits in the outbox", async () => {
    stopClockAhead();
    const deaf = Array.from({ length: FEW }, () =>
      actor({
        receive: {},
        onCall: (call, next) => (batchOf(call) === undefined ? next() : Promise.reject(new Error("deaf"))),
      }),
    );
    const box = failing();
    await box.inside((self) => {
      for (const { name } of deaf) self.other(name).send("note", undefined);
    });
    await until(async () => {
      await box.drain();
      return (await box.ref.outbox()).items.every(({ tries }) => tries > 0);
    });
    const quiet = await costOf(() => box.drain());
    await box.ref.sendAll(Array.from({ length: 5 }, () => ({ type: "fail", payload: 1 })));
    const cost = await costOf(() => box.drain());
    expect(cost.read - quiet.read, shown(cost)).toBeLessThan(FEW);
  });

  it("is no count of the dead letters, and they are counted right", async () => {
    stopClockAhead();
    const box = actor({
      policy: { maxAttempts: 1 },
      settings: { retention: { count: MANY + 2 } },
      receive: {
        fail: () => {
          throw new Error("no");
        },
      },
    });
    await box.ref.sendAll(many("fail", {}));
    await box.drain();
    await box.ref.send("fail", 1);
    const cost = await costOf(() => box.drain());
    expect(cost.read, shown(cost)).toBeLessThan(FEW);
    for (let n = 0; n < 3; n += 1) await box.ref.send("fail", 1);
    await box.drain();
    expect((await box.ref.stats()).deadLetters).toBe(MANY + 2);
    expect(box.eventsOf("retentionDeleted")).toMatchObject([{ count: 2 }]);
    moveClock(1);
  });
});
