// The plan of a run: a function of the seed and the length, so that a seed that failed can be run again.
// When each step meets which kill is not: that is the wall clock's, and differs from run to run.

import { lines, makeParcel, other } from "./parcels.ts";
import { CLERKS, type Order, type Parcel, type Rhythm } from "./parcel.ts";
import { Random } from "./random.ts";

/** One thing that the harness does from outside, at `at` milliseconds of the run. */
export type Step = { readonly at: number } & (
  | { readonly do: "send"; readonly parcels: readonly Parcel[] }
  | ({ readonly do: "order" } & Order)
  | { readonly do: "cancel"; readonly n: string }
  | { readonly do: "reschedule"; readonly n: string; readonly delay: number }
  | {
      readonly do: "redrive";
      readonly actor: number;
      readonly count: number;
      readonly way: "repaired" | "as it was" | "all";
    }
  | { readonly do: "purge"; readonly actor: number; readonly count: number; readonly way: "one" | "all" }
  | { readonly do: "declare"; readonly rhythm: Rhythm }
  | { readonly do: "end"; readonly key: string }
  | { readonly do: "pause"; readonly actor: number; readonly ms: number }
  /** Looks at occurrences that wait; perhaps one of them is cancelled or rescheduled. */
  | { readonly do: "look"; readonly actor: number; readonly act: "cancel" | "reschedule" | "none" }
  | { readonly do: "startAlarm"; readonly actor: number; readonly rounds: number; readonly everyMs: number }
);

export interface Plan {
  readonly steps: readonly Step[];
  /** How long each life of the runtime lasts until it is killed, and whether its code is of an older version. */
  readonly lives: readonly Life[];
  /** What becomes of the dead letters that are left at the end, one after the other. */
  readonly lastRites: readonly ("repaired" | "as it was" | "purged" | "left")[];
}

export interface Life {
  readonly ms: number;
  readonly isOld: boolean;
}

const STEPS_A_SECOND = 30;
/** How far back a cancel looks for its message. */
const NEAR = 25;
const LIFE_MIN_MS = 6_000;
const LIFE_MAX_MS = 15_000;

/** @param startAt when the run begins: the recurrences' planned times are counted from there */
export function makePlan(seed: number, seconds: number, startAt: number): Plan {
  const random = new Random(seed);
  return {
    steps: makeSteps(random.fork(1), seconds * 1_000, startAt),
    lives: makeLives(random.fork(2), seconds * 1_000),
    lastRites: Array.from({ length: 997 }, () =>
      random.weighted([
        [4, "repaired" as const],
        [2, "as it was" as const],
        [2, "purged" as const],
        [2, "left" as const],
      ]),
    ),
  };
}

/** Every life is at most a quarter of the run, so that there are three kills at least. */
function makeLives(random: Random, ms: number): Life[] {
  const max = Math.min(LIFE_MAX_MS, ms / 4);
  const min = Math.min(LIFE_MIN_MS, max / 2);
  // Now and then the next kill comes while the runtime has hardly started.
  const life = (): number => (random.chance(0.12) ? random.int(0, 400) : random.int(min, max));
  return Array.from({ length: Math.ceil(ms / min) * 2 }, () => ({ ms: life(), isOld: random.chance(0.3) }));
}

