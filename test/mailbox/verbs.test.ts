import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor that notes what it is given, and a failing type beside. */
function noter(): { box: Scripted; seen: unknown[] } {
  const seen: unknown[] = [];
  const box = actor({
    receive: {
      note: (payload) => void seen.push(payload),
      other: () => {},
      doomed: {
        maxAttempts: 1,
        handle: (payload) => {
          throw new Error(`no ${String(payload)}`);
        },
      },
    },
  });
  return { box, seen };
}

/** The same verbs, as promises, from outside and from inside. */
type Verbs = Pick<
  Scripted["ref"],
  "send" | "sendLater" | "sendIn" | "sendEvery" | "sendAll" | "get" | "cancel"
>;

function insideVerbs(box: Scripted): Verbs {
  const call =
    <A extends unknown[], R>(verb: (self: ScriptedActor) => (...args: A) => R) =>
    (...args: A): Promise<R> =>
      box.inside((self) => verb(self)(...args));
  return {
    send: call((self) => self.send),
    sendLater: call((self) => self.sendLater),
    sendIn: call((self) => self.sendIn),
    sendEvery: call((self) => self.sendEvery),
    sendAll: call((self) => self.sendAll),
    cancel: call((self) => self.cancel),
    get: call((self) => (which) => self.mailbox.get(which)),
  } as Verbs;
}

describe.each<["a ref" | "the actor", (box: Scripted) => Verbs]>([
  ["a ref", (box) => box.ref],
  ["the actor", insideVerbs],
])("the sends of %s", (_, verbsOf) => {
  startClockAfterEach();

  it("are due now, at a moment, or after a delay", async () => {
    const now = stopClock();
    const { box } = noter();
    const verbs = verbsOf(box);
    const due = async (id: string): Promise<number | undefined> => (await verbs.get(id))?.dueAt;
    await box.ref.pause();
    expect(await due(await verbs.send("note", 1))).toBe(now);
    expect(await due(await verbs.sendLater(new Date(now + HOUR), "note", 1))).toBe(now + HOUR);
    expect(await due(await verbs.sendLater(now + HOUR, "note", 1))).toBe(now + HOUR);
    expect(await due(await verbs.sendLater(now - HOUR, "note", 1))).toBe(now - HOUR);
    expect(await due(await verbs.sendIn("90 minutes", "note", 1))).toBe(now + 1.5 * HOUR);
    expect(await due(await verbs.sendIn(1500.2, "note", 1))).toBe(now + 1501);
    expect(await due(await verbs.sendIn(0, "note", 1))).toBe(now);
  });

  it("answer the ids of a sendAll in the order of its entries, each with its own time and options", async () => {
    const now = stopClock();
    const { box } = noter();
    const verbs = verbsOf(box);
    const ids = await verbs.sendAll([
      { type: "note", payload: 3, in: "3 hours" },
      { type: "other", payload: 1, at: now + HOUR, key: "k" },
      { type: "note", payload: 2, in: "2 hours", expires: "1 minute" },
    ]);
    expect((await box.ref.pending()).items.map((item) => item.payload)).toEqual([1, 2, 3]);
    expect(await verbs.get(ids[1] ?? "")).toMatchObject({ type: "other", key: "k", dueAt: now + HOUR });
    expect(await verbs.get(ids[2] ?? "")).toMatchObject({ expiresAt: now + 2 * HOUR + 60_000 });
    expect(await verbs.sendAll([])).toEqual([]);
  });

  it("declare recurrences with an id that is known without asking", async () => {
    const now = stopClock();
    const { box } = noter();
    const verbs = verbsOf(box);
    const id = await verbs.sendEvery("1 hour", "note", 1, { key: "a:b" });
    expect(id).toBe("every:note:a%3Ab");
    expect(await verbs.sendEvery("1 hour", "note", 1, { key: "a:b" })).toBe(id);
    expect(await verbs.get(`${id}@${now + HOUR}`)).toMatchObject({ recurrence: id, dueAt: now + HOUR });
    expect(await verbs.cancel(id)).toBe(true);
    expect(await verbs.cancel(id)).toBe(false);
  });
});

describe("expires", () => {
  startClockAfterEach();

  it("counts from the due time, or is a moment, and keeps a message from being taken up after it", async () => {
    const now = stopClock();
    const { box, seen } = noter();
    const late = await box.ref.sendIn("1 hour", "note", "late", { expires: "1 minute" });
    const inTime = await box.ref.sendIn("1 hour", "note", "in time", { expires: new Date(now + 2 * HOUR) });
    moveClock(HOUR + 60_001);
    await box.drain();
    expect(seen).toEqual(["in time"]);
    expect(await box.ref.get(inTime)).toBeUndefined();
    expect(await box.ref.deadLetter(late)).toMatchObject({ reason: "expired", attempts: 0, errors: [] });
  });

  it("lets a message through at its very end", async () => {
    stopClock();
    const { box, seen } = noter();
    await box.ref.sendIn("1 hour", "note", "just", { expires: "1 minute" });
    moveClock(HOUR + 60_000);
    await box.drain();
    expect(seen).toEqual(["just"]);
  });
});

