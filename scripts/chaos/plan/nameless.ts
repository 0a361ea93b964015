// Messages to and from actors of a class that has no name.

import { CLERKS, NAMELESS } from "../actors.ts";
import { makeParcel } from "./parcels.ts";
import { sending } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

export function nameless(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 1, (at, index) => {
    const actor = random.pick(NAMELESS);
    const clerk = random.int(0, CLERKS - 1);
    const n = `n${index}`;
    return [
      random.weighted<() => Step>([
        [1, () => ({ at, do: "send", parcels: [makeParcel(random, n, actor, [])] })],
        [1, () => order(at, actor, sending([makeParcel(random, n, clerk, [], actor)]))],
        [1, () => order(at, clerk, sending([makeParcel(random, n, actor, [], clerk)]))],
      ])(),
    ];
  });
}
