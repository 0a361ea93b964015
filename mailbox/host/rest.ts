// What work in pages does between two of them.

import { sleep } from "../time/clock.ts";
import type { Core } from "./context.ts";

/**
 * Commits the page that was done, and lets others in. Those who wait for the object get in with the commit; the
 * runtime looks after sockets and timers only when nothing else can run.
 */
export async function rest(core: Core): Promise<void> {
  await sleep(0);
  await core.committed();
  // All storage may have been deleted meanwhile.
  core.ready();
}
