// What whole lives of messages cost, from the send to the end, as docs/cost.md has it: its table is
// read here, so that neither can change without the other.

import { beforeAll, describe, expect, it } from "vitest";
import costPage from "../../docs/cost.md?raw";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { type Cost, costOf, installMeter, shown } from "../support/meter.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** Rows that the page says a pattern writes, `setAlarm` included. */
function rowsOnPage(pattern: string): number {
  const line = costPage.split("\n").find((text) => text.startsWith(`| ${pattern} |`));
  return Number(line?.split("|")[2]);
}

/** An actor in use: what an instance reads once is read, and what it has once is written. */
async function inUse(): Promise<Scripted> {
  stopClock();
  let failures = 0;
  const box = actor({
    policy: { backoff: 1_000 },
    receive: {
      note: () => {},
      flaky: () => {
        failures += 1;
        if (failures % 2 === 1) throw new Error("every other time");
      },
      fail: () => {
        throw new Error("always");
      },
    },
  });
  await box.ref.send("note", 0);
  await box.drain();
  return box;
}

/** Does it, and drains until nothing is left. */
async function untilDone(box: Scripted, begin: () => unknown, drains: number): Promise<Cost> {
  return costOf(async () => {
    await begin();
    for (let drain = 0; drain < drains; drain += 1) {
      moveClock(HOUR);
      await box.drain({ scheduledTime: Date.now() });
    }
  });
}

const many = (count: number, options: object = {}): { type: string; payload: unknown }[] =>
  Array.from({ length: count }, (_, n) => ({ type: "note", payload: n, ...options }));

/** Each pattern of the page: rows written for one message. */
const patterns: Record<string, () => Promise<{ cost: Cost; messages: number }>> = {
  "one message, alone in its actor": async () => {
    const box = await inUse();
    return { cost: await untilDone(box, () => box.ref.sendIn("1 hour", "note", 1), 1), messages: 1 };
  },
  "one of many that wait": async () => {
    const box = await inUse();
    const cost = await untilDone(
      box,
      async () => {
        for (let n = 0; n < 200; n += 1) await box.ref.sendIn("1 hour", "note", n);
      },
      1,
    );
    return { cost, messages: 200 };
  },
  "one of a `sendAll`": async () => {
    const box = await inUse();
    return {
      cost: await untilDone(box, () => box.ref.sendAll(many(1_000, { in: "1 hour" })), 1),
      messages: 1_000,
    };
  },
  "alone, with a key": async () => {
    const box = await inUse();
    const begin = (): Promise<string> => box.ref.sendIn("1 hour", "note", 1, { key: "k" });
    return { cost: await untilDone(box, begin, 1), messages: 1 };
  },
  "a reminder moved on once by `replace`": async () => {
    const box = await inUse();
    const begin = async (): Promise<void> => {
      const options = { key: "k", ifPending: "replace" } as const;
      await box.ref.sendIn("1 hour", "note", 1, options);
      await box.ref.sendIn("1 hour", "note", 2, options);
    };
    return { cost: await untilDone(box, begin, 1), messages: 1 };
  },
  "an occurrence of a recurrence": async () => {
    const box = await inUse();
    await box.ref.sendEvery("1 hour", "note", 1);
    return { cost: await untilDone(box, () => {}, 10), messages: 10 };
  },
  "alone, fails once, then succeeds": async () => {
    const box = await inUse();
    return { cost: await untilDone(box, () => box.ref.sendIn("1 hour", "flaky", 1), 2), messages: 1 };
  },
  "alone, fails five times, and is purged": async () => {
    const box = await inUse();
    const begin = (): Promise<string> => box.ref.sendIn("1 hour", "fail", 1);
    const dying = await untilDone(box, begin, 5);
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1, pending: 0 });
    const purging = await costOf(() => box.ref.purgeAll());
    return {
      cost: {
        ...dying,
        written: dying.written + purging.written,
        setAlarm: dying.setAlarm + purging.setAlarm,
      },
      messages: 1,
    };
  },
  "to another actor, alone": async () => {
    const [box, other] = [await inUse(), await inUse()];
    await box.inside((self) => self.other(other.name).send("note", 0));
    await box.drain();
    await other.drain();
    const cost = await costOf(async () => {
      await box.inside((self) => self.other(other.name).send("note", 1));
      await box.drain();
      await other.drain();
    });
    expect(await other.ref.stats()).toMatchObject({ pending: 0, delivered: 3 });
    return { cost, messages: 1 };
  },
  "to another actor, one of a hundred": async () => {
    const [box, other] = [await inUse(), await inUse()];
    const cost = await costOf(async () => {
      await box.inside((self) => void self.other(other.name).sendAll(many(100)));
      await box.drain();
      await other.drain();
    });
    expect(await other.ref.stats()).toMatchObject({ pending: 0, delivered: 101 });
    return { cost, messages: 100 };
  },
};

describe("What docs/cost.md says that a message costs", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  for (const [pattern, run] of Object.entries(patterns)) {
    it(`${pattern}: is what it costs`, async () => {
      const { cost, messages } = await run();
      const rows = Math.round(((cost.written + cost.setAlarm) / messages) * 100) / 100;
      const detail = messages === 1 ? `${shown(cost)}\n` : "";
      expect(rows, `${detail}${cost.setAlarm} setAlarm`).toBe(rowsOnPage(pattern));
    });
  }

  it("has no pattern that is not measured here", () => {
    const listed = costPage.split("\n").flatMap((line) => /^\| ([^|]+) \| [\d.]+ \|/.exec(line)?.[1] ?? []);
    expect(new Set(listed)).toEqual(new Set(Object.keys(patterns)));
  });
});
