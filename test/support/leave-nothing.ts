// Runs with every test file in workerd. The files of one runtime run one after another, and none may
// find anything of an earlier one: no object, no alarm that still fires, no clock that still stands.

import { reset } from "cloudflare:test";
import { afterAll, vi } from "vitest";
import { newId } from "../../mailbox/message/id.ts";

afterAll(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  // All objects are aborted, and what they stored is deleted, alarms included.
  await reset();
  // Ids never go back by a little: after a clock that went ahead, those of the next file would.
  newId(0, 0);
});
