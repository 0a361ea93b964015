import { beforeAll, describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { failOnce, installFaults } from "../support/faults.ts";
import { costOf, installMeter } from "../support/meter.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** Writes dead letters of a type, as if they had died a moment ago. */
async function seedLetters(box: Scripted, count: number, type = "note", payload = "x"): Promise<void> {
  await box.inside((self) => {
    self.mailbox.pause();
    const { sql } = self.realStorage;
    const died = Date.now() - 1_000;
    for (let n = 0; n < count; n += 1) {
      const id = `0mx15385cl5-NLKle4-${n.toString(36).padStart(4, "0")}0`;
      sql.exec(
        `INSERT INTO _mailbox_dead_letters (id, died, type, payload, reason, attempts, due)
         VALUES (?, ?, ?, ?, 'exhausted', 1, ?)`,
        id,
        died,
        type,
        JSON.stringify({ json: payload }),
        died,
      );
    }
  });
}

const quiet = { retention: { count: 100_000 }, console: false, onEvent: () => {} };

beforeAll(installFaults);
beforeAll(installMeter);

describe("G13 The verbs that work in pages", () => {
  startClockAfterEach();

  /** How many letters there were each time the runtime looked after a timer while the verb worked. */
  async function lettersDuring(
    box: Scripted,
    verb: "redriveAll" | "purgeAll" | "destroy",
  ): Promise<Set<number>> {
    const seen = new Set<number>();
    await box.inside(async (self) => {
      const state = { isDone: false };
      const done = self.mailbox[verb]().then(() => {
        state.isDone = true;
      });
      while (!state.isDone) {
        await scheduler.wait(0);
        seen.add(self.mailbox.stats().deadLetters);
      }
      await done;
    });
    return seen;
  }

  for (const verb of ["redriveAll", "purgeAll", "destroy"] as const) {
    it(`let others in between their pages, and have timers and sockets looked after: ${verb}`, async () => {
      const box = actor({ receive: { note: () => {} }, settings: quiet });
      await seedLetters(box, 3_000);
      const seen = await lettersDuring(box, verb);
      expect([...seen].filter((letters) => letters > 0 && letters < 3_000).length).toBeGreaterThan(0);
      expect(await box.ref.stats()).toMatchObject({ deadLetters: 0 });
    });
  }

  it("read no payload that is only deleted", async () => {
    stopClock();
    const box = actor({ receive: { note: () => {} }, settings: quiet });
    await seedLetters(box, 150);
    const { statements } = await costOf(() => box.ref.purgeAll());
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 0 });
    const payloads = /\bpayload\b(?!\))/;
    expect(statements.map(({ text }) => text).filter((text) => payloads.test(text))).toEqual([]);
  });

  it("redriveAll puts back in one commit no more than a page of payloads holds", async () => {
    stopClock();
    const box = actor({ receive: { note: () => {} }, settings: quiet });
    await seedLetters(box, 12, "note", "x".repeat(300_000));
    const seen = await lettersDuring(box, "redriveAll");
    expect([...seen].filter((letters) => letters > 0 && letters < 12).length).toBeGreaterThan(0);
    expect(await box.ref.stats()).toMatchObject({ pending: 12, deadLetters: 0 });
  });

  it("redriveAll leaves what cannot go back, and throws what the platform throws", async () => {
    stopClock();
    const box = actor({ receive: { note: () => {} }, settings: quiet });
    await seedLetters(box, 1, "unknown");
    expect(await box.ref.redriveAll()).toBe(0);
    await box.ref.purgeAll();
    await seedLetters(box, 3);
    const rejected = await box.inside(async (self) => {
      failOnce(
        self,
        ({ text }) => text.includes("INSERT INTO _mailbox_envelopes"),
        new Error("database or disk is full: SQLITE_FULL"),
      );
      return self.mailbox.redriveAll().then(
        (count) => count,
        (error: unknown) => String(error),
      );
    });
    expect(rejected).toContain("SQLITE_FULL");
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 3, pending: 0 });
  });

  it("redriveAll leaves the letters of a target whose outbox is full, and puts the others back", async () => {
    stopClock();
    const box = actor({ receive: { note: () => {} }, settings: { ...quiet, outbox: { maxRows: 1 } } });
    await box.inside((self) => {
      const full = self.other("full");
      full.sendIn("1 hour", "note", "it waits");
    });
    await seedLetters(box, 2);
    await box.inside(({ realStorage: { sql } }) => {
      const { target } = sql.exec<{ target: string }>("SELECT target FROM _mailbox_outbox").one();
      sql.exec(
        "UPDATE _mailbox_dead_letters SET target = ?, reason = 'undeliverable' WHERE id LIKE '%00000'",
        target,
      );
    });
    expect(await box.ref.redriveAll()).toBe(1);
    expect((await box.ref.deadLetters()).items).toMatchObject([{ reason: "undeliverable" }]);
  });

  it("destroy lets go of a batch that is on its way: what is refused of it does not come back", async () => {
    let isOpen = false;
    let asked = 0;
    let answered = 0;
    const to = actor({
      receive: { note: () => {} },
      settings: { maxPayloadBytes: 50 },
      onCall: async (_, next) => {
        asked += 1;
        while (!isOpen) await scheduler.wait(1);
        return next().finally(() => {
          answered += 1;
        });
      },
    });
    const from = actor({ receive: { note: () => {} } });
    await from.inside((self) => void self.other(to.name).send("note", "x".repeat(100)));
    await until(() => asked > 0, "the batch");
    await from.inside((self) => self.mailbox.destroy());
    isOpen = true;
    await until(() => answered > 0, "its answer");
    await until(async () => (await from.ref.stats()).nextWake === undefined, "nothing to be done");
    expect(await from.ref.stats()).toMatchObject({ deadLetters: 0, outbox: 0 });
    expect(from.eventsOf("deadLettered")).toEqual([]);
    // The route goes on behind what was destroyed.
    await from.inside((self) => void self.other(to.name).send("note", "short"));
    await until(() => to.eventsOf("delivered").length === 1, "the message of after");
  });
});

