// Answers that are lost on their way from any actor; how often is a matter of the lives. What cannot be made
// again without harm is done most here: cancels by key, and verbs for all letters.

import { CLERKS } from "../actors.ts";
import { type Kitchen, repeatedly, type Step } from "./steps.ts";
import { SHARED_KEY } from "./parcels.ts";

export function losses(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 2, (at) => {
    const actor = random.int(0, CLERKS - 1);
    return random.weighted<() => readonly Step[]>([
      [4, () => [{ at, do: "cancel by key", actor, kind: "note", key: SHARED_KEY }]],
      [1, () => [{ at, do: "redrive", actor, count: 4, way: "all" }]],
      [1, () => [{ at, do: "purge", actor, count: 4, way: "all" }]],
    ])();
  });
}
