// A recurrence whose `rule` or `options` something else than the mailbox has written.

import { beforeEach, describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { BAD_OPTIONS, BAD_RULES, damage, stored } from "../support/damage.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const HOUR = 3_600_000;
const ID = "every:tick:";

/** An actor with two recurrences, of which that of `tick` is to be damaged. What it handles it notes. */
async function withRecurrences(handle: () => unknown = () => {}): Promise<{
  box: Scripted;
  noted: string[];
  occurrence: string;
}> {
  const noted: string[] = [];
  const box = actor({
    receive: {
      tick: () => {
        noted.push("tick");
        return handle();
      },
      tock: () => void noted.push("tock"),
      note: () => void noted.push("note"),
    },
    policy: { maxAttempts: 3, backoff: 10 },
  });
  await box.ref.sendEvery("1 hour", "tick", undefined);
  await box.ref.sendEvery("1 hour", "tock", undefined);
  return { box, noted, occurrence: `${ID}@${Date.now() + HOUR}` };
}

const setColumn = (box: Scripted, column: "rule" | "options", text: string): Promise<void> =>
  damage(box, `UPDATE _mailbox_recurrences SET ${column} = ? WHERE id = ?`, text, ID);

const wake = (box: Scripted): Promise<void> => box.drain({ scheduledTime: Date.now() });

async function recurrence(box: Scripted): Promise<unknown> {
  return (await box.ref.recurrences()).items.find(({ id }) => id === ID);
}

describe("a recurrence whose rule cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each(BAD_RULES)("ends with its planned occurrence as a dead letter, and all others go on: %s", async (_, text) => {
    const { box, noted, occurrence } = await withRecurrences();
    await setColumn(box, "rule", text);
    expect(await recurrence(box)).toMatchObject({ rule: "unreadable", ended: false });
    moveClock(HOUR);
    await box.ref.send("note", undefined);
    await wake(box);
    expect(noted.toSorted()).toEqual(["note", "tock"]);
    const letter = await box.ref.deadLetter(occurrence);
    expect(letter).toMatchObject({ type: "tick", reason: "unreadable", recurrence: ID });
    expect(letter?.errors).toMatchObject([
      { outcome: "unreadable", name: "UnreadableRowError", message: expect.stringContaining("The column rule") },
    ]);
    expect(await recurrence(box)).toMatchObject({ rule: "unreadable", ended: true, dead: 1, lastAt: Date.now() });
    expect(box.eventsOf("deadLettered")).toMatchObject([{ id: occurrence, reason: "unreadable" }]);
    expect(box.eventsOf("unreadable")).toEqual([
      {
        event: "unreadable",
        table: "_mailbox_recurrences",
        id: ID,
        column: "rule",
        error: { name: "UnreadableRowError", message: letter?.errors[0]?.message },
      },
    ]);
    // It is neither stalled nor run hot: nothing more is due before the other's next time.
    expect(await box.inside(({ realStorage }) => realStorage.getAlarm())).toBe(Date.now() + HOUR);
    for (let n = 0; n < 3; n += 1) {
      moveClock(HOUR);
      await wake(box);
    }
    expect(noted.toSorted()).toEqual(["note", "tock", "tock", "tock", "tock"]);
    expect(box.eventsOf("unreadable")).toHaveLength(1);
    expect(await stored(box, "SELECT rule FROM _mailbox_recurrences WHERE id = ?", ID)).toBe(text);
  }); // prettier-ignore

  it("goes on when it is declared again, and its occurrence is redriven", async () => {
    const { box, noted, occurrence } = await withRecurrences();
    await setColumn(box, "rule", "garbage");
    moveClock(HOUR);
    await wake(box);
    expect((await box.ref.deadLetter(occurrence))?.errors[0]?.message).toBe(
      `The column rule of the recurrence ${ID} cannot be read, because it is not JSON. So it has ended, with its planned occurrence as a dead letter: declare it again by sendEvery, then redrive the letter.`,
    );
    expect(await box.ref.sendEvery("1 hour", "tick", undefined)).toBe(ID);
    expect(await recurrence(box)).toMatchObject({ ended: false, nextAt: Date.now() + HOUR });
    expect(await box.ref.redrive(occurrence)).toBe(true);
    await wake(box);
    moveClock(HOUR);
    await wake(box);
    expect(noted.filter((type) => type === "tick")).toHaveLength(2);
  });

  it("is well again without a loss when it is declared again in time, as on every start", async () => {
    const { box, noted } = await withRecurrences();
    await setColumn(box, "rule", "garbage");
    await box.ref.sendEvery("1 hour", "tick", undefined);
    moveClock(HOUR);
    await wake(box);
    expect(noted.toSorted()).toEqual(["tick", "tock"]);
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 0 });
  });

  it("has an occurrence delivered that is a message of its own already, and ends then", async () => {
    let isUp = false;
    const { box, noted, occurrence } = await withRecurrences(() => {
      if (!isUp) throw new Error("down");
    });
    moveClock(HOUR);
    await wake(box);
    expect(await box.ref.get(occurrence)).toMatchObject({ attempts: 1 });
    await setColumn(box, "rule", "garbage");
    isUp = true;
    moveClock(10);
    await wake(box);
    expect(noted.filter((type) => type === "tick")).toHaveLength(2);
    expect(box.eventsOf("delivered")).toContainEqual(expect.objectContaining({ id: occurrence }));
    expect(await recurrence(box)).toMatchObject({ ended: true, delivered: 1, dead: 0 });
    expect(box.eventsOf("unreadable")).toMatchObject([
      { id: ID, column: "rule", error: { message: expect.stringMatching(/has ended: declare it again/) } },
    ]);
    expect(await box.ref.stats()).toMatchObject({ pending: 1, deadLetters: 0 });
  });

  it("ends with the last attempt of an occurrence that dies of something else", async () => {
    const { box, occurrence } = await withRecurrences(() => {
      throw new Error("down");
    });
    moveClock(HOUR);
    await wake(box);
    await setColumn(box, "rule", "garbage");
    for (let n = 0; n < 2; n += 1) {
      moveClock(10);
      await wake(box);
    }
    expect(await box.ref.deadLetter(occurrence)).toMatchObject({ reason: "exhausted", attempts: 3 });
    expect(await recurrence(box)).toMatchObject({ ended: true, dead: 1 });
    expect(box.eventsOf("unreadable")).toHaveLength(1);
  });

  it("ends when its occurrence is cancelled, as there is no next one", async () => {
    const { box, noted, occurrence } = await withRecurrences();
    await setColumn(box, "rule", "garbage");
    expect(await box.ref.cancel(occurrence)).toBe(true);
    expect(await recurrence(box)).toMatchObject({ ended: true, skipped: 1 });
    expect(box.eventsOf("unreadable")).toHaveLength(1);
    moveClock(HOUR);
    await wake(box);
    expect(noted).toEqual(["tock"]);
  });

  it("is cancelled like any other", async () => {
    const { box, noted } = await withRecurrences();
    await setColumn(box, "rule", "garbage");
    expect(await box.ref.cancel(ID)).toBe(true);
    expect(await recurrence(box)).toBeUndefined();
    moveClock(HOUR);
    await wake(box);
    expect(noted).toEqual(["tock"]);
    expect(box.eventsOf("unreadable")).toEqual([]);
  });
});

describe("a recurrence whose options cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each(BAD_OPTIONS)("goes on, with each of its occurrences a dead letter, until it is declared again: %s", async (_, text) => {
    const { box, noted, occurrence } = await withRecurrences();
    await setColumn(box, "options", text);
    moveClock(HOUR);
    await wake(box);
    expect(noted).toEqual(["tock"]);
    const [error] = (await box.ref.deadLetter(occurrence))?.errors ?? [];
    expect(error?.message).toContain("The column options of its row cannot be read");
    expect(error?.message).toMatch(/If its recurrence has the same text, declare that again by sendEvery\.$/);
    expect(await recurrence(box)).toMatchObject({ ended: false, dead: 1, nextAt: Date.now() + HOUR });
    await box.ref.sendEvery("1 hour", "tick", undefined);
    moveClock(HOUR);
    await wake(box);
    expect(noted.toSorted()).toEqual(["tick", "tock", "tock"]);
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1 });
  }); // prettier-ignore
});
