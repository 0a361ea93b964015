import { describe, expect, it } from "vitest";
import { InvalidRecurrenceError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor } from "../support/scripted.ts";

const START = Date.UTC(2027, 0, 31, 8);
const DAY = 86_400_000;

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

/** An actor that notes for which planned time each occurrence ran. */
function billing(): { box: Scripted; planned: string[] } {
  const planned: string[] = [];
  const box = actor({
    receive: { charge: (_, { id }) => void planned.push(iso(Number(id.split("@")[1]))) },
  });
  return { box, planned };
}

/** Moves the clock from wake to wake, as the platform's alarm would, up to a moment. */
async function runUntil(box: Scripted, end: number): Promise<void> {
  for (;;) {
    await box.drain();
    const { nextWake } = await box.ref.stats();
    if (nextWake === undefined || nextWake > end) break;
    if (nextWake > Date.now()) moveClock(nextWake - Date.now());
  }
  moveClock(end - Date.now());
}

const monthly = { every: "1 month", timeZone: "Europe/Berlin" };

describe("G10 A recurrence by the calendar", () => {
  startClockAfterEach();

  const ways: readonly [how: string, declare: (box: Scripted) => Promise<unknown>][] = [
    ["by a ref", (box) => box.ref.sendEvery(monthly, "charge", 1, { startAt: START })],
    [
      "by the actor itself",
      (box) => box.inside((self) => void self.sendEvery(monthly, "charge", 1, { startAt: START })),
    ],
    [
      "by another actor",
      (box) => byAnother(box, (other) => void other.sendEvery(monthly, "charge", 1, { startAt: START })),
    ],
  ];
  it.each(ways)(
    "is due at the same wall time, at the end of short months too, declared %s",
    async (_, declare) => {
      stopClock(START - DAY);
      const { box, planned } = billing();
      await declare(box);
      await runUntil(box, START + 220 * DAY);
      // 9 o'clock in Berlin: from 28 March to 31 October that is an hour earlier in UTC.
      expect(planned).toEqual([
      "2027-01-31T08:00", "2027-02-28T08:00", "2027-03-31T07:00", "2027-04-30T07:00", "2027-05-31T07:00", "2027-06-30T07:00",
      "2027-07-31T07:00", "2027-08-31T07:00",
    ]); // prettier-ignore
      expect((await box.ref.recurrences()).items).toMatchObject([
        {
          rule: "every 1 month in Europe/Berlin",
          delivered: 8,
          dead: 0,
          skipped: 0,
          nextAt: Date.UTC(2027, 8, 30, 7),
        },
      ]);
    },
  );

  it("is one however often and from wherever it is declared, and writes nothing again", async () => {
    stopClock(START);
    const { box } = billing();
    const id = await box.ref.sendEvery(monthly, "charge", 1);
    const [first] = (await box.ref.recurrences()).items;
    moveClock(5 * DAY);
    const written = await box.inside(async (self, { storage }) => {
      const rows = storage.sql.exec("SELECT * FROM _mailbox_recurrences").toArray();
      self.sendEvery({ every: " 1 Month ", timeZone: "europe/berlin" }, "charge", 1);
      return [rows, storage.sql.exec("SELECT * FROM _mailbox_recurrences").toArray()];
    });
    expect(written[1]).toEqual(written[0]);
    expect(await byAnother(box, (other) => other.sendEvery(monthly, "charge", 1))).toBe(id);
    // Without a start it keeps the anchor that it got the first time.
    expect((await box.ref.recurrences()).items).toEqual([first]);
    expect(first?.nextAt).toBe(Date.UTC(2027, 1, 28, 8));
  });

  it("is planned anew from now when its interval, its zone or its start has changed", async () => {
    stopClock(START);
    const { box } = billing();
    await box.ref.sendEvery(monthly, "charge", 1);
    const next = async (): Promise<string> => iso((await box.ref.recurrences()).items[0]?.nextAt ?? 0);
    await box.ref.sendEvery({ every: "2 weeks", timeZone: "Europe/Berlin" }, "charge", 1);
    expect(await next()).toBe("2027-02-14T08:00");
    await box.ref.sendEvery({ every: "1 year" }, "charge", 1);
    expect(await next()).toBe("2028-01-31T08:00");
    await box.ref.sendEvery({ every: "1 year" }, "charge", 1, { startAt: START + DAY });
    expect(await next()).toBe("2027-02-01T08:00");
  });

  it("ends after its times, or with until", async () => {
    stopClock(START - 1);
    const { box, planned } = billing();
    await box.ref.sendEvery({ every: "1 day" }, "charge", 1, { key: "a", startAt: START, times: 2 });
    await box.ref.sendEvery({ every: "1 year" }, "charge", 1, {
      key: "b",
      startAt: START,
      until: START + 366 * DAY,
    });
    await runUntil(box, START + 800 * DAY);
    expect(planned.toSorted()).toEqual([
      "2027-01-31T08:00",
      "2027-01-31T08:00",
      "2027-02-01T08:00",
      "2028-01-31T08:00",
    ]);
    expect((await box.ref.recurrences()).items).toMatchObject([{ ended: true }, { ended: true }]);
  });

  it.each([
    ["latest", ["2027-06-30T07:00"]],
    ["skip", []],
    [
      "all",
      [
        "2027-01-31T08:00",
        "2027-02-28T08:00",
        "2027-03-31T07:00",
        "2027-04-30T07:00",
        "2027-05-31T07:00",
        "2027-06-30T07:00",
      ],
    ],
  ] as const)("makes up for missed ones as any other: %s", async (missed, expected) => {
    stopClock(START - DAY);
    const { box, planned } = billing();
    await box.ref.sendEvery(monthly, "charge", 1, { startAt: START, missed });
    moveClock(165 * DAY);
    await box.drain();
    expect(planned).toEqual(expected);
    expect((await box.ref.recurrences()).items).toMatchObject([{ nextAt: Date.UTC(2027, 6, 31, 7) }]);
  });

  it("is refused where it is none, by a ref, on the actor and through the outbox", async () => {
    const { box } = billing();
    const wrong = { every: "1.5 months" };
    await expect(box.ref.sendEvery(wrong, "charge", 1)).rejects.toThrow(InvalidRecurrenceError);
    await box.inside((self) =>
      expect(() => self.sendEvery(wrong, "charge", 1)).toThrow(InvalidRecurrenceError),
    );
    await byAnother(box, (other) =>
      expect(() => other.sendEvery(wrong, "charge", 1)).toThrow(InvalidRecurrenceError),
    );
  });
});

/** Does something with an actor from inside another one, and relays what it sent. */
async function byAnother<T>(
  box: Scripted,
  act: (other: ReturnType<ScriptedActor["other"]>) => T,
): Promise<T> {
  const sender = actor({ receive: {} });
  const answer = await sender.inside((self) => act(self.other(box.name)));
  await sender.drain();
  return answer;
}
