import { beforeAll, describe, expect, it } from "vitest";
import { byteLength, encodePayload } from "../../mailbox/payload/codec.ts";
import { fitsBulk, insertPlainRows } from "../../mailbox/store/bulk.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { type Cost, costOf, installMeter, shown } from "../support/meter.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const DAY = 86_400_000;

/** An actor with messages that wait for far later, once it is warm: what an instance reads once is read. */
async function crowded(pending: number): Promise<Scripted> {
  stopClock();
  const box = actor({ receive: { note: () => {}, fail: () => Promise.reject(new Error("no")) } });
  await box.inside((self) => {
    const entries = Array.from({ length: pending }, (_, n) => ({ type: "note", payload: n, in: DAY }));
    for (let start = 0; start < pending; start += 5_000) self.sendAll(entries.slice(start, start + 5_000));
  });
  await box.drain();
  return box;
}

/** What the numbers are about, without the statements. */
function rows({ read, written, setAlarm }: Cost): { read: number; written: number; setAlarm: number } {
  return { read, written, setAlarm };
}

describe("What a message costs", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  for (const pending of [10, 10_000]) {
    describe(`with ${pending} pending`, () => {
      it("writes one row to accept a message from a ref, and arms the alarm for a new head only", async () => {
        const box = await crowded(pending);
        const first = await costOf(() => box.ref.sendIn("1 hour", "note", 1));
        expect(rows(first), shown(first)).toEqual({ read: 0, written: 1, setAlarm: 1 });
        const later = await costOf(() => box.ref.sendIn("2 hours", "note", 1));
        expect(rows(later)).toEqual({ read: 0, written: 1, setAlarm: 0 });
        const same = await costOf(() => box.ref.sendIn("1 hour", "note", 1));
        expect(rows(same)).toEqual({ read: 0, written: 1, setAlarm: 0 });
        const now = await costOf(() => box.ref.send("note", 1));
        expect(rows(now)).toEqual({ read: 0, written: 1, setAlarm: 1 });
      });

      it("writes one row to accept a message on the actor itself", async () => {
        const box = await crowded(pending);
        await box.ref.send("note", 1);
        const own = await costOf(() => box.inside((self) => self.send("note", 1)));
        expect(rows(own), shown(own)).toEqual({ read: 0, written: 1, setAlarm: 0 });
      });

      it("writes one row for each message of a sendAll", async () => {
        const box = await crowded(pending);
        const entries = Array.from({ length: 100 }, (_, n) => ({ type: "note", payload: n }));
        const own = await costOf(() => box.inside((self) => self.sendAll(entries)));
        // The messages come to the statement as one list, each entry of which counts as a row read.
        expect(rows(own)).toEqual({ read: 100, written: 100, setAlarm: 1 });
        const outside = await costOf(() => box.ref.sendAll(entries));
        expect(rows(outside)).toEqual({ read: 200, written: 100, setAlarm: 0 });
      });

      it("arms the alarm once for many messages that are overdue", async () => {
        const box = await crowded(pending);
        const past = Date.now() - 1_000;
        const cost = await costOf(() =>
          box.inside((self) => {
            for (let n = 0; n < 20; n += 1) self.sendLater(past + n, "note", n);
          }),
        );
        expect(rows(cost)).toEqual({ read: 0, written: 20, setAlarm: 1 });
      });

      it("writes one row to acknowledge a message, and reads at most three", async () => {
        const box = await crowded(pending);
        await box.ref.send("note", 1);
        const cost = await costOf(() => box.drain());
        // The alarm is armed anew for the head that is left.
        expect(rows(cost), shown(cost)).toEqual({ read: 3, written: 1, setAlarm: 1 });
      });

      it("writes one row for each message of a backlog, and reads at most three", async () => {
        const box = await crowded(pending);
        const entries = Array.from({ length: 500 }, (_, n) => ({ type: "note", payload: n }));
        await box.ref.sendAll(entries);
        const cost = await costOf(() => box.drain());
        expect(cost).toMatchObject({ written: 500, setAlarm: 1 });
        expect(cost.read).toBeLessThanOrEqual(3 * 500);
      });

      it("writes one row to cancel a message, and none for an id that is unknown", async () => {
        const box = await crowded(pending);
        const id = await box.ref.sendIn("2 days", "note", 1);
        const cost = await costOf(() => box.ref.cancel(id));
        expect(cost).toMatchObject({ written: 1, setAlarm: 0 });
        expect(cost.read).toBeLessThanOrEqual(3);
        const again = await costOf(() => box.ref.cancel(id));
        expect(rows(again)).toEqual({ read: 0, written: 0, setAlarm: 0 });
      });

      it("reads no more than the row for a message that is looked up by id or by key", async () => {
        const box = await crowded(pending);
        const id = await box.ref.sendIn("2 days", "note", 1, { key: "k" });
        expect(rows(await costOf(() => box.ref.get(id)))).toEqual({ read: 1, written: 0, setAlarm: 0 });
        const byKey = await costOf(() => box.ref.get({ type: "note", key: "k" }));
        expect(byKey.read).toBeLessThanOrEqual(2);
      });
    });
  }

  it("writes one row on each side of an outbox for a message, one for its batch, and arms once", async () => {
    stopClock();
    const target = actor({ receive: { note: () => {} } });
    await target.ref.pause();
    const box = actor({ receive: {} });
    await box.ref.stats();
    await box.drain();
    const messages = Array.from({ length: 100 }, (_, n) => ({ type: "note", payload: n }));
    const sent = await costOf(() => box.inside((self) => void self.other(target.name).sendAll(messages)));
    expect(sent.written, shown(sent)).toBeLessThanOrEqual(100 + 1);
    await target.ref.resume();
    const relayed = await costOf(() => box.drain());
    // 100 rows and the sender's mark there; 100 rows deleted and the route twice here.
    expect(relayed.written, shown(relayed)).toBeLessThanOrEqual(200 + 3);
    expect(relayed.setAlarm, shown(relayed)).toBeLessThanOrEqual(2);
    expect((await target.ref.stats()).pending).toBe(100);
  });

  it("writes nothing when there is nothing to do", async () => {
    const box = await crowded(0);
    expect(rows(await costOf(() => box.drain()))).toEqual({ read: 0, written: 0, setAlarm: 0 });
    await box.ref.sendIn("1 day", "note", 1);
    const early = await costOf(() => box.drain());
    expect(rows(early)).toEqual({ read: 0, written: 0, setAlarm: 1 });
  });

  it("writes a second row for the key of a keyed message, and none for one that is kept", async () => {
    const box = await crowded(10);
    const keyed = await costOf(() => box.ref.sendIn("1 day", "note", 1, { key: "k" }));
    expect(keyed).toMatchObject({ written: 2, setAlarm: 0 });
    const kept = await costOf(() => box.ref.sendIn("1 day", "note", 1, { key: "k" }));
    expect(kept).toMatchObject({ written: 0, setAlarm: 0 });
  });

  it("writes at most three rows to move a message that failed", async () => {
    const box = await crowded(10);
    await box.ref.send("fail", 1);
    const cost = await costOf(() => box.drain());
    // The row in its new place, and the index of those that moved.
    expect(cost.written, shown(cost)).toBeLessThanOrEqual(3);
  });
});

