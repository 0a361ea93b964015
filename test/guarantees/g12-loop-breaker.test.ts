// What is due and yet cannot be done: rows that were damaged by something that is not the mailbox. Here
// it is an id that is no well-formed text, so that no statement finds its row again, or a recurrence
// that is both ended and due.

import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** So many wakes in a row may do nothing before the next ones wait. */
const PATIENCE = 5;

interface Damaged {
  readonly box: Scripted;
  readonly noted: unknown[];
  /** Undoes the damage, so that what is due can be done. */
  readonly repair: () => Promise<void>;
}

/** An actor with a message that is due, of which no statement finds the row by what it was read as. */
async function withMessage(type: string, parked = 0): Promise<Damaged> {
  const { box, noted } = noter();
  const id = await box.ref.send("note", "damaged");
  await box.inside(({ realStorage }) => {
    realStorage.sql.exec(
      "UPDATE _mailbox_envelopes SET id = CAST(x'ff616263' AS TEXT), type = ?, parked = ?",
      type,
      parked,
    );
  });
  // What the instance knows of its rows it reads again.
  if (parked > 0) await box.evict();
  const repair = (): Promise<void> =>
    box.inside(({ realStorage }) => {
      realStorage.sql.exec(
        `UPDATE _mailbox_envelopes SET id = ?, type = CASE WHEN parked = 0 THEN 'note' ELSE type END
         WHERE id = CAST(x'ff616263' AS TEXT)`,
        id,
      );
    });
  return { box, noted, repair };
}

/** An actor with a recurrence that is due though it says that it has ended. */
async function withRecurrence(): Promise<Damaged> {
  const { box, noted } = noter();
  await box.ref.sendEvery("1 hour", "lost", undefined);
  const now = Date.now();
  await box.inside(({ realStorage }) => {
    realStorage.sql.exec("UPDATE _mailbox_recurrences SET ended = 1, next_due = ?, planned = ?", now, now);
  });
  const repair = (): Promise<void> =>
    box.inside(({ realStorage }) => {
      realStorage.sql.exec("UPDATE _mailbox_recurrences SET ended = 0");
    });
  return { box, noted, repair };
}

function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({
    receive: {
      note: (payload) => void noted.push(payload),
      lost: () => {},
      fails: () => {
        throw new Error("no");
      },
    },
  });
  return { box, noted };
}

const damages: Readonly<Record<string, () => Promise<Damaged>>> = {
  "a message that cannot be parked": () => withMessage("unknown"),
  "a message that cannot be acknowledged": () => withMessage("lost"),
  "a message that cannot be redelivered": () => withMessage("fails"),
  "a message parked for too long that cannot be given up": () =>
    withMessage("unknown", Date.now() - 31 * 24 * HOUR),
  "a recurrence that cannot move on": () => withRecurrence(),
};

/** Whether nothing waits any more. */
function isEmpty(box: Scripted): Promise<boolean> {
  const rows =
    "SELECT 1 FROM _mailbox_envelopes UNION ALL SELECT 1 FROM _mailbox_recurrences WHERE next_due IS NOT NULL";
  return box.inside(({ realStorage }) => realStorage.sql.exec(rows).toArray().length === 0);
}

function realAlarm(box: Scripted): Promise<number | null> {
  return box.inside(({ realStorage }) => realStorage.getAlarm());
}

/** Runs one wake by hand, as the platform would; answers how long after it the next one is. */
async function wake(box: Scripted): Promise<number | undefined> {
  // An alarm that fires is none any more.
  await box.inside(({ realStorage }) => realStorage.deleteAlarm());
  await box.drain({ scheduledTime: Date.now() });
  const alarm = await realAlarm(box);
  return alarm === null ? undefined : alarm - Date.now();
}

async function wakes(box: Scripted, count: number): Promise<(number | undefined)[]> {
  const waits: (number | undefined)[] = [];
  for (let n = 0; n < count; n += 1) waits.push(await wake(box));
  return waits;
}

