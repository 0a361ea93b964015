// Receivers that refuse: payloads that are too large for them, recurrences that are too quick, and whatever
// comes while they are full. Their answers are often lost, so that the same is refused again.

import { CLERKS, FULL, NARROW, NARROW_BYTES, NARROW_INTERVAL_MS } from "../actors.ts";
import type { Act, Parcel, Rhythm } from "../parcel.ts";
import { simple } from "./parcels.ts";
import type { Random } from "./random.ts";
import { doing } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

export function refusals(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 1.5, (at, index) => {
    const actor = random.int(0, CLERKS - 1);
    const n = `r${index}`;
    const scene = random.chance(0.7)
      ? doing(...toNarrow(random, n, index))
      : doing(...toFull(random, n).map((parcel): Act => ({ do: "send", parcel })));
    const step = random.weighted<() => Step>([
      [3, () => order(at, actor, scene)],
      [3, () => ({ at, do: "send", parcels: [simple(n, actor, { kind: "note", scenes: [scene] })] })],
      [2, () => ({ at, do: "send", parcels: [simple(n, actor, { kind: "chore", scenes: [scene] })] })],
      [1, () => ({ at, do: "send", parcels: toFull(random, n).slice(0, random.int(1, 2)) })],
      [1, () => ({ at, do: "redrive", actor, count: 3, way: random.pick(["repaired", "all"] as const) })],
    ])();
    return [step];
  });
}

/** What it takes and what it never takes, in any order. */
function toNarrow(random: Random, n: string, index: number): Act[] {
  const to = random.pick(NARROW);
  return Array.from({ length: random.int(1, 4) }, (_, part): Act => {
    if (random.chance(0.2))
      return { do: "declare", rhythm: quickOrNot(random, `narrow-${index}-${part}`, to) };
    const bulk = random.chance(0.4) ? { bulk: NARROW_BYTES + random.int(0, 2_000) } : {};
    return { do: "send", parcel: simple(`${n}.${part}`, to, bulk) };
  });
}

function quickOrNot(random: Random, key: string, to: number): Rhythm {
  const everyMs = random.chance(0.5) ? NARROW_INTERVAL_MS : 300;
  return { key, to, everyMs, times: 2, missed: "latest", throwEvery: 0, rejectEvery: 0, tells: to };
}

function toFull(random: Random, n: string): Parcel[] {
  return Array.from({ length: random.int(1, 8) }, (_, part) =>
    simple(`${n}.${part}`, FULL, { delay: random.int(0, 2_000) }),
  );
}
