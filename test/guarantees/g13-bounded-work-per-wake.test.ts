import { beforeAll, describe, expect, it } from "vitest";
import type { MailboxStats } from "../../mailbox/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { costOf, installMeter } from "../support/meter.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const HOUR = 3_600_000;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const notes = (count: number): { type: string; payload: number }[] =>
  numbers(count).map((payload) => ({ type: "note", payload }));

/** What of some work is left, as other requests see it that get in while a drain goes on. */
async function seenDuring(box: Scripted, left: (stats: MailboxStats) => number): Promise<Set<number>> {
  const seen = new Set<number>();
  let isOver = false;
  const drained = box.drain().finally(() => (isOver = true));
  while (!isOver) {
    seen.add(left(await box.ref.stats()));
    // Else the local runtime, which answers at once, would do nothing but answer.
    await scheduler.wait(1);
  }
  await drained;
  return seen;
}

describe("G13 A backlog", () => {
  startClockAfterEach();

  it("of any size drains in pages, in order", async () => {
    stopClockAhead();
    const noted: unknown[] = [];
    const box = actor({ receive: { note: (n) => void noted.push(n) } });
    await box.inside((self) => {
      for (let n = 0; n < 3; n += 1) self.sendAll(notes(10_000));
    });
    await box.drain();
    expect(noted).toEqual([...numbers(10_000), ...numbers(10_000), ...numbers(10_000)]);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, nextWake: undefined });
  });

  it("lets other requests in between its pages", async () => {
    stopClockAhead();
    // Five milliseconds each: a page ends after 50.
    const box = actor({ receive: { note: () => void moveClock(5) } });
    await box.inside((self) => self.sendAll(notes(1_000)));
    const seen = await seenDuring(box, ({ pending }) => pending);
    expect([...seen].filter((pending) => pending > 0 && pending < 1_000).length).toBeGreaterThan(4);
  });

  it("lets a message that is sent meanwhile take its place", async () => {
    stopClockAhead();
    const noted: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (n) => {
          noted.push(n);
          if (n === 500) self.sendLater(Date.now() - 1, "note", "urgent");
        },
      },
    }));
    await box.ref.sendAll(notes(1_000));
    await box.drain();
    expect(noted).toHaveLength(1_001);
    expect(noted[501]).toBe("urgent");
  });

  it("of slow sync handlers lets other requests in after at most one of them", async () => {
    stopClockAhead();
    const box = actor({
      receive: {
        note: (n) => {
          if (Number(n) > 300) moveClock(60);
        },
      },
    });
    await box.ref.sendAll(notes(320));
    const seen = await seenDuring(box, ({ pending }) => pending);
    // The slow ones are the last nineteen, in the middle of what would be one page of 256.
    const between = [...seen].filter((pending) => pending > 0 && pending < 19);
    expect(between.length).toBeGreaterThan(4);
  });

  for (const isAsync of [false, true]) {
    const kind = isAsync ? "async" : "sync";

    it(`goes on in the next wake when one of ${kind} handlers has taken ten seconds`, async () => {
      stopClockAhead();
      const noted: unknown[] = [];
      const note = (n: unknown): void => {
        noted.push(n);
        if (Number(n) >= 300) moveClock(1_000);
      };
      const box = actor({ receive: { note: isAsync ? async (n: unknown) => note(n) : note } });
      await box.ref.sendAll(notes(325));
      await box.drain();
      expect(noted).toHaveLength(310);
      expect(await box.ref.stats()).toMatchObject({ pending: 15, nextWake: expect.any(Number) as number });
      expect(await box.inside(({ realStorage }) => realStorage.getAlarm())).toBe(Date.now() + 1);
      await box.drain();
      expect(noted).toHaveLength(320);
      await box.drain();
      expect(noted).toEqual(numbers(325));
    });
  }
});

