import { describe, expect, it } from "vitest";
import {
  InvalidPayloadError,
  NonRetryableError,
  PayloadTooLargeError,
  UnknownTypeError,
} from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, crashAll, type Scripted, type Script, until } from "../support/scripted.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A handler that fails until it is repaired. */
function repairable(policy: object = { maxAttempts: 1 }): {
  script: Script;
  seen: unknown[];
  repair: () => void;
} {
  const seen: unknown[] = [];
  let isBroken = true;
  return {
    seen,
    repair: () => {
      isBroken = false;
    },
    script: {
      receive: {
        note: {
          ...policy,
          handle: (payload, { id, attempt }) => {
            seen.push({ id, attempt, payload });
            if (isBroken) throw new TypeError(`attempt ${attempt} broke on order ${String(payload)}`);
          },
        },
        fine: () => {},
      },
    },
  };
}

/** Drains until nothing is left to attempt, moving the clock from wake to wake. */
async function exhaust(box: Scripted): Promise<void> {
  for (;;) {
    await box.drain();
    const { nextWake, pending } = await box.ref.stats();
    if (pending === 0 || nextWake === undefined) return;
    moveClock(nextWake - Date.now());
  }
}

describe("G9 Dead letters keep everything", () => {
  startClockAfterEach();

  it("keeps payload, reason, times, key and every attempt with what it threw", async () => {
    const now = stopClock();
    const { script } = repairable({ maxAttempts: 3, backoff: "10 seconds" });
    const box = actor(script);
    const id = await box.ref.send("note", new Map([["a", 1]]), { key: "k" });
    await exhaust(box);
    const letter = await box.ref.deadLetter(id);
    expect(letter).toMatchObject({
      id,
      type: "note",
      payload: new Map([["a", 1]]),
      reason: "exhausted",
      sentAt: now,
      diedAt: now + 20_000,
      attempts: 3,
      key: "k",
    });
    expect(letter?.errors).toMatchObject(
      [1, 2, 3].map((attempt) => ({
        attempt,
        startedAt: now + (attempt - 1) * 10_000,
        outcome: "threw",
        name: "TypeError",
        message: expect.stringContaining(`attempt ${attempt} broke`) as string,
        stack: expect.stringContaining("at ") as string,
      })),
    );
  });

  it("keeps the first attempt, the last nineteen, and the number of all", async () => {
    stopClock();
    const { script } = repairable({ maxAttempts: 50, backoff: "1 second" });
    const box = actor(script);
    const id = await box.ref.send("note", 7);
    await exhaust(box);
    const letter = await box.ref.deadLetter(id);
    expect(letter?.attempts).toBe(50);
    expect(letter?.errors.map((record) => record.attempt)).toEqual([
      1,
      ...Array.from({ length: 19 }, (_, n) => n + 32),
    ]);
  });

  it("names the reason by how the last attempt ended", async () => {
    stopClock();
    const box = actor({
      receive: {
        rejected: () => {
          throw new NonRetryableError("never");
        },
        exhausted: {
          maxAttempts: 1,
          handle: () => {
            throw new Error("no");
          },
        },
        timedOut: { maxAttempts: 1, timeout: 20, handle: async () => new Promise(() => {}) },
        expired: () => {},
      },
    });
    for (const type of ["rejected", "exhausted", "timedOut"]) await box.ref.send(type, type);
    await box.ref.sendIn("1 hour", "expired", "expired", { expires: 0 });
    moveClock(2 * HOUR);
    await box.drain();
    const { items } = await box.ref.deadLetters();
    expect(
      items
        .map((letter) => [letter.type, letter.reason])
        .toSorted(([a = ""], [b = ""]) => a.localeCompare(b)),
    ).toEqual([
      ["exhausted", "exhausted"],
      ["expired", "expired"],
      ["rejected", "rejected"],
      ["timedOut", "timedOut"],
    ]);
  });

  it("survives a kill, and is not delivered again by itself", async () => {
    const { script, seen } = repairable();
    const box = actor(script);
    const id = await box.ref.send("note", 1);
    await until(() => box.eventsOf("deadLettered").length === 1);
    await crashAll();
    expect(await box.ref.deadLetter(id)).toMatchObject({ payload: 1 });
    await box.drain();
    expect(seen).toHaveLength(1);
  });

  it("goes back with its id, its history and its policy, and its attempts start again", async () => {
    stopClock();
    const { script, seen, repair } = repairable({});
    const box = actor(script);
    const id = await box.ref.send("note", 1, { maxAttempts: 2, backoff: "1 second", expires: "1 hour" });
    await exhaust(box);
    moveClock(2 * HOUR);
    expect(await box.ref.redrive(id)).toBe(true);
    expect(await box.ref.deadLetter(id)).toBeUndefined();
    const back = await box.ref.get(id);
    expect(back).toMatchObject({ attempts: 0, dueAt: Date.now() });
    expect(back?.errors).toHaveLength(2);
    expect(back, "an expiry would kill it again at once").not.toHaveProperty("expiresAt");
    await exhaust(box);
    expect(await box.ref.deadLetter(id), "its own policy holds again").toMatchObject({ attempts: 4 });
    expect((await box.ref.deadLetter(id))?.errors.map((record) => record.attempt)).toEqual([1, 2, 1, 2]);
    repair();
    await box.ref.redrive(id);
    await exhaust(box);
    expect(seen.at(-1)).toEqual({ id, attempt: 1, payload: 1 });
    expect(await box.ref.redrive(id), "there is no letter any more").toBe(false);
  });

  it("goes back with its own payload when another is undefined", async () => {
    stopClock();
    const { script, seen, repair } = repairable();
    const box = actor(script);
    const id = await box.ref.send("note", "kept");
    await exhaust(box);
    repair();
    const fixes: Readonly<Record<string, unknown>> = {};
    expect(await box.ref.redrive(id, { payload: fixes[id] })).toBe(true);
    await exhaust(box);
    expect(seen).toMatchObject([{ payload: "kept" }, { payload: "kept" }]);
  });

  it("goes back with another payload, or at another time", async () => {
    const now = stopClock();
    const { script, seen, repair } = repairable();
    const box = actor(script);
    const id = await box.ref.send("note", "broken");
    await box.drain();
    repair();
    await expect(box.ref.redrive(id, { payload: () => {} })).rejects.toThrow(InvalidPayloadError);
    await expect(box.ref.redrive(id, { payload: "字".repeat(200_000) })).rejects.toThrow(
      PayloadTooLargeError,
    );
    expect(await box.ref.deadLetter(id), "a refused repair leaves the letter").toMatchObject({
      payload: "broken",
    });
    expect(await box.ref.redrive(id, { payload: new Date(5), at: now + HOUR })).toBe(true);
    await box.drain();
    expect(seen).toHaveLength(1);
    moveClock(HOUR);
    await box.drain();
    expect(seen.at(-1)).toEqual({ id, attempt: 1, payload: new Date(5) });
  });

  it("takes its key back when it goes back, if nobody has it", async () => {
    stopClock();
    const { script } = repairable();
    const box = actor(script);
    const first = await box.ref.send("note", 1, { key: "k" });
    await box.drain();
    await box.ref.redrive(first, { at: Date.now() + HOUR });
    expect(await box.ref.get({ type: "note", key: "k" })).toMatchObject({ id: first });
    await box.ref.reschedule(first, Date.now());
    await box.drain();
    const second = await box.ref.sendIn("1 hour", "note", 2, { key: "k" });
    await box.ref.redrive(first, { at: Date.now() + HOUR });
    expect(await box.ref.get({ type: "note", key: "k" }), "never from a newcomer").toMatchObject({
      id: second,
    });
    expect(await box.ref.get(first)).not.toHaveProperty("key");
  });

  it("goes back only when somebody can read and handle it", async () => {
    stopClock();
    const { script } = repairable();
    const box = actor(script);
    const id = await box.ref.send("note", 1);
    await box.drain();
    await box.inside((self) => {
      self.state.storage.sql.exec("UPDATE _mailbox_dead_letters SET payload = '{broken' WHERE id = ?", id);
    });
    expect(await box.ref.deadLetter(id)).toMatchObject({ payload: undefined, payloadText: "{broken" });
    await expect(box.ref.redrive(id)).rejects.toThrow(InvalidPayloadError);
    expect(await box.ref.redriveAll(), "what cannot go back is not counted, and stays").toBe(0);
    box.deploy({ receive: { other: () => {} } });
    await box.evict();
    await expect(box.ref.redrive(id, { payload: 1 })).rejects.toThrow(UnknownTypeError);
    box.deploy(script);
    await box.evict();
    expect(await box.ref.redrive(id, { payload: 2 })).toBe(true);
  });

  it("redrives and purges all that match a filter, and no others", async () => {
    const now = stopClock();
    const { script, repair } = repairable();
    const box = actor(script);
    const ids = await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "note", payload: n })));
    await box.drain();
    moveClock(HOUR);
    const late = await box.ref.send("note", "x");
    await box.drain();
    const [newest] = (await box.ref.deadLetters()).items;
    const filters: [object, number][] = [
      [{ type: "fine" }, 0],
      [{ type: "note" }, 4],
      [{ reason: "crashed" }, 0],
      [{ reason: "exhausted", diedBefore: new Date(now + 1) }, 3],
      [{ ids: [ids[0], late, "nobody"] }, 2],
      [{ error: "TypeError: something else" }, 0],
      [{ error: newest?.fingerprint ?? "" }, 1],
    ];
    for (const [filter, count] of filters) {
      expect((await box.ref.deadLetters(filter)).items, JSON.stringify(filter)).toHaveLength(count);
    }
    repair();
    expect(await box.ref.redriveAll({ ids: ids.slice(0, 2) })).toBe(2);
    expect(await box.ref.purgeAll({ diedBefore: now + 1 })).toBe(1);
    expect(await box.ref.purgeAll({ type: "fine" })).toBe(0);
    expect(await box.ref.purge(late)).toBe(true);
    expect(await box.ref.purge(late)).toBe(false);
    expect(await box.ref.stats()).toMatchObject({ pending: 2, deadLetters: 0 });
  });

  it("gives letters of one cause one fingerprint, whatever numbers and ids are in its text", async () => {
    stopClock();
    const { script } = repairable();
    const box = actor(script);
    await box.ref.sendAll([17, 18].map((n) => ({ type: "note", payload: n })));
    await box.drain();
    const { items } = await box.ref.deadLetters();
    expect(new Set(items.map((letter) => letter.fingerprint)).size).toBe(1);
    expect(new Set(items.map((letter) => letter.errors[0]?.message)).size).toBe(2);
  });

  it("takes only those that died before the call, and many pages of them", async () => {
    stopClock();
    const { script } = repairable();
    const box = actor(script);
    await box.ref.sendAll(Array.from({ length: 450 }, (_, n) => ({ type: "note", payload: n })));
    await box.drain();
    moveClock(1_000);
    await box.ref.pause();
    expect(await box.ref.redriveAll()).toBe(450);
    await box.ref.resume();
    moveClock(1_000);
    await box.drain();
    expect((await box.ref.stats()).deadLetters, "they died again, after the call").toBe(450);
    expect(await box.ref.purgeAll()).toBe(450);
  });

  it("lets the oldest go by age, not a moment before, and by count", async () => {
    stopClock();
    const { script } = repairable();
    const box = actor({ ...script, settings: { retention: { age: "10 days", count: 5 } } });
    await box.ref.sendAll([1, 2].map((n) => ({ type: "note", payload: n })));
    await box.drain();
    moveClock(10 * DAY - 1);
    await box.drain();
    expect((await box.ref.stats()).deadLetters).toBe(2);
    const { nextWake } = await box.ref.stats();
    moveClock((nextWake ?? 0) - Date.now());
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 0, nextWake: undefined });
    for (const n of [1, 2, 3, 4, 5, 6, 7]) {
      await box.ref.send("note", n);
      moveClock(1_000);
      await box.drain();
    }
    const { items } = await box.ref.deadLetters();
    expect(items.map((letter) => letter.payload)).toEqual([7, 6, 5, 4, 3]);
  });

  it("lets none go by count in the place of one that was redriven or purged", async () => {
    stopClock();
    const box = actor({
      settings: { retention: { count: 3 } },
      policy: { maxAttempts: 1 },
      // Async: nothing is rolled back, so what is counted stays in memory.
      receive: { note: () => Promise.reject(new Error("no")) },
    });
    const ids = await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "note", payload: n })));
    await box.drain();
    expect(await box.ref.purge(ids[0] ?? "")).toBe(true);
    await box.ref.send("note", 4);
    await box.drain();
    expect((await box.ref.stats()).deadLetters).toBe(3);
    expect(await box.ref.redrive(ids[1] ?? "", { at: Date.now() + HOUR })).toBe(true);
    await box.ref.send("note", 5);
    await box.drain();
    const { items } = await box.ref.deadLetters();
    expect(items.map((letter) => letter.payload).toSorted()).toEqual([3, 4, 5]);
  });
});
