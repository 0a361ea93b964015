// Makes recurrences.

import { CLERKS } from "../actors.ts";
import type { Rhythm } from "../parcel.ts";
import type { Kitchen } from "./steps.ts";

export function makeRhythm({ random, startAt, ms }: Kitchen, key: string): Rhythm {
  return {
    key,
    to: random.int(0, CLERKS - 1),
    everyMs: random.int(1, 8) * 100,
    missed: random.pick(["latest", "latest", "skip", "all"] as const),
    throwEvery: random.pick([0, 3, 4]),
    rejectEvery: random.pick([0, 0, 7]),
    tells: random.int(0, CLERKS - 1),
    ...(random.chance(0.6) ? { startAt: startAt + random.int(-5_000, ms / 2) } : {}),
    ...(random.chance(0.5) ? { times: random.int(5, 30) } : {}),
    ...(random.chance(0.2) ? { until: startAt + random.int(5_000, ms + 5_000) } : {}),
  };
}