describe("a statement over many messages", () => {
  it("binds no text that the platform would refuse, whatever has to be escaped in it", () => {
    const texts: string[] = [];
    const sql = { exec: (_: string, text: string) => void texts.push(text) };
    const html = (lines: number): string => encodePayload('<a href="x">y</a>\n'.repeat(lines));
    const rows = Array.from({ length: 40 }, (_, n) => html(n * 300)).filter((payload, n) =>
      fitsBulk({ due: 1, id: String(n), type: "note", payload }),
    );
    insertPlainRows(
      sql as unknown as SqlStorage,
      rows.map((payload, n) => ({ due: 1, id: String(n), type: "note", payload })),
    );
    expect(texts.flatMap((text) => JSON.parse(text) as unknown[])).toHaveLength(rows.length);
    expect(texts.length).toBeGreaterThan(1);
    for (const text of texts) expect(byteLength(text)).toBeLessThan(1024 * 1024);
  });
});

describe("What a recurrence costs", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  for (const pending of [10, 10_000]) {
    it(`writes at most two rows an occurrence beside the alarm, with ${pending} pending`, async () => {
      const box = await crowded(pending);
      await box.ref.sendEvery("1 hour", "note", 1);
      for (let n = 0; n < 3; n += 1) {
        moveClock(3_600_000);
        const cost = await costOf(() => box.drain());
        expect(cost.written, shown(cost)).toBeLessThanOrEqual(2);
        expect(cost.setAlarm).toBe(1);
      }
    });
  }

  it("writes nothing when it is declared again", async () => {
    const box = await crowded(10);
    const declare = (): Promise<string> =>
      box.ref.sendEvery(
        { cron: "0 9 * * 1" },
        "note",
        { a: [1] },
        { key: "k", maxAttempts: 2, until: until },
      );
    const until = new Date(Date.now() + 300 * DAY);
    await declare();
    const again = await costOf(declare);
    expect(rows(again), shown(again)).toEqual({ read: 1, written: 0, setAlarm: 0 });
    const inside = await costOf(() =>
      box.inside((self) =>
        self.sendEvery({ cron: "0 9 * * 1" }, "note", { a: [1] }, { key: "k", maxAttempts: 2, until }),
      ),
    );
    expect(rows(inside)).toEqual({ read: 1, written: 0, setAlarm: 0 });
    moveClock(DAY);
    // After so long it is looked once whether the alarm is still the right one.
    expect(rows(await costOf(declare))).toEqual({ read: 2, written: 0, setAlarm: 0 });
    expect(rows(await costOf(declare))).toEqual({ read: 1, written: 0, setAlarm: 0 });
  });
});