describe("reschedule", () => {
  startClockAfterEach();

  it("gives a waiting message another time, earlier or later, by id or by key", async () => {
    const now = stopClock();
    const { box, seen } = noter();
    const id = await box.ref.sendIn("1 hour", "note", "a");
    await box.ref.sendIn("2 hours", "note", "b", { key: "k" });
    expect(await box.ref.reschedule(id, now + 3 * HOUR)).toBe(true);
    expect(await box.ref.reschedule({ type: "note", key: "k" }, new Date(now))).toBe(true);
    await box.drain();
    expect(seen).toEqual(["b"]);
    expect(await box.ref.get(id)).toMatchObject({ dueAt: now + 3 * HOUR });
    expect((await box.ref.stats()).nextWake).toBe(now + 3 * HOUR);
  });

  it("answers false for what does not wait", async () => {
    const now = stopClock();
    const { box } = noter();
    const id = await box.ref.send("note", 1);
    await box.drain();
    expect(await box.ref.reschedule(id, now)).toBe(false);
    expect(await box.ref.reschedule("nonsense", now)).toBe(false);
    expect(await box.ref.reschedule({ type: "note", key: "none" }, now)).toBe(false);
  });
});

describe("the pages", () => {
  startClockAfterEach();

  it("of pending go through everything once, in due order, of one type or of all", async () => {
    const now = stopClock();
    const { box } = noter();
    const times = [5, 3, 9, 1, 7, 2, 8, 4, 6, 10];
    await box.ref.sendAll(
      times.map((n) => ({ type: n % 2 === 0 ? "note" : "other", payload: n, at: now + n * HOUR })),
    );
    await box.ref.sendEvery({ cron: "30 * * * *" }, "note", "every");
    const found: unknown[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await box.ref.pending({ limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.items.length).toBeLessThanOrEqual(3);
      found.push(...page.items.map((item) => item.payload));
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    expect(found.filter((payload) => payload !== "every")).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(found.filter((payload) => payload === "every")).toHaveLength(1);
    const notes = await box.ref.pending({ type: "other" });
    expect(notes.items.map((item) => item.payload)).toEqual([1, 3, 5, 7, 9]);
  });

  it("of dead letters go from the newest to the oldest", async () => {
    stopClock();
    const { box } = noter();
    for (const n of [1, 2, 3, 4, 5]) {
      await box.ref.send("doomed", n);
      await box.drain();
      moveClock(1_000);
    }
    const first = await box.ref.deadLetters({ limit: 2 });
    const second = await box.ref.deadLetters({ limit: 2, cursor: first.cursor ?? "" });
    const third = await box.ref.deadLetters({ limit: 2, cursor: second.cursor ?? "" });
    const payloads = [first, second, third].map((page) => page.items.map((letter) => letter.payload));
    expect(payloads).toEqual([[5, 4], [3, 2], [1]]);
    expect(third.cursor).toBeUndefined();
  });

  it("of recurrences say rule, next, last, counts and end", async () => {
    const now = stopClock(Date.UTC(2026, 10, 24, 9));
    const { box } = noter();
    await box.ref.sendEvery("1 hour", "note", 1, { times: 2 });
    await box.ref.sendEvery({ cron: "0 9 * * 1", timeZone: "Europe/Berlin" }, "other", 1, { key: "weekly" });
    moveClock(HOUR);
    await box.drain();
    const { items } = await box.ref.recurrences();
    expect(items).toMatchObject([
      {
        id: "every:note:",
        nextAt: now + 2 * HOUR,
        lastAt: now + HOUR,
        delivered: 1,
        dead: 0,
        skipped: 0,
        ended: false,
      },
      {
        id: "every:other:weekly",
        key: "weekly",
        nextAt: Date.UTC(2026, 10, 30, 8),
        delivered: 0,
        ended: false,
      },
    ]);
    expect(items[1]?.rule).toContain("Europe/Berlin");
    moveClock(HOUR);
    await box.drain();
    const ended = (await box.ref.recurrences({ limit: 1 })).items[0];
    expect(ended).toMatchObject({ ended: true, delivered: 2 });
    expect(ended).not.toHaveProperty("nextAt");
  });

  it("of the outbox say target, tries and time", async () => {
    stopClock();
    const { box } = noter();
    const page = await box.inside((self) => {
      self.other("target-of-verbs").sendIn("1 hour", "note", 1);
      return self.mailbox.outbox();
    });
    expect(page.items).toMatchObject([{ type: "note", target: "ACTORS/target-of-verbs", tries: 0 }]);
    expect(page).not.toHaveProperty("cursor");
  });
});

describe("stats", () => {
  startClockAfterEach();

  it("count what is there, and what this instance did", async () => {
    const now = stopClock();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", 1);
    await box.ref.sendEvery("2 hours", "other", 1);
    await box.ref.send("doomed", 1);
    await box.drain();
    await box.ref.sendLater(now - 5_000, "note", 2);
    expect(await box.ref.stats()).toMatchObject({
      pending: 3,
      due: 1,
      overdueMs: 5_000,
      leased: 0,
      parked: 0,
      outbox: 0,
      deadLetters: 1,
      paused: false,
      delivered: 0,
      failed: 1,
    });
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ due: 0, overdueMs: 0, nextWake: now + HOUR, delivered: 1 });
  });
});
