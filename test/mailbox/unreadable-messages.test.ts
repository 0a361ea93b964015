// A message whose `options` or `history` something else than the mailbox has written: it alone suffers.

import { beforeEach, describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { BAD_HISTORY, BAD_OPTIONS, damage, stored } from "../support/damage.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const cases = [
  ...BAD_OPTIONS.map(([what, text]) => ["options", what, text] as const),
  ...BAD_HISTORY.map(([what, text]) => ["history", what, text] as const),
];
type Column = (typeof cases)[number][0];

/** An actor that notes what it handles, but for payloads of "fail", which fail twice at most. */
function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({
    receive: {
      note: (payload) => {
        noted.push(payload);
        if (payload === "fail") throw new Error("failed");
      },
      tick: () => void noted.push("tick"),
    },
    policy: { maxAttempts: 2, backoff: 10 },
  });
  return { box, noted };
}

const setColumn = (box: Scripted, column: Column, text: string, id: string): Promise<void> =>
  damage(box, `UPDATE _mailbox_envelopes SET ${column} = ? WHERE id = ?`, text, id);

const wake = (box: Scripted): Promise<void> => box.drain({ scheduledTime: Date.now() });

describe("a message whose row has a column that cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each(cases)("becomes a dead letter, and all others go on: %s with %s", async (column, _, text) => {
    const { box, noted } = noter();
    await box.ref.sendEvery("1 hour", "tick", undefined);
    await box.ref.send("note", "before it");
    const id = await box.ref.send("note", "damaged", { maxAttempts: 3 });
    await box.ref.send("note", "behind it");
    const failing = await box.ref.send("note", "fail");
    await setColumn(box, column, text, id);
    moveClock(HOUR);
    await wake(box);
    expect(noted).toEqual(["before it", "behind it", "fail", "tick"]);
    expect(await box.ref.deadLetter(id)).toMatchObject({
      reason: "unreadable",
      payload: "damaged",
      attempts: 1,
      errors: [
        {
          attempt: 1,
          outcome: "unreadable",
          name: "UnreadableRowError",
          message: expect.stringContaining(`The column ${column} of its row cannot be read`),
        },
      ],
    });
    expect(box.eventsOf("deadLettered")).toMatchObject([{ id, reason: "unreadable" }]);
    // Nothing is woken for that cannot be done: the next alarm is that of the redelivery.
    expect(await box.inside(({ realStorage }) => realStorage.getAlarm())).toBe(Date.now() + 10);
    moveClock(10);
    await wake(box);
    expect(await box.ref.deadLetter(failing)).toMatchObject({ reason: "exhausted" });
    expect(await box.ref.stats()).toMatchObject({ pending: 1, due: 0, deadLetters: 2, leased: 0 });
    expect(box.eventsOf("looping")).toEqual([]);
  });

  it.each(cases)("is found, listed, moved and cancelled like any other: %s with %s", async (column, _, text) => {
    const { box, noted } = noter();
    const id = await box.ref.sendIn("1 hour", "note", "damaged", { key: "k" });
    const other = await box.ref.sendIn("2 hours", "note", "other");
    await setColumn(box, column, text, id);
    expect(await box.ref.get(id)).toMatchObject({ payload: "damaged", key: "k", errors: [] });
    expect((await box.ref.pending()).items.map((item) => item.id)).toEqual([id, other]);
    expect(await box.ref.reschedule(id, Date.now() + 3 * HOUR)).toBe(true);
    expect((await box.ref.pending()).items.map((item) => item.id)).toEqual([other, id]);
    expect(await box.ref.cancel({ type: "note", key: "k" })).toBe(true);
    moveClock(4 * HOUR);
    await wake(box);
    expect(noted).toEqual(["other"]);
  }); // prettier-ignore

  it("stops no alarm of the platform", async () => {
    const { box, noted } = noter();
    const id = await box.ref.sendIn("1 hour", "note", "damaged");
    await setColumn(box, "options", "garbage", id);
    await damage(box, "UPDATE _mailbox_envelopes SET due = ?, moved = 1 WHERE id = ?", 1, id);
    await box.ref.send("note", "behind it");
    await box.inside(({ realStorage }) => realStorage.setAlarm(1));
    await until(() => noted.length > 0, "the message behind it");
    expect(noted).toEqual(["behind it"]);
    expect(await box.ref.deadLetter(id)).toMatchObject({ reason: "unreadable" });
  });

  it("says what to do, and goes back with its options when that was done", async () => {
    const { box, noted } = noter();
    const id = await box.ref.send("note", "damaged", { maxAttempts: 7 });
    await setColumn(box, "options", '{"policy":{"maxAttempts":7}', id);
    await wake(box);
    const [error] = (await box.ref.deadLetter(id))?.errors ?? [];
    expect(error?.message).toBe(
      "The column options of its row cannot be read, because it is not JSON. It was kept as it is: repair it in _mailbox_dead_letters, then redrive the message.",
    );
    await damage(box, "UPDATE _mailbox_dead_letters SET options = options || '}' WHERE id = ?", id);
    expect(await box.ref.redrive(id)).toBe(true);
    await wake(box);
    expect(noted).toEqual(["damaged"]);
    expect(box.eventsOf("delivered")).toMatchObject([{ id, attempt: 1 }]);
  });

  it("keeps the beginning of a history that cannot be read, and needs no repair to go back", async () => {
    const { box, noted } = noter();
    const id = await box.ref.send("note", "damaged");
    await setColumn(box, "history", `[{"attempt":1,"message":"the first failure"}${"x".repeat(10_000)}`, id);
    await wake(box);
    const [error] = (await box.ref.deadLetter(id))?.errors ?? [];
    expect(error?.message).toMatch(/^The column history of its row cannot be read, because it is not JSON\./);
    expect(error?.message).toContain("the first failure");
    expect(error?.message).toMatch(/redrive the message\.$/);
    expect(error?.message.length).toBeLessThan(1_024);
    expect(await box.ref.redrive(id)).toBe(true);
    await wake(box);
    expect(noted).toEqual(["damaged"]);
  });

  it("is none when a later version has written more into it than this one knows", async () => {
    const { box, noted } = noter();
    const id = await box.ref.send("note", "from the future");
    const record = {
      attempt: 1,
      startedAt: 1,
      durationMs: 1,
      outcome: "melted",
      name: "Error",
      message: "no",
    };
    await setColumn(box, "options", '{"policy":{"maxAttempts":7,"mood":"calm"},"lane":"fast"}', id);
    await setColumn(box, "history", JSON.stringify([{ ...record, colour: "red" }]), id);
    expect((await box.ref.get(id))?.errors).toHaveLength(1);
    await wake(box);
    expect(noted).toEqual(["from the future"]);
  });

  it("names both columns when neither can be read", async () => {
    const { box } = noter();
    const id = await box.ref.send("note", "damaged");
    await setColumn(box, "history", "garbage", id);
    await setColumn(box, "options", "[]", id);
    await wake(box);
    const [error] = (await box.ref.deadLetter(id))?.errors ?? [];
    expect(error?.message).toContain(
      "The column options of its row cannot be read, because it is JSON of another shape",
    );
    expect(error?.message).toContain("The column history of its row cannot be read, because it is not JSON");
  });

  it("keeps the reason for its hook, which runs once", async () => {
    const hooked: unknown[] = [];
    const box = actor({
      receive: { note: () => {} },
      onDeadLetter: ({ id, reason }, { from }) => void hooked.push([id, reason, from]),
    });
    const id = await box.ref.send("note", "damaged");
    await setColumn(box, "options", "garbage", id);
    await wake(box);
    expect(hooked).toEqual([[id, "unreadable", undefined]]);
    expect(box.eventsOf("hookFailed")).toEqual([]);
  });

  it.each(["options", "history"] as const)("is not charged for a death of the object: %s", async (column) => {
    const { box, noted } = noter();
    const id = await box.ref.send("note", "damaged", { maxAttempts: 7 });
    await box.ref.send("note", "behind it");
    await setColumn(box, column, "garbage", id);
    const due = Number(await stored(box, "SELECT due FROM _mailbox_envelopes WHERE id = ?", id));
    const lease = { kind: "message", id, due, attempt: 1, startedAt: due };
    await damage(box, "INSERT INTO _mailbox_meta VALUES ('lease', ?)", JSON.stringify(lease));
    await box.evict();
    await wake(box);
    expect(await box.ref.deadLetter(id)).toMatchObject({ reason: "unreadable", attempts: 1 });
    expect(noted).toEqual(["behind it"]);
    expect(await box.ref.stats()).toMatchObject({ leased: 0, pending: 0 });
  });

  it.each(["options", "history"] as const)("is parked like any other, and dies when its type is known: %s", async (column) => {
    const { box, noted } = noter();
    const id = await box.ref.send("note", "damaged");
    await setColumn(box, column, "garbage", id);
    box.deploy({ receive: {} });
    await box.evict();
    await wake(box);
    expect(await box.ref.get(id)).toMatchObject({ state: "parked" });
    box.deploy({ receive: { note: (payload) => void noted.push(payload) } });
    await box.evict();
    await wake(box);
    expect(await box.ref.deadLetter(id)).toMatchObject({ reason: "unreadable" });
    expect(noted).toEqual([]);
  }); // prettier-ignore

  it.each(["options", "history"] as const)(
    "is given up after 30 days of being parked: %s",
    async (column) => {
      const { box } = noter();
      const id = await box.ref.send("note", "damaged");
      await setColumn(box, column, "garbage", id);
      box.deploy({ receive: {} });
      await box.evict();
      await wake(box);
      moveClock(31 * DAY);
      await wake(box);
      expect(await box.ref.deadLetter(id)).toMatchObject({
        reason: "unreadable",
        errors: [{ name: "UnreadableRowError", message: expect.stringContaining(`The column ${column}`) }],
      });
    },
  );
});