describe("G12 Wakes in which something is due and nothing can be done", () => {
  startClockAfterEach();

  describe.each(Object.entries(damages))("because of %s", (_, damaged) => {
    it("are waited for longer and longer from the fifth on, up to five minutes, and the first of those says so", async () => {
      stopClockAhead();
      const { box } = await damaged();
      const waits = await wakes(box, PATIENCE + 11);
      const later = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].map((seconds) => seconds * SECOND);
      expect(waits).toEqual([...Array<number>(PATIENCE - 1).fill(1), ...later]);
      expect(box.eventsOf("looping")).toEqual([
        { event: "looping", wakes: PATIENCE, nextAt: Date.now() + SECOND },
      ]);
    });

    it("say so again once an hour, for as long as they last", async () => {
      stopClockAhead();
      const { box } = await damaged();
      await wakes(box, PATIENCE);
      const saidAt: number[] = [];
      for (let minutes = 0; minutes < 150; minutes += 5) {
        const before = box.eventsOf("looping").length;
        await wake(box);
        if (box.eventsOf("looping").length > before) saidAt.push(minutes);
        moveClock(5 * MINUTE);
      }
      expect(saidAt).toEqual([60, 120]);
      expect(box.eventsOf("looping").map(({ wakes }) => wakes)).toEqual([
        PATIENCE,
        PATIENCE + 13,
        PATIENCE + 25,
      ]);
    });

    it("do not come every millisecond for ever, by the platform's own clock", async () => {
      const { box } = await damaged();
      await box.inside(({ realStorage }) => realStorage.setAlarm(Date.now()));
      const looping = await until(
        async () => box.eventsOf("looping")[0] ?? ((await isEmpty(box)) ? "none" : undefined),
      );
      // A wake that came late has leased the occurrence, so that it was a message, and could be done.
      if (looping === "none") return;
      expect(looping).toMatchObject({ wakes: PATIENCE });
      expect(await realAlarm(box)).toBe(looping.nextAt);
    });

    it("are over when it is repaired: what was due is done, and no wake waits any more", async () => {
      stopClockAhead();
      const { box, repair } = await damaged();
      await wakes(box, PATIENCE + 3);
      const before = box.eventsOf("looping").length;
      await repair();
      for (const wait of await wakes(box, PATIENCE + 1)) expect(wait ?? HOUR).toBeGreaterThanOrEqual(HOUR);
      expect(await box.ref.stats()).toMatchObject({ due: 0, parked: 0 });
      expect(box.eventsOf("looping")).toHaveLength(before);
    });

    it("are counted anew after a wake that did something", async () => {
      stopClockAhead();
      const { box, noted } = await damaged();
      expect(await wakes(box, PATIENCE)).toContain(SECOND);
      // Due before it, so that it is reached.
      await box.ref.sendLater(Date.now() - HOUR, "note", "progress");
      expect(await wake(box)).toBe(1);
      expect(noted).toEqual(["progress"]);
      expect(await wakes(box, PATIENCE)).toEqual([1, 1, 1, 1, SECOND]);
      expect(box.eventsOf("looping").map((event) => event.wakes)).toEqual([PATIENCE, PATIENCE]);
    });

    it("delay no message that comes meanwhile: it has an alarm of its own", async () => {
      stopClockAhead();
      const { box } = await damaged();
      await wakes(box, PATIENCE + 6);
      expect(await realAlarm(box)).toBe(Date.now() + 64 * SECOND);
      await box.ref.sendIn(10, "note", "later");
      expect(await realAlarm(box)).toBe(Date.now() + 10);
      await box.ref.send("note", "now");
      expect(await realAlarm(box)).toBe(Date.now());
    });

    it("deliver what can be delivered, also what is due behind it", async () => {
      stopClockAhead();
      const { box, noted } = await damaged();
      await box.ref.sendAll([1, 2, 3].map((payload) => ({ type: "note", payload, in: payload })));
      moveClock(10);
      await box.drain({ scheduledTime: Date.now() });
      expect(noted).toEqual([1, 2, 3]);
      await wakes(box, PATIENCE + 3);
      await box.ref.send("note", "behind it, in a streak");
      await box.drain({ scheduledTime: Date.now() });
      expect(noted.at(-1)).toBe("behind it, in a streak");
    });
  });

  it("end at once where a recurrence that cannot move on has missed times, of which nothing says that they were skipped", async () => {
    stopClockAhead();
    const { box } = await withRecurrence();
    expect(await wake(box)).toBe(1);
    moveClock(3 * HOUR);
    expect(await wakes(box, PATIENCE - 1)).toEqual([1, 1, 1, SECOND]);
    expect(box.eventsOf("skipped")).toEqual([]);
  });

  it("are none when the wake only had nothing to do, however often it comes", async () => {
    stopClockAhead();
    const { box, noted } = noter();
    expect(await wakes(box, 20)).toEqual(Array(20).fill(undefined));
    await box.ref.sendIn("1 hour", "note", "later");
    expect(await wakes(box, 20)).toEqual(Array(20).fill(HOUR));
    await box.ref.pause();
    await box.ref.send("note", "paused");
    expect(await wakes(box, 20)).toEqual(Array(20).fill(undefined));
    await box.ref.resume();
    expect(await wake(box)).toBe(HOUR);
    expect(noted).toEqual(["paused"]);
    expect(box.eventsOf("looping")).toEqual([]);
  });

  it("are none where each wake fails something: its backoff is a later time", async () => {
    stopClockAhead();
    const { box } = noter();
    await box.ref.send("fails", 1, { maxAttempts: 50, backoff: 1 });
    for (let n = 0; n < 40; n += 1) {
      expect(await wake(box)).toBe(1);
      moveClock(1);
    }
    expect(box.eventsOf("looping")).toEqual([]);
  });
});