describe("G13 What is parked", () => {
  startClockAfterEach();

  /** An actor with parked messages of two types, of which the code that runs knows none. */
  async function parked(counts: { readonly a: number; readonly b: number }): Promise<Scripted> {
    const box = actor({ receive: { a: () => {}, b: () => {} } });
    await box.inside((self) => {
      for (const type of ["a", "b"] as const) {
        for (let left = counts[type]; left > 0; left -= 500)
          self.sendAll(Array.from({ length: Math.min(left, 500) }, () => ({ type, payload: type, in: 10 })));
      }
    });
    box.deploy({ receive: { urgent: () => {} } });
    await box.evict();
    moveClock(20);
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ parked: counts.a + counts.b, due: 0 });
    return box;
  }

  it("is not read when an object starts, nor at its wakes", async () => {
    stopClockAhead();
    const box = await parked({ a: 300, b: 100 });
    await box.evict();
    expect((await costOf(() => box.ref.get("unknown"))).read).toBeLessThan(100);
    await box.ref.send("urgent", undefined);
    expect((await costOf(() => box.drain())).read).toBeLessThan(100);
  });

  it("is released a page at a time, and who is due meanwhile waits for no more than a page", async () => {
    stopClockAhead();
    const box = await parked({ a: 900, b: 100 });
    let parkedThen = 0;
    box.deploy((self) => ({
      receive: { a: () => {}, urgent: () => void (parkedThen = self.mailbox.stats().parked) },
    }));
    await box.evict();
    await box.ref.sendLater(Date.now() - 1_000, "urgent", undefined);
    await box.drain();
    expect(parkedThen).toBeGreaterThanOrEqual(900);
    expect(box.eventsOf("released")).toMatchObject([{ type: "a", count: 900 }]);
    expect(box.eventsOf("delivered").filter(({ type }) => type === "a")).toHaveLength(900);
    expect(await box.ref.stats()).toMatchObject({ parked: 100, pending: 100 });
  });

  it("is released over several wakes, when one of ten seconds is not enough", async () => {
    stopClockAhead();
    const box = await parked({ a: 900, b: 0 });
    let tookMs = 3_000;
    box.deploy({ receive: { a: () => void moveClock(tookMs), urgent: () => {} } });
    await box.evict();
    await box.drain();
    tookMs = 0;
    const left = await box.ref.stats();
    expect(left.parked).toBeGreaterThan(0);
    expect(left.nextWake).toBeLessThanOrEqual(Date.now() + 1);
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ parked: 0, pending: 0 });
    expect(box.eventsOf("released")).toHaveLength(2);
    expect(box.eventsOf("released").reduce((sum, { count }) => sum + count, 0)).toBe(900);
  });
});
