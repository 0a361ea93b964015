import { beforeAll, describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { costOf, installMeter, shown } from "../support/meter.ts";
import { actor, type Scripted } from "../support/scripted.ts";

/** Keeps what each delivery was of. */
function witness(): { box: Scripted; seen: string[] } {
  stopClock();
  const seen: string[] = [];
  const box = actor({
    receive: {
      note: (payload, { attempt, from }) =>
        void seen.push(`${String(payload)} ${attempt} ${from?.className}`),
      retried: (payload, { attempt }) => {
        if (attempt === 1) throw new Error("once more");
        seen.push(`${String(payload)} ${attempt}`);
      },
    },
    policy: { backoff: 1_000 },
  });
  return { box, seen };
}

describe("A page of due messages", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  it("has plain ones, keyed ones and such with options in the order of their times, each with what it has", async () => {
    const { box, seen } = witness();
    const past = Date.now() - 10_000;
    await box.inside((self) => {
      self.mailbox.pause();
      for (let n = 0; n < 300; n += 1) {
        const options = n % 50 === 7 ? { key: `k${n}` } : n % 50 === 9 ? { maxAttempts: 2 } : undefined;
        self.sendLater(past + n, n % 50 === 11 ? "retried" : "note", n, options);
      }
      self.mailbox.resume();
    });
    await box.drain();
    const first = Array.from({ length: 300 }, (_, n) => n).filter((n) => n % 50 !== 11);
    expect(seen).toEqual(first.map((n) => `${n} 1 undefined`));
    // And what failed comes again as what it is, with plain ones before and after it.
    seen.length = 0;
    await box.ref.sendLater(Date.now() + 500, "note", "before");
    await box.ref.sendLater(Date.now() + 2_000, "note", "after");
    moveClock(2_000);
    await box.drain();
    expect(seen).toEqual([
      "before 1 undefined",
      ...[11, 61, 111, 161, 211, 261].map((n) => `${n} 2`),
      "after 1 undefined",
    ]);
  });

  it("shows who sent those that came by an outbox, also among plain ones", async () => {
    const { box, seen } = witness();
    const sender = actor({ receive: {} });
    await box.ref.pause();
    await box.ref.send("note", "plain");
    await sender.inside((self) => void self.other(box.name).send("note", "sent"));
    await sender.drain();
    await box.ref.send("note", "plain too");
    await box.ref.resume();
    await box.drain();
    expect(seen.toSorted()).toEqual(["plain 1 undefined", "plain too 1 undefined", "sent 1 ScriptedActor"]);
  });

  it("reads a row that has more than a payload twice where plain ones were expected, and once after that", async () => {
    const { box } = witness();
    await box.ref.stats();
    await box.drain();
    const keyed = (count: number): Promise<void> =>
      box.inside((self) => {
        self.mailbox.pause();
        for (let n = 0; n < count; n += 1) self.send("note", n, { maxAttempts: 3 });
        self.mailbox.resume();
      });
    const readBy = (cost: Awaited<ReturnType<typeof costOf>>): number =>
      cost.statements
        .filter(({ text }) => text.startsWith("SELECT") && text.includes("payload"))
        .reduce((sum, { read }) => sum + read, 0);
    await keyed(111);
    // Pages of 1, 10 and 100: only the first expects plain ones.
    const cost = await costOf(() => box.drain());
    expect(readBy(cost), shown(cost)).toBe(111 + 1);
    await keyed(111);
    const again = await costOf(() => box.drain());
    expect(readBy(again), shown(again)).toBe(111);
  });
});
