// What is cancelled, moved and looked for by `this.ref(…)` while it is on its way: no answer is given before it
// is known where it is.

import { describe, expect, it } from "vitest";
import { UnreachableError } from "../../actors/index.ts";
import { batchOf, quiet } from "../support/batches.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** An actor that loses batches on their way to it while it is told so, and hangs while it is told so. */
function road(seen: unknown[]): { to: Scripted; mood: { loses: boolean; hangs: boolean; calls: number } } {
  const mood = { loses: false, hangs: false, calls: 0 };
  const to = actor({
    receive: { note: (payload) => void seen.push(payload) },
    onCall: (call, next) => {
      if (batchOf(call) === undefined) return next();
      mood.calls += 1;
      if (mood.hangs) return new Promise(() => {});
      return mood.loses ? Promise.reject(new Error("lost on its way")) : next();
    },
  });
  return { to, mood };
}

const HOUR = 3_600_000;

describe("G11 a cancel of what is on its way to another actor", () => {
  it("ends a recurrence that was declared several times and has not left", async () => {
    const { to } = road([]);
    const from = actor({ receive: {} });
    const cancelled = await from.inside((self) => {
      const other = self.other(to.name);
      const id = other.sendEvery("1 hour", "note", 1);
      other.sendEvery("2 hours", "note", 2);
      return other.cancel(id);
    });
    expect(cancelled).toBe(true);
    await quiet(from);
    expect((await to.ref.recurrences()).items).toEqual([]);
  });

  it("waits for a declaration in doubt, and ends it with what was there before", async () => {
    const { to, mood } = road([]);
    const from = actor({ receive: {} });
    const id = await from.inside((self) => self.other(to.name).sendEvery("1 hour", "note", "old"));
    await quiet(from);
    mood.loses = true;
    await from.inside((self) => void self.other(to.name).sendEvery("2 hours", "note", "new"));
    await until(() => from.eventsOf("outboxFailed").length > 0);
    mood.loses = false;
    expect(await from.inside((self) => self.other(to.name).cancel(id))).toBe(true);
    await quiet(from);
    expect((await to.ref.recurrences()).items).toEqual([]);
  });

  it("waits for a message in doubt under the key", async () => {
    const seen: unknown[] = [];
    const { to, mood } = road(seen);
    const from = actor({ receive: {} });
    const key = { type: "note", key: "k" } as const;
    await from.inside((self) => void self.other(to.name).sendIn("1 hour", "note", 1, { key: "k" }));
    await quiet(from);
    mood.loses = true;
    await from.inside(
      (self) => void self.other(to.name).sendIn("1 hour", "note", 2, { key: "k", ifPending: "replace" }),
    );
    await until(() => from.eventsOf("outboxFailed").length > 0);
    mood.loses = false;
    expect(await from.inside((self) => self.other(to.name).cancel(key))).toBe(true);
    await quiet(from);
    expect((await to.ref.stats()).pending).toBe(0);
    expect(seen).toEqual([]);
  });

  it("never calls back the last of a batch that is in doubt, and says after one flight that it does not know", async () => {
    const { to, mood } = road([]);
    mood.hangs = true;
    const from = actor({ receive: {} });
    const ids = await from.inside((self) =>
      [1, 2].map((n) => self.other(to.name).sendIn("1 hour", "note", n)),
    );
    await until(() => mood.calls === 1);
    const refusal: unknown = await from.inside((self) =>
      self
        .other(to.name)
        .cancel(ids[1] ?? "")
        .catch((error: unknown) => error),
    );
    expect(refusal).toBeInstanceOf(UnreachableError);
    expect(String(refusal)).toContain("may be delivered");
    // In doubt it is here, and may be there: who asks is shown it.
    expect(await from.inside((self) => self.other(to.name).get(ids[1] ?? ""))).toMatchObject({ payload: 2 });
    mood.hangs = false;
    await quiet(from);
    expect(await from.inside((self) => self.other(to.name).cancel(ids[1] ?? ""))).toBe(true);
    expect((await to.ref.pending()).items).toMatchObject([{ id: ids[0] }]);
  });
});

describe("of several messages with one key that wait for another actor", () => {
  it("the first is the one that is found and moved, when all keep what is there", async () => {
    const { to } = road([]);
    const from = actor({ receive: {} });
    const at = Date.now() + 2 * HOUR;
    const key = { type: "note", key: "k" } as const;
    const [first, found, isMoved] = await from.inside(async (self) => {
      const other = self.other(to.name);
      const id = other.sendIn("1 hour", "note", "first", { key: "k" });
      other.sendIn("1 hour", "note", "second", { key: "k" });
      return [id, (await other.get(key))?.id, await other.reschedule(key, at)];
    });
    expect([found, isMoved]).toEqual([first, true]);
    await quiet(from);
    expect((await to.ref.pending()).items).toMatchObject([{ id: first, dueAt: at }]);
  });

  it("the last that replaces is", async () => {
    const { to } = road([]);
    const from = actor({ receive: {} });
    const key = { type: "note", key: "k" } as const;
    const at = Date.now() + 2 * HOUR;
    await from.inside(async (self) => {
      const other = self.other(to.name);
      other.sendIn("1 hour", "note", "first", { key: "k" });
      const id = other.sendIn("1 hour", "note", "second", { key: "k", ifPending: "replace" });
      other.sendIn("1 hour", "note", "third", { key: "k" });
      const [found, isMoved] = [other.get(key), other.reschedule(key, at)];
      expect((await found)?.id).toBe(id);
      expect(await isMoved).toBe(true);
    });
    await quiet(from);
    expect((await to.ref.pending()).items).toMatchObject([{ payload: "second", dueAt: at }]);
  });

  it("the one that is there is, when all keep it", async () => {
    const { to } = road([]);
    const from = actor({ receive: {} });
    const key = { type: "note", key: "k" } as const;
    const at = Date.now() + 2 * HOUR;
    const there = await to.ref.sendIn("1 hour", "note", "there", { key: "k" });
    await from.inside(async (self) => {
      const other = self.other(to.name);
      other.sendIn("1 hour", "note", "here", { key: "k" });
      const [found, isMoved] = [other.get(key), other.reschedule(key, at)];
      expect((await found)?.id).toBe(there);
      expect(await isMoved).toBe(true);
    });
    await quiet(from);
    expect((await to.ref.pending()).items).toMatchObject([{ id: there, dueAt: at }]);
  });
});
