// G7, in the user's transactions: one that is rolled back takes back exactly what was done in it.

import { describe, expect, it } from "vitest";
import { aWhile } from "../support/a-while.ts";
import { actor, until } from "../support/scripted.ts";

describe("G7 A transaction of a handler that is rolled back", () => {
  type Roll = (storage: DurableObjectStorage, act: () => void) => Promise<void>;
  /** Each way to roll one back. */
  const ways: Readonly<Record<string, Roll>> = {
    "transactionSync, by a throw": async (storage, act) => {
      expect(() =>
        storage.transactionSync(() => {
          act();
          throw new Error("back");
        }),
      ).toThrow("back");
    },
    "transaction, by a throw": async (storage, act) => {
      await expect(
        storage.transaction(async () => {
          act();
          await scheduler.wait(1);
          throw new Error("back");
        }),
      ).rejects.toThrow("back");
    },
    "transaction, by rollback()": (storage, act) =>
      storage.transaction(async (txn) => {
        act();
        await scheduler.wait(1);
        txn.rollback();
      }),
    "one inside another, by the outer one": async (storage, act) => {
      await expect(
        storage.transaction(async () => {
          await storage.transaction(async () => act());
          storage.transactionSync(() => {});
          throw new Error("back");
        }),
      ).rejects.toThrow("back");
    },
    "one inside another, by the inner one": (storage, act) =>
      storage.transaction(async () => {
        await expect(
          storage.transaction(async () => {
            act();
            throw new Error("back");
          }),
        ).rejects.toThrow("back");
      }),
  };

  it.each(Object.entries(ways))(
    "takes back what was sent, cancelled and rescheduled in it, and no more: %s",
    async (_, roll) => {
      const at = Date.now() + 3_600_000;
      const box = actor((self) => ({
        receive: {
          note: () => {},
          work: async () => {
            const cancelled = self.sendLater(at + 1, "note", "cancelled in it");
            const moved = self.sendLater(at + 2, "note", "rescheduled in it");
            const keyed = self.sendLater(at + 3, "note", "replaced in it", { key: "k" });
            await roll(self.state.storage, () => {
              const inside = self.sendLater(at + 4, "note", "sent in it");
              self.mailbox.reschedule(inside, at + 5);
              expect(self.cancel(cancelled)).toBe(true);
              expect(self.mailbox.reschedule(moved, at + 6)).toBe(true);
              self.sendLater(at + 7, "note", "sent in it", { key: "k", ifPending: "replace" });
              expect(self.mailbox.get(keyed)).toBeUndefined();
              self.sendEvery("1 hour", "note", "sent in it");
            });
            self.sendLater(at + 8, "note", "sent after it");
          },
        },
      }));
      await box.ref.send("work", undefined);
      await until(() => box.eventsOf("delivered").length + box.eventsOf("attemptFailed").length > 0);
      expect(box.eventsOf("attemptFailed")).toEqual([]);
      const { items } = await box.ref.pending();
      expect(items.map(({ payload, dueAt }) => [payload, dueAt - at])).toEqual([
        ["cancelled in it", 1],
        ["rescheduled in it", 2],
        ["replaced in it", 3],
        ["sent after it", 8],
      ]);
    },
  );

  it("keeps the order of what it puts back", async () => {
    const noted: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload) => void noted.push(payload),
        work: async () => {
          const [first] = [1, 2, 3].map((n) => self.send("note", n));
          await self.state.storage
            .transaction(async () => {
              self.cancel(first ?? "");
              throw new Error("back");
            })
            .catch(() => {});
        },
      },
    }));
    await box.ref.send("work", undefined);
    await until(() => noted.length === 3);
    expect(noted).toEqual([1, 2, 3]);
  });

  it("leaves alone what its handler does beside it", async () => {
    const box = actor((self) => ({
      receive: {
        note: () => {},
        work: async () => {
          const before = self.sendIn("1 hour", "note", "cancelled beside it");
          const inside = Promise.withResolvers<void>();
          const over = self.state.storage
            .transaction(async () => {
              self.sendIn("1 hour", "note", "sent in it");
              inside.resolve();
              await aWhile();
              throw new Error("back");
            })
            .catch(() => {});
          self.sendIn("1 hour", "note", "sent beside it, before");
          await inside.promise;
          self.sendIn("1 hour", "note", "sent beside it");
          self.cancel(before);
          await over;
        },
      },
    }));
    await box.ref.send("work", undefined);
    await until(() => box.eventsOf("delivered").length > 0);
    expect((await box.ref.pending()).items.map(({ payload }) => payload)).toEqual([
      "sent beside it, before",
      "sent beside it",
    ]);
  });
});