describe("G13 A page is bounded in bytes", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  /** The most rows that one statement of some work has read. */
  async function mostRead(work: () => Promise<unknown>): Promise<number> {
    const { statements } = await costOf(work);
    return Math.max(...statements.map(({ read }) => read));
  }

  const PAYLOAD = "x".repeat(400_000);

  it("for messages", async () => {
    stopClockAhead();
    let runs = 0;
    const box = actor({ receive: { note: () => void (runs += 1) } });
    await box.ref.sendAll(numbers(8).map(() => ({ type: "note", payload: PAYLOAD })));
    await box.inside((self) => self.sendAll(numbers(32).map(() => ({ type: "note", payload: PAYLOAD }))));
    expect(await mostRead(() => box.drain())).toBeLessThanOrEqual(4);
    expect(runs).toBe(40);
  });

  it("for recurrences, and in order with messages", async () => {
    const now = stopClockAhead();
    const order: unknown[] = [];
    const box = actor({ receive: { note: (_, { dueAt, id }) => void order.push([dueAt, id.slice(0, 6)]) } });
    for (const n of numbers(12)) {
      await box.ref.sendEvery("1 hour", "note", PAYLOAD, { key: `k${n}`, startAt: now + n * 2, times: 1 });
      await box.ref.sendLater(now + n * 2 + 1, "note", n);
    }
    moveClock(60_000);
    await box.drain();
    expect(order.map((entry) => (entry as [number])[0])).toEqual(numbers(24).map((n) => now + n));
    expect(await box.ref.stats()).toMatchObject({ pending: 0 });
  });

  it("for the list of what is pending, which loses nothing at its cuts", async () => {
    const now = stopClockAhead();
    const box = actor({ receive: { note: () => {} } });
    const ids: string[] = [];
    for (const n of numbers(6)) {
      ids.push(await box.ref.sendLater(now + HOUR + n * 10, "note", PAYLOAD));
      const key = "k".repeat(1 + (n % 3)) + "1".repeat(n % 2);
      const startAt = now + HOUR + n * 10 - (n % 2);
      const recurrence = await box.ref.sendEvery("1 hour", "note", PAYLOAD, { key, startAt });
      ids.push(`${recurrence}@${startAt}`);
    }
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await box.ref.pending(cursor === undefined ? {} : { cursor });
      expect(page.items.length).toBeLessThanOrEqual(6);
      found.push(...page.items.map(({ id }) => id));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(found.toSorted()).toEqual(ids.toSorted());
    expect(new Set(found).size).toBe(12);
  });

  it("for recurrences of one due time, whatever their keys, one a page", async () => {
    const now = stopClockAhead();
    const box = actor({ receive: { note: () => {} } });
    const startAt = now + HOUR;
    const keys = ["a", "a1", "a-", "a.b", "ab", "A", "é", "a:b", "a@1", "!", "~"];
    for (const key of keys) await box.ref.sendEvery("1 hour", "note", 1, { key, startAt });
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await box.ref.pending({ limit: 1, ...(cursor === undefined ? {} : { cursor }) });
      found.push(...page.items.map(({ id }) => id));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(found).toEqual(found.toSorted());
    expect(new Set(found).size).toBe(keys.length);
  });
});

describe("G13 Upkeep is bounded", () => {
  startClockAfterEach();

  it("releases many parked messages in pages, between which requests get in", async () => {
    stopClockAhead();
    let noted = 0;
    const box = actor({ receive: { note: () => void (noted += 1) } });
    await box.ref.sendAll(notes(2_500));
    box.deploy({ receive: {} });
    await box.evict();
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ parked: 2_500 });
    box.deploy({ receive: { note: () => void (noted += 1) } });
    await box.evict();
    const seen = await seenDuring(box, ({ parked }) => parked);
    expect([...seen].some((parked) => parked > 0 && parked < 2_500)).toBe(true);
    expect(noted).toBe(2_500);
    expect(box.eventsOf("released")).toEqual([{ event: "released", type: "note", count: 2_500 }]);
  });

  it("deletes dead letters over the count in pages, and goes on until they are gone", async () => {
    stopClockAhead();
    const fail = (): void => {
      throw new Error("no");
    };
    const box = actor({ policy: { maxAttempts: 1 }, receive: { note: fail } });
    await box.ref.sendAll(notes(2_500));
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 2_500 });
    box.deploy({
      policy: { maxAttempts: 1 },
      receive: { note: fail },
      settings: { retention: { count: 10 } },
    });
    await box.evict();
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1_500, nextWake: Date.now() });
    await box.drain();
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 10 });
    expect((await box.ref.deadLetters()).items.map(({ payload }) => payload)).toEqual(
      numbers(10).map((n) => 2_499 - n),
    );
  });
});
