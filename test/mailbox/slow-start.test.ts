import { beforeAll, describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { type Cost, costOf, installMeter, shown } from "../support/meter.ts";
import { actor } from "../support/scripted.ts";

const HOUR = 3_600_000;
const COUNT = 50;

/** What a wake costs that delivers to an object which its own alarm makes anew. */
async function coldWake({
  alarmIsLateBy,
  startTakes,
}: {
  alarmIsLateBy: number;
  startTakes: number;
}): Promise<Cost> {
  const now = stopClockAhead();
  let delivered = 0;
  const receive = { note: () => void (delivered += 1) };
  const box = actor({ receive });
  await box.ref.sendAll(
    Array.from({ length: COUNT }, (_, n) => ({ type: "note", payload: n, at: new Date(now + HOUR) })),
  );
  // A constructor that asks a network for what it needs, and makes others wait.
  box.deploy({ receive, construct: () => void moveClock(startTakes) });
  await box.evict();
  moveClock(HOUR + alarmIsLateBy);
  const cost = await costOf(() => box.drain({ scheduledTime: now + HOUR }));
  expect(delivered).toBe(COUNT);
  return cost;
}

describe("What an object whose start takes long costs", () => {
  startClockAfterEach();
  beforeAll(installMeter);

  it.each([0, 300, 5_000])(
    "is what any other costs: a row for each message, after %i ms",
    async (startTakes) => {
      const cost = await coldWake({ alarmIsLateBy: 50, startTakes });
      expect(cost, shown(cost)).toMatchObject({ written: COUNT, setAlarm: 0 });
    },
  );

  it.each([0, 300])(
    "is three rows where its start began late: that may be a death, after %i ms",
    async (startTakes) => {
      const cost = await coldWake({ alarmIsLateBy: 150, startTakes });
      expect(cost.written, shown(cost)).toBeGreaterThanOrEqual(3 * COUNT);
    },
  );
});
