// Pausing is a stored flag: a running attempt ends, no new one begins, everything else goes on.

import type { Core } from "../host/context.ts";

export function pause(core: Core): void {
  if (core.paused) return;
  core.meta.set("paused", true);
  core.generation += 1;
}

export function resume(core: Core): void {
  if (!core.paused) return;
  core.meta.clear("paused");
  core.generation += 1;
  core.wake.arm(core.head());
}
