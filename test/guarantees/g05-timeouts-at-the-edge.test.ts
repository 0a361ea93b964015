// A drain gives a handler a few turns of the microtask queue before it waits for it with a timer. A
// handler may end in any of those turns.

import { describe, expect, it } from "vitest";
import { actor } from "../support/scripted.ts";

describe("G5 The timeout of a handler that ends in some turn of the microtask queue", () => {
  it("is over with it: its signal is not aborted later, and what it left behind may still send", async () => {
    const TURNS = 34;
    const signals = new Map<unknown, AbortSignal>();
    const refused: unknown[] = [];
    const left: Promise<void>[] = [];
    const box = actor((self) => ({
      policy: { timeout: 60, maxAttempts: 1 },
      receive: {
        note: () => {},
        turns: async (n, { signal }) => {
          signals.set(n, signal);
          left.push(
            scheduler.wait(150).then(() => {
              try {
                self.sendIn("1 day", "note", n);
              } catch (error) {
                refused.push([n, error]);
              }
            }),
          );
          for (let turn = 0; turn < Number(n); turn += 1) await Promise.resolve();
        },
      },
    }));
    await box.ref.sendAll(Array.from({ length: TURNS }, (_, payload) => ({ type: "turns", payload })));
    await box.drain();
    await box.inside(() => Promise.all(left).then(() => {}));
    expect(box.eventsOf("delivered")).toHaveLength(TURNS);
    expect([...signals].filter(([, { aborted }]) => aborted)).toEqual([]);
    expect(refused).toEqual([]);
  });
});