function makeSteps(random: Random, ms: number, startAt: number): Step[] {
  const steady = Array.from({ length: 6 }, (_, index) => makeRhythm(random, `steady-${index}`, startAt, ms));
  // Declared again and again with another interval, so they are planned anew.
  const moody = Array.from({ length: 2 }, (_, index): Rhythm => {
    const { times: _times, until: _until, ...rhythm } = makeRhythm(random, `moody-${index}`, startAt, ms);
    return { ...rhythm, startAt: startAt + index, throwEvery: 0, rejectEvery: 0 };
  });
  const steps: Step[] = [0, 1, 2, 3].map((index) => ({
    at: random.int(0, 2_000),
    do: "startAlarm",
    actor: index * 4 + random.int(0, 3),
    rounds: Math.floor(ms / 1_000),
    everyMs: random.int(3, 9) * 100,
  }));
  /** Numbers of delayed messages that were sent from outside, the latest last. */
  const delayed: string[] = [];
  let rhythms = 0;
  const count = Math.floor((ms / 1_000) * STEPS_A_SECOND);
  for (let index = 0; index < count; index += 1) {
    const at = Math.floor((index * 1_000) / STEPS_A_SECOND) + random.int(0, 200);
    const actor = random.int(0, CLERKS - 1);
    const root = (part: number, to: number): Parcel => makeParcel(random, `${index}-${part}`, to, steady);
    const told = (part: number, to: number): Parcel =>
      makeParcel(random, `${index}-${part}`, to, steady, actor);
    const step = random.weighted<() => Step>([
      [55, () => ({ at, do: "send", parcels: [root(0, actor)] })],
      [
        5,
        () => ({
          at,
          do: "send",
          parcels: Array.from({ length: random.int(2, 5) }, (_, part) => root(part, actor)),
        }),
      ],
      [
        10,
        () => ({
          at,
          do: "order",
          actor,
          fails: random.chance(0.2),
          declares: [],
          parcels: random.chance(0.4)
            ? lines(random, `${index}`, other(random, actor), random.int(2, 6))
            : [told(0, actor), told(1, other(random, actor))],
        }),
      ],
      [
        0.3,
        // More than a batch of the outbox, and than the first pages of a drain.
        () => ({
          at,
          do: "order",
          actor,
          fails: false,
          declares: [],
          parcels: lines(random, `${index}`, other(random, actor), random.int(100, 350)),
        }),
      ],
      [3, () => ({ at, do: "order", actor, fails: false, parcels: [], declares: [random.pick(steady)] })],
      [2, () => ({ at, do: "declare", rhythm: random.pick(steady) })],
      [
        1,
        () => ({
          at,
          do: "declare",
          rhythm: { ...random.pick(moody), everyMs: random.int(1, 8) * 100 },
        }),
      ],
      [7, () => ({ at, do: "cancel", n: recent(random, delayed) })],
      [4, () => ({ at, do: "reschedule", n: recent(random, delayed), delay: random.int(0, 3_000) })],
      [
        4,
        () => ({
          at,
          do: "redrive",
          actor,
          count: random.int(1, 4),
          way: random.pick(["repaired", "repaired", "as it was", "all"] as const),
        }),
      ],
      [
        2,
        () => ({
          at,
          do: "purge",
          actor,
          count: random.int(1, 3),
          way: random.pick(["one", "all"] as const),
        }),
      ],
      [1, () => ({ at, do: "pause", actor, ms: random.int(100, 2_000) })],
      [3, () => ({ at, do: "look", actor, act: random.pick(["cancel", "reschedule", "none"] as const) })],
      [
        2,
        () => {
          // One that is declared once, and ended at some time after.
          const key = `brief-${(rhythms += 1)}`;
          steps.push({ at: at + random.int(500, 6_000), do: "end", key });
          return { at, do: "declare", rhythm: { ...makeRhythm(random, key, startAt, ms), to: actor } };
        },
      ],
    ])();
    if (step.do === "send") {
      for (const { n, delay = 0, key } of step.parcels) if (delay > 0 && key === undefined) delayed.push(n);
    }
    steps.push(step);
  }
  return steps.toSorted((a, b) => a.at - b.at);
}

/** A message from outside that may wait still; at the beginning there is none, and its number is unknown. */
function recent(random: Random, delayed: readonly string[]): string {
  return delayed.length === 0 ? "" : random.pick(delayed.slice(-NEAR));
}

function makeRhythm(random: Random, key: string, startAt: number, ms: number): Rhythm {
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
