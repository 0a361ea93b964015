// Puts right the single facts of a mailbox that something else has written, at the beginning of a wake.
// Each is dropped by itself, in one commit with what follows from it and its event.

import { now as clockNow } from "../time/clock.ts";
import { unreadable } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import type { FactName } from "../store/state.ts";

/** Drops the facts that cannot be read. Costs nothing when there are none. */
export function mendFacts(core: Core): void {
  for (const name of core.meta.unreadable()) core.commit(() => mend(core, name));
}

function mend(core: Core, name: FactName): void {
  core.meta.clear(name);
  if (name === "alarm") {
    core.raise({
      event: "alarmDropped",
      error: unreadable(
        "The object's own alarm cannot be read: something else than the mailbox has written its row in _mailbox_meta. When it was due is not known, so it was dropped: set it again.",
      ),
    });
    return;
  }
  // Whom it was about is not known: it may be any of those that are due.
  core.meta.set("suspiciousUntil", clockNow());
  core.raise({
    event: "unreadable",
    table: "_mailbox_meta",
    id: name,
    column: "value",
    error: unreadable(
      `The fact ${name} cannot be read: something else than the mailbox has written its row in _mailbox_meta. It was dropped, and what is due now is leased before it runs; a death of the object may have gone uncounted.`,
    ),
  });
}
