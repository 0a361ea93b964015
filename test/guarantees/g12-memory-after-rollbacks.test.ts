// What a mailbox knows in memory is a copy of rows. A transaction that is rolled back puts the rows back,
// and memory with them: else the mailbox would go on from what has never happened.

import { describe, expect, it } from "vitest";
import { MailboxFullError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** Does something, and looks at what has come of it, in a transaction that is rolled back. */
function rolledBack(box: Scripted, change: (self: ScriptedActor) => void): Promise<void> {
  return box.inside((self) => {
    expect(() =>
      self.state.storage.transactionSync(() => {
        change(self);
        self.mailbox.stats();
        throw new Error("the user's own");
      }),
    ).toThrow("the user's own");
  });
}

describe("G12 What memory knows goes back with a transaction", () => {
  startClockAfterEach();

  it("a recurrence whose cancel was rolled back runs on", async () => {
    stopClock();
    let ticks = 0;
    const box = actor({ receive: { tick: () => void (ticks += 1) } });
    const id = await box.ref.sendEvery("1 hour", "tick", undefined);
    await rolledBack(box, ({ mailbox }) => expect(mailbox.cancel(id)).toBe(true));
    moveClock(HOUR);
    await box.drain();
    expect(ticks).toBe(1);
  });

  it("a dead letter whose purge was rolled back goes at the end of its retention", async () => {
    stopClock();
    const box = actor({
      policy: { maxAttempts: 1 },
      settings: { retention: { age: "1 day" } },
      receive: { note: () => Promise.reject(new Error("no")) },
    });
    const id = await box.ref.send("note", undefined);
    await box.drain();
    await rolledBack(box, ({ mailbox }) => expect(mailbox.purge(id)).toBe(true));
    const { nextWake = Number.NaN } = await box.ref.stats();
    moveClock(nextWake - Date.now());
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 0, nextWake: undefined });
  });

  it("a message that is replaced is counted once, and one whose replacement failed too", async () => {
    stopClock();
    const replacing = (self: ScriptedActor, payload: string): string =>
      self.sendIn("2 hours", "note", payload, { key: "k", ifPending: "replace" });
    const box = actor((self) => ({
      settings: { maxPending: 3 },
      policy: { maxAttempts: 1 },
      receive: {
        note: () => {},
        // A plain function that answers a promise, which rejects: nothing of it stays.
        replacing: () => {
          replacing(self, "never");
          return Promise.reject(new Error("no"));
        },
      },
    }));
    const fill = async (payload: string): Promise<void> => {
      await box.ref.sendIn("1 hour", "note", payload);
      const refused = box.ref.sendIn("1 hour", "note", "one too many");
      await expect(refused).rejects.toBeInstanceOf(MailboxFullError);
    };
    await box.ref.sendIn("1 hour", "note", "first", { key: "k" });
    const second = await box.ref.sendIn("1 hour", "note", "second");
    await box.ref.send("replacing", undefined);
    await box.drain();
    await fill("third");
    await box.inside((self) => void replacing(self, "in place of the first"));
    expect(await box.ref.cancel(second)).toBe(true);
    await fill("fourth");
    const { items } = await box.ref.pending();
    expect(items.map(({ payload }) => payload)).toEqual(["third", "fourth", "in place of the first"]);
  });
});
