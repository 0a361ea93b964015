// Messages to and from the actor whose storage is put back to an earlier copy. Those that are sent after it are
// delivered as any others, whatever numbers of theirs have been used before.

import { CLERKS, FORGETFUL } from "../actors.ts";
import type { Act } from "../parcel.ts";
import { simple } from "./parcels.ts";
import { doing, sending } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

/** Few, so that each has had many of its messages. */
const TARGETS = 2;

export function copies(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 1.5, (at, index) => {
    const n = `f${index}`;
    const to = random.int(0, TARGETS - 1);
    const delay = random.chance(0.3) ? { delay: random.int(100, 2_000) } : {};
    return random.weighted<() => readonly Step[]>([
      [
        2,
        () => [
          { at, do: "send", parcels: [simple(n, FORGETFUL, { ...delay, sends: [simple(`${n}.0`, to)] })] },
        ],
      ],
      [1, () => [order(at, random.int(0, CLERKS - 1), sending([simple(n, FORGETFUL, delay)]))]],
      [2, () => [order(at, FORGETFUL, sending([simple(n, to, delay)]))]],
      [
        2,
        // Its numbers have holes.
        () => {
          const parcels = Array.from({ length: random.int(10, 30) }, (_, part) => simple(`${n}.${part}`, to));
          const acts = parcels.flatMap((parcel): Act[] =>
            random.chance(0.4)
              ? [
                  { do: "send", parcel },
                  { do: "cancel there", n: parcel.n, to },
                ]
              : [{ do: "send", parcel }],
          );
          return [order(at, FORGETFUL, doing(...acts))];
        },
      ],
    ])();
  });
}
