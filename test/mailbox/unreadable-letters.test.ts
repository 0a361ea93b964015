// A dead letter whose `options` or `history` something else than the mailbox has written.

import { beforeEach, describe, expect, it } from "vitest";
import { UnreadableRowError } from "../../actors/index.ts";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { BAD_HISTORY, BAD_OPTIONS, damage, stored } from "../support/damage.ts";
import { actor, type Scripted } from "../support/scripted.ts";

/** An actor with two dead letters, of which the first is to be damaged. What it handles it notes. */
async function withLetters(): Promise<{ box: Scripted; id: string; other: string; noted: unknown[] }> {
  const noted: unknown[] = [];
  let isUp = false;
  const box = actor({
    receive: {
      note: (payload) => {
        if (!isUp) throw new Error("down");
        noted.push(payload);
      },
    },
  });
  const [id = "", other = ""] = await box.ref.sendAll(
    ["damaged", "other"].map((payload) => ({ type: "note", payload, maxAttempts: 1 })),
  );
  await box.drain();
  isUp = true;
  return { box, id, other, noted };
}

const setColumn = (box: Scripted, column: "options" | "history", text: string, id: string): Promise<void> =>
  damage(box, `UPDATE _mailbox_dead_letters SET ${column} = ? WHERE id = ?`, text, id);

describe("a dead letter whose options cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each(BAD_OPTIONS)("is listed and read, stays when it is to be redriven, and is purged: %s", async (_, text) => {
    const { box, id, other, noted } = await withLetters();
    await setColumn(box, "options", text, id);
    expect((await box.ref.deadLetters()).items.map((letter) => letter.id).sort()).toEqual([id, other]);
    expect(await box.ref.deadLetter(id)).toMatchObject({ payload: "damaged", errors: [{ message: "down" }] });
    const refusal = await box.ref.redrive(id).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UnreadableRowError);
    expect(refusal).toMatchObject({ code: "unreadable_row" });
    await box.inside((self) => {
      expect(() => self.mailbox.redrive(id, { payload: "another" })).toThrow(UnreadableRowError);
      expect(self.mailbox.deadLetter(id)).toMatchObject({ payload: "damaged" });
    });
    expect(await box.ref.redriveAll()).toBe(1);
    await box.drain();
    expect(noted).toEqual(["other"]);
    expect(await stored(box, "SELECT options FROM _mailbox_dead_letters WHERE id = ?", id)).toBe(text);
    expect(await box.ref.purge(id)).toBe(true);
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 0, pending: 0 });
  }); // prettier-ignore

  it("says what to do, and goes back when that was done", async () => {
    const { box, id, noted } = await withLetters();
    await setColumn(box, "options", "garbage", id);
    await expect(box.ref.redrive(id)).rejects.toThrow(
      `The column options of the dead letter ${id} cannot be read, because it is not JSON; repair it in _mailbox_dead_letters, or set it to NULL, then redrive the letter.`,
    );
    await damage(box, "UPDATE _mailbox_dead_letters SET options = NULL WHERE id = ?", id);
    expect(await box.ref.redrive(id)).toBe(true);
    await box.drain();
    expect(noted).toEqual(["damaged"]);
  });
});

describe("a dead letter whose history cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each(BAD_HISTORY)("is listed and read without it, and goes back: %s", async (_, text) => {
    const { box, id, other, noted } = await withLetters();
    await setColumn(box, "history", text, id);
    expect((await box.ref.deadLetters()).items.map((letter) => letter.id).sort()).toEqual([id, other]);
    expect(await box.ref.deadLetter(id)).toMatchObject({ payload: "damaged", attempts: 1, errors: [] });
    expect(await box.ref.redrive(id)).toBe(true);
    // What it was is not forgotten without a word.
    expect(await box.ref.get(id)).toMatchObject({
      errors: [{ attempt: 1, outcome: "unreadable", name: "UnreadableRowError" }],
    });
    await box.drain();
    expect(noted).toEqual(["damaged"]);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 1 });
  });

  it("is redriven and purged with all others", async () => {
    const { box, id, noted } = await withLetters();
    await setColumn(box, "history", "garbage", id);
    expect(await box.ref.redriveAll()).toBe(2);
    await box.drain();
    expect(noted).toEqual(["damaged", "other"]);
  });
});

describe("a dead letter of which a column cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each([
    ["options", "garbage"],
    ["options", '{"from":5}'],
    ["history", "garbage"],
    ["history", "[null]"],
  ] as const)("has its hook run: %s with %s", async (column, text) => {
    const hooked: unknown[] = [];
    let isUp = false;
    const box = actor({
      receive: { note: () => Promise.reject(new Error("down")) },
      policy: { maxAttempts: 1 },
      onDeadLetter: ({ id }, { from }) => {
        if (!isUp) throw new Error("down");
        hooked.push([id, from]);
      },
    });
    const id = await box.ref.send("note", 1);
    await box.drain();
    expect(box.eventsOf("hookFailed")).toHaveLength(1);
    await setColumn(box, column, text, id);
    isUp = true;
    await damage(box, "UPDATE _mailbox_dead_letters SET hook_due = 1");
    await box.drain();
    expect(hooked).toEqual([[id, undefined]]);
  });
});
