import { describe, expect, it } from "vitest";
import { type Duration, NonRetryableError, RetryAfterError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

describe("G5 A failing message blocks nobody", () => {
  startClockAfterEach();

  it("waits for its backoff as a row, while all that is due is delivered", async () => {
    const now = stopClock();
    const seen: unknown[] = [];
    const box = actor({
      receive: {
        failing: {
          backoff: "1 hour",
          handle: () => {
            seen.push("failing");
            throw new Error("no");
          },
        },
        fine: (payload) => void seen.push(payload),
      },
    });
    const id = await box.ref.send("failing", undefined);
    for (const n of [1, 2, 3]) await box.ref.send("fine", n);
    await box.drain();
    expect(seen).toEqual(["failing", 1, 2, 3]);
    expect(await box.ref.get(id)).toMatchObject({ state: "waiting", attempts: 1, dueAt: now + 3_600_000 });
    await box.ref.send("fine", 4);
    await box.drain();
    expect(seen).toEqual(["failing", 1, 2, 3, 4]);
    expect((await box.ref.stats()).nextWake).toBe(now + 3_600_000);
  });

  it("grows its wait as its policy says, and does not lose count over an eviction", async () => {
    stopClock();
    const box = actor({
      receive: {
        failing: {
          maxAttempts: 5,
          backoff: { initial: "1 second", factor: 3, max: "20 seconds", jitter: 0 },
          handle: () => {
            throw new Error("no");
          },
        },
      },
    });
    const id = await box.ref.send("failing", undefined);
    const waits: number[] = [];
    for (let attempt = 1; attempt < 5; attempt += 1) {
      await box.drain();
      await box.evict();
      const wait = ((await box.ref.get(id))?.dueAt ?? 0) - Date.now();
      waits.push(wait);
      moveClock(wait);
    }
    expect(waits).toEqual([1_000, 3_000, 9_000, 20_000]);
    await box.drain();
    expect(await box.ref.deadLetter(id)).toMatchObject({ attempts: 5 });
  });

  const backoff = ["1 second", "3 seconds", "7 seconds"];
  const ways: readonly [how: string, send: (box: Scripted) => Promise<unknown>][] = [
    ["by a ref", (box) => box.ref.send("failing", 1, { backoff })],
    ["by a ref, with others", (box) => box.ref.sendAll([{ type: "failing", payload: 1, backoff }])],
    ["by the actor itself", (box) => box.inside((self) => self.send("failing", 1, { backoff }))],
    [
      "by another actor",
      (box) => {
        const sender = actor({ receive: {} });
        return sender
          .inside((self) => void self.other(box.name).send("failing", 1, { backoff }))
          .then(() => sender.drain());
      },
    ],
    [
      "as an occurrence",
      async (box) => {
        await box.ref.sendEvery("1 hour", "failing", 1, { backoff });
        moveClock(3_600_000);
      },
    ],
    [
      "as an occurrence that another actor has declared",
      async (box) => {
        const sender = actor({ receive: {} });
        await sender.inside(
          (self) => void self.other(box.name).sendEvery("1 hour", "failing", 1, { backoff }),
        );
        await sender.drain();
        moveClock(3_600_000);
      },
    ],
    [
      "as a dead letter that was redriven",
      async (box) => {
        const id = await box.ref.send("failing", "for good", { backoff });
        await box.drain();
        await box.ref.redrive(id, { payload: 1 });
      },
    ],
  ];
  it.each(ways)("waits as the list of its backoff says, sent %s", async (_, send) => {
    stopClockAhead();
    const box = actor({
      receive: {
        failing: (payload) => {
          throw payload === "for good" ? new NonRetryableError("no") : new Error("no");
        },
      },
    });
    await send(box);
    const waits: number[] = [];
    while (waits.length < 4) {
      await box.drain();
      await box.evict();
      const [waiting] = (await box.ref.pending()).items;
      waits.push((waiting?.dueAt ?? 0) - Date.now());
      moveClock(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual([1_000, 3_000, 7_000, 7_000]);
  });

  it("waits as long as its error asks, up to 30 days, whatever the backoff", async () => {
    const now = stopClock();
    const waits = [90_000, 1_500.5, 0, "30 days"];
    const box = actor({
      receive: {
        failing: {
          backoff: "7 seconds",
          handle: (wait) => {
            throw new RetryAfterError(wait as Duration);
          },
        },
      },
    });
    const ids = await box.ref.sendAll(waits.map((wait) => ({ type: "failing", payload: wait })));
    await box.drain();
    const due = await Promise.all(ids.map(async (id) => ((await box.ref.get(id))?.dueAt ?? 0) - now));
    // Not even what asks for no wait at all is attempted again in the same millisecond.
    expect(due).toEqual([90_000, 1_501, 1, 30 * 86_400_000]);
  });

  it("keeps a thousand failing messages from holding up one that is fine", async () => {
    const seen: unknown[] = [];
    const box = actor({
      receive: {
        failing: {
          maxAttempts: 2,
          backoff: "1 hour",
          handle: async () => {
            await Promise.resolve();
            throw new Error("no");
          },
        },
        fine: (payload) => void seen.push(payload),
      },
    });
    await box.ref.sendAll(Array.from({ length: 1_000 }, (_, n) => ({ type: "failing", payload: n })));
    await box.ref.send("fine", "through");
    await until(() => seen.length === 1, "the delivery behind a thousand failures");
    expect(seen).toEqual(["through"]);
  });

  it("holds the mailbox at most for its timeout when it never settles", async () => {
    const seen: unknown[] = [];
    const box = actor({
      receive: {
        hanging: { timeout: 100, maxAttempts: 1, handle: async () => new Promise(() => {}) },
        fine: (_, { dueAt }) => void seen.push(Date.now() - dueAt),
      },
    });
    await box.ref.pause();
    await box.ref.sendAll([
      { type: "hanging", payload: 1 },
      { type: "fine", payload: 2 },
    ]);
    await box.ref.resume();
    const lateness = await until(() => seen[0], "the delivery behind the one that hangs");
    expect(lateness).toBeGreaterThanOrEqual(100);
    expect(box.eventsOf("deadLettered")).toMatchObject([{ type: "hanging", reason: "timedOut" }]);
  });

  it("does not keep a request from being answered while it runs", async () => {
    const gate = { isOpen: false };
    const box = actor({
      receive: {
        slow: async () => {
          while (!gate.isOpen) await scheduler.wait(5);
        },
      },
    });
    const id = await box.ref.send("slow", undefined);
    await until(async () => (await box.ref.get(id))?.state === "running", "the slow handler");
    await box.ref.sendIn("1 hour", "slow", undefined);
    expect((await box.ref.stats()).pending).toBe(2);
    gate.isOpen = true;
    await until(async () => (await box.ref.get(id)) === undefined);
  });
});
