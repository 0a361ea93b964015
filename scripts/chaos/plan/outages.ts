// Receivers that do not answer for the whole of some lives of the runtime: what is sent to them waits, or is given
// up by a sender that does not wait long; and is cancelled and redriven meanwhile.

import { CLERKS, IMPATIENT, SHAKY } from "../actors.ts";
import type { Act, Parcel } from "../parcel.ts";
import { makeParcel, simple } from "./parcels.ts";
import { doing, sending } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

/** Longer than the impatient one waits. */
const LATER_MS = 15_000;

export function outages(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 2, (at, index) => {
    const actor = random.chance(0.75) ? IMPATIENT : random.int(0, CLERKS - 1);
    const to = random.pick(SHAKY);
    const n = `o${index}`;
    const parcel = (part: number): Parcel =>
      simple(`${n}.${part}`, to, random.chance(0.6) ? { delay: random.int(200, LATER_MS) } : {});
    const wait: Act = { do: "wait", ms: random.int(100, 1_500) };
    return random.weighted<() => readonly Step[]>([
      [4, () => [order(at, actor, sending([0, 1].map(parcel)))]],
      [
        2,
        () => {
          const [first, second] = [parcel(0), parcel(1)];
          return [
            order(
              at,
              actor,
              doing(
                { do: "send", parcel: first },
                wait,
                { do: "send", parcel: second },
                { do: "cancel there", n: second.n, to },
                { do: "cancel there", n: first.n, to },
              ),
            ),
          ];
        },
      ],
      [2, () => [{ at, do: "send", parcels: [simple(n, actor, { sends: [parcel(0)] })] }]],
      // They send as well, also when they do not answer.
      [2, () => [order(at, to, sending([makeParcel(random, n, random.int(0, CLERKS - 1), [], to)]))]],
      [1, () => [{ at, do: "send", parcels: [parcel(0)] }]],
      [
        4,
        () => {
          const way = random.pick(["repaired", "as it was", "all", "all"] as const);
          return [{ at, do: "redrive", actor: IMPATIENT, count: random.int(1, 10), way }];
        },
      ],
    ])();
  });
}
