// G11, in the user's transactions: a cancel takes effect when it commits.

import { describe, expect, it } from "vitest";
import { aWhile } from "../support/a-while.ts";
import { quiet } from "../support/batches.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

describe("G11 The cancel of a message that runs", () => {
  /** Cancels a running message in a request's transaction; answers what its handler saw by then, and in the end. */
  async function cancelledIn(
    transaction: (storage: DurableObjectStorage, cancel: () => void) => unknown,
    isRecurrence = false,
  ): Promise<{ box: Scripted; wasAborted: boolean; isAborted: boolean }> {
    let signal: AbortSignal | undefined;
    let isOver = false;
    const box = actor({
      receive: {
        work: async (_, delivery) => {
          ({ signal } = delivery);
          while (!isOver && !delivery.signal.aborted) await scheduler.wait(5);
          delivery.signal.throwIfAborted();
        },
      },
      policy: { maxAttempts: 1 },
    });
    const id = isRecurrence
      ? await box.ref.sendEvery("1 second", "work", undefined)
      : await box.ref.send("work", undefined);
    await until(() => signal);
    let wasAborted = false;
    await box.inside(async (self) => {
      await transaction(self.state.storage, () => {
        expect(self.cancel(id)).toBe(true);
        wasAborted = signal?.aborted === true;
      });
    });
    const isAborted = signal?.aborted === true;
    isOver = true;
    return { box, wasAborted, isAborted };
  }

  it.each([
    [
      "transactionSync",
      (storage: DurableObjectStorage, cancel: () => void): unknown => {
        try {
          return storage.transactionSync(() => {
            cancel();
            throw new Error("changed my mind");
          });
        } catch (error) {
          return error;
        }
      },
    ],
    [
      "transaction",
      (storage: DurableObjectStorage, cancel: () => void): unknown =>
        storage
          .transaction(async () => {
            cancel();
            await aWhile();
            throw new Error("changed my mind");
          })
          .catch(() => {}),
    ],
  ])("does nothing to its run when it is rolled back, by %s", async (_, transaction) => {
    for (const isRecurrence of [false, true]) {
      const { box, wasAborted, isAborted } = await cancelledIn(transaction, isRecurrence);
      expect([wasAborted, isAborted]).toEqual([false, false]);
      await until(() => box.eventsOf("delivered").length > 0);
      expect(box.eventsOf("cancelled")).toEqual([]);
      expect(box.eventsOf("deadLettered")).toEqual([]);
    }
  });

  it.each([
    [
      "transactionSync",
      (storage: DurableObjectStorage, cancel: () => void): unknown => storage.transactionSync(cancel),
    ],
    [
      "transaction",
      (storage: DurableObjectStorage, cancel: () => void): unknown =>
        storage.transaction(async () => {
          cancel();
          await aWhile();
        }),
    ],
    [
      "one in another",
      (storage: DurableObjectStorage, cancel: () => void): unknown =>
        storage.transaction(async () => {
          storage.transactionSync(cancel);
          await aWhile();
        }),
    ],
  ])("aborts its run when it has committed, and not before, by %s", async (_, transaction) => {
    const { box, wasAborted, isAborted } = await cancelledIn(transaction);
    expect([wasAborted, isAborted]).toEqual([false, true]);
    await quiet(box);
    await until(() => box.eventsOf("cancelled").length > 0);
    expect(box.eventsOf("deadLettered")).toEqual([]);
  });

  it("aborts it at once outside of a transaction", async () => {
    const { isAborted } = await cancelledIn((_, cancel) => cancel());
    expect(isAborted).toBe(true);
  });
});
