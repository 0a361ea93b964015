// What is in every plan: messages to and between the clerks, and every verb.

import { CLERKS } from "../actors.ts";
import { type Parcel, type Rhythm, rhythmName } from "../parcel.ts";
import { lines, makeParcel, other } from "./parcels.ts";
import type { Random } from "./random.ts";
import { makeRhythm } from "./rhythms.ts";
import { sending } from "./scenes.ts";
import { type Kitchen, order, type Step } from "./steps.ts";

const STEPS_A_SECOND = 30;
/** How far back a cancel looks for its message. */
const NEAR = 25;

export function commonSteps(kitchen: Kitchen): Step[] {
  const { random, ms, startAt } = kitchen;
  const steady = Array.from({ length: 6 }, (_, index) => makeRhythm(kitchen, `steady-${index}`));
  // Declared again and again with another interval, so they are planned anew.
  const moody = Array.from({ length: 2 }, (_, index): Rhythm => {
    const { times: _times, until: _until, ...rhythm } = makeRhythm(kitchen, `moody-${index}`);
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
        () => {
          const isTakenBack = random.chance(0.2);
          const parcels = random.chance(0.4)
            ? lines(random, `${index}`, other(random, actor), random.int(2, 6))
            : [told(0, actor), told(1, other(random, actor))];
          const scene = sending(parcels);
          return order(at, actor, isTakenBack ? { ...scene, within: "transactionSync", isTakenBack } : scene);
        },
      ],
      [
        0.3,
        // More than a batch of the outbox, and than the first pages of a drain.
        () => {
          const to = other(random, actor);
          return order(at, actor, sending(lines(random, `${index}`, to, random.int(100, 350))));
        },
      ],
      [
        3,
        () => order(at, actor, { within: "nothing", acts: [{ do: "declare", rhythm: random.pick(steady) }] }),
      ],
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
          const rhythm = { ...makeRhythm(kitchen, key), to: actor };
          steps.push({ at: at + random.int(500, 6_000), do: "end", name: rhythmName(rhythm) });
          return { at, do: "declare", rhythm };
        },
      ],
    ])();
    if (step.do === "send") {
      for (const { n, delay = 0, key } of step.parcels) if (delay > 0 && key === undefined) delayed.push(n);
    }
    steps.push(step);
  }
  return steps;
}

/** A message from outside that may wait still; at the beginning there is none, and its number is unknown. */
function recent(random: Random, delayed: readonly string[]): string {
  return delayed.length === 0 ? "" : random.pick(delayed.slice(-NEAR));
}
