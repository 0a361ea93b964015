import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { expectNoMore } from "../support/no-more.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor whose first attempts fail, or defer, and that counts them all. */
function flaky(failures: number, how: "throw" | "defer" = "throw"): { box: Scripted; runs: () => number } {
  let runs = 0;
  const box = actor({
    policy: { maxAttempts: 2, backoff: "10 minutes" },
    receive: {
      work: (_, delivery) => {
        runs += 1;
        if (runs > failures) return;
        if (how === "throw") throw new Error("no");
        delivery.defer(HOUR);
      },
    },
  });
  return { box, runs: () => runs };
}

describe("G11 Cancel is exact, by the id that the send gave", () => {
  startClockAfterEach();

  it("while the message waits for its time", async () => {
    stopClockAhead();
    const { box, runs } = flaky(0);
    const id = await box.ref.sendIn("1 hour", "work", undefined);
    expect(await box.ref.cancel(id)).toBe(true);
    expect(await box.ref.cancel(id)).toBe(false);
    expect(box.eventsOf("cancelled")).toEqual([{ event: "cancelled", id, type: "work" }]);
    await expectNoMore(box, runs);
    expect(runs()).toBe(0);
  });

  it("while it is due and nobody has taken it up", async () => {
    stopClockAhead();
    const { box, runs } = flaky(0);
    const id = await box.inside((self) => {
      const sent = self.send("work", undefined);
      expect(self.cancel(sent)).toBe(true);
      return sent;
    });
    expect(await box.ref.get(id)).toBeUndefined();
    await expectNoMore(box, runs);
    expect(runs()).toBe(0);
  });

  it("after a failed attempt, and after it was sent again with the same id", async () => {
    stopClockAhead();
    const { box, runs } = flaky(1);
    const id = await box.ref.send("work", undefined);
    await box.drain();
    expect(await box.ref.get(id)).toMatchObject({ attempts: 1 });
    expect(await box.ref.cancel(id)).toBe(true);
    await expectNoMore(box, runs);
    expect(runs()).toBe(1);
  });

  it("after a defer", async () => {
    stopClockAhead();
    const { box, runs } = flaky(1, "defer");
    const id = await box.ref.send("work", undefined);
    await box.drain();
    expect(await box.ref.cancel(id)).toBe(true);
    await expectNoMore(box, runs);
    expect(runs()).toBe(1);
  });

  it("after a reschedule, to earlier, to later and back to where it was", async () => {
    for (const times of [[30], [90], [90, 60]]) {
      const now = stopClockAhead();
      const { box, runs } = flaky(0);
      const id = await box.ref.sendIn("60 minutes", "work", undefined);
      for (const minutes of times) expect(await box.ref.reschedule(id, now + minutes * 60_000)).toBe(true);
      expect(await box.ref.cancel(id)).toBe(true);
      await expectNoMore(box, runs);
      expect(runs()).toBe(0);
    }
  });

  it("after a redrive, and after all of these", async () => {
    stopClockAhead();
    const { box, runs } = flaky(100);
    const id = await box.ref.sendIn("1 hour", "work", undefined);
    await box.ref.reschedule(id, Date.now());
    await box.drain();
    moveClock(HOUR);
    await box.drain();
    // A dead letter is not in the mailbox: it is purged, not cancelled.
    expect(await box.ref.cancel(id)).toBe(false);
    expect(await box.ref.redrive(id)).toBe(true);
    await box.drain();
    await box.ref.reschedule(id, Date.now() + 2 * HOUR);
    await box.evict();
    expect(await box.ref.get(id)).toMatchObject({ id, attempts: 1 });
    expect(await box.ref.cancel(id)).toBe(true);
    await expectNoMore(box, runs);
    expect(runs()).toBe(3);
  });

  it("while it is parked, and when it was released", async () => {
    stopClockAhead();
    for (const isReleased of [false, true]) {
      const { box, runs } = flaky(0);
      const id = await box.ref.sendIn("1 hour", "work", undefined);
      moveClock(HOUR);
      box.deploy({ receive: {} });
      await box.evict();
      await box.drain();
      expect(await box.ref.get(id)).toMatchObject({ state: "parked" });
      if (isReleased) {
        await box.ref.pause();
        box.deploy({ receive: { work: () => void expect.unreachable() } });
        await box.evict();
        await box.drain();
        expect(await box.ref.get(id)).toMatchObject({ state: "waiting" });
        await box.ref.resume();
      }
      expect(await box.ref.cancel(id)).toBe(true);
      await expectNoMore(box, runs);
    }
  });

  it("when the sender's clock was ahead of the receiver's", async () => {
    const now = stopClockAhead();
    const { box, runs } = flaky(0);
    moveClock(HOUR);
    // Its id is made at once; the object takes it up when the clock is back.
    const sending = box.ref.send("work", undefined);
    moveClock(-HOUR);
    const id = await sending;
    expect(await box.ref.get(id)).toMatchObject({ id, dueAt: now, sentAt: now + HOUR });
    expect(await box.ref.cancel(id)).toBe(true);
    await expectNoMore(box, runs);
  });

  it("of a message sent by a sendAll, and no other of them", async () => {
    stopClockAhead();
    const { box, runs } = flaky(0);
    const ids = await box.ref.sendAll(
      Array.from({ length: 20 }, () => ({ type: "work", payload: undefined })),
    );
    const victims = ids.filter((_, n) => n % 2 === 0);
    for (const id of victims) await box.ref.cancel(id);
    await box.drain();
    expect(runs()).toBe(10);
    await expectNoMore(box, runs);
  });

  it("is no wider than the one message: false for ids that are unknown, malformed or of others", async () => {
    stopClockAhead();
    const { box } = flaky(0);
    const { box: other } = flaky(0);
    const id = await box.ref.sendIn("1 hour", "work", undefined);
    const foreign = await other.ref.sendIn("1 hour", "work", undefined);
    const ids: unknown[] = [
      foreign,
      "",
      "x",
      id.slice(0, -1),
      `${id}0`,
      id.toUpperCase(),
      ` ${id}`,
      `${id}\0`,
      "every:",
      "every:work:",
      "every:work:@5",
      "every:work:@x",
      "every:@@",
      "%",
      "🐙".repeat(1_000),
      "'; DROP TABLE _mailbox_envelopes; --",
      undefined,
      null,
      7,
      {},
      { type: "work" },
      { key: "k" },
      { type: "work", key: "k" },
      { type: 1, key: 2 },
      [],
    ];
    for (const which of ids) {
      expect(await box.ref.cancel(which as string), String(which)).toBe(false);
      await box.inside((self) => {
        expect(self.cancel(which as string)).toBe(false);
        expect(self.mailbox.get(which as string)).toBeUndefined();
        expect(self.mailbox.reschedule(which as string, new Date())).toBe(false);
      });
    }
    expect((await box.ref.pending()).items).toMatchObject([{ id }]);
    expect(box.eventsOf("cancelled")).toEqual([]);
  });

  it("holds through an eviction right after it answered", async () => {
    stopClockAhead();
    const { box, runs } = flaky(0);
    const id = await box.ref.sendIn("1 hour", "work", undefined);
    expect(await box.ref.cancel(id)).toBe(true);
    await box.evict();
    await expectNoMore(box, runs);
    expect(runs()).toBe(0);
  });
});
