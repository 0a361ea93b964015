// What a handler sends waits in memory for its ack, whichever way the handler is written. Room for it is
// taken when it is sent, so that the ack, which comes too late to tell anybody, has nothing to refuse.

import { beforeAll, describe, expect, it } from "vitest";
import { OutboxFullError } from "../../actors/index.ts";
import { batchOf } from "../support/batches.ts";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { failOnce, installFaults } from "../support/faults.ts";
import { actor, type Scripted, type ScriptedActor } from "../support/scripted.ts";

/** An actor that takes no batch, so that the outbox of whoever sends to it keeps its rows. */
function deaf(): Scripted {
  return actor({
    receive: { note: () => {} },
    onCall: (call, next) => (batchOf(call) === undefined ? next() : Promise.reject(new Error("deaf"))),
  });
}

/** What an attempt was told by a send that may be refused. */
function told(send: () => unknown): unknown {
  try {
    send();
    return "taken";
  } catch (error) {
    return error;
  }
}

describe("G7 What an attempt has buffered", () => {
  startClockAfterEach();
  beforeAll(installFaults);

  for (const fails of [false, true]) {
    it(`has its room in the outbox, until the attempt has ${fails ? "failed" : "ended"}`, async () => {
      stopClockAhead();
      const to = deaf();
      const refusals: unknown[] = [];
      const note = (self: ScriptedActor): string => self.other(to.name).send("note", undefined);
      const box = actor((self) => ({
        policy: { maxAttempts: 1 },
        settings: { outbox: { maxRows: 5 } },
        receive: {
          work: async () => {
            for (let n = 0; n < 3; n += 1) note(self);
            await box.inside((other) => {
              for (let n = 0; n < 3; n += 1) refusals.push(told(() => note(other)));
            });
            refusals.push(told(() => note(self)));
            if (fails) throw new Error("failed");
          },
        },
      }));
      await box.ref.send("work", undefined);
      await box.drain();
      expect(refusals).toEqual(["taken", "taken", expect.any(OutboxFullError), expect.any(OutboxFullError)]);
      expect((await box.ref.stats()).outbox).toBe(fails ? 2 : 5);
      const last = await box.inside((self) => told(() => note(self)));
      expect(last).toEqual(fails ? "taken" : expect.any(OutboxFullError));
    });
  }

  it("is without all of a sendAll that failed in the middle, also when the handler goes on and answers a promise", async () => {
    stopClockAhead();
    let looks = 0;
    const box = actor((self) => ({
      receive: {
        work: () => {
          failOnce(
            self,
            ({ text }) => text.includes("AND key = ?") && (looks += 1) === 2,
            new Error("a statement that failed"),
          );
          const entries = ["a", "b", "c"].map((key) => ({ type: "note", payload: key, key, in: "1 day" }));
          expect(() => self.sendAll(entries)).toThrow("a statement that failed");
          self.sendIn("1 day", "note", "another");
          return scheduler.wait(1);
        },
        note: () => {},
      },
    }));
    await box.ref.send("work", undefined);
    await box.drain();
    expect(looks).toBeGreaterThan(1);
    expect((await box.ref.pending()).items).toMatchObject([{ payload: "another" }]);
  });
});
