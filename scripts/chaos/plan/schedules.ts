// One recurrence, declared to several actors in one commit: some take it, some refuse it, some are out of order.

import { CLERKS, IMPATIENT, NARROW, NARROW_INTERVAL_MS, SHAKY } from "../actors.ts";
import type { Act } from "../parcel.ts";
import { simple } from "./parcels.ts";
import { doing } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

export function schedules(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 0.5, (at, index) => {
    const actor = random.pick([random.int(0, CLERKS - 1), IMPATIENT]);
    const everyMs = random.pick([500, NARROW_INTERVAL_MS]);
    const common = {
      key: `shared-${index}`,
      everyMs,
      missed: "latest",
      throwEvery: 0,
      rejectEvery: 0,
    } as const;
    const targets = [...NARROW, ...SHAKY, (actor + 1) % CLERKS].filter(() => random.chance(0.7));
    const acts = targets.map((to): Act => ({
      do: "declare",
      rhythm: { ...common, to, times: 3, tells: to },
    }));
    if (random.chance(0.6)) return [order(at, actor, doing(...acts))];
    return [{ at, do: "send", parcels: [simple(`h${index}`, actor, { scenes: [doing(...acts)] })] }];
  });
}
