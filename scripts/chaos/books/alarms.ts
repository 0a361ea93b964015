// G12: whatever happened to the alarm, an actor that has something to do is woken by it. And what a mailbox
// says of itself is what a kill gives cause for.

import type { Observations, Violation } from "./observations.ts";

/**
 * Longer than a mailbox is silent while it works: a run may take its timeout and half a second, and after
 * a death in a leased run its guard comes two seconds later.
 */
const SILENT_MS = 3_500;

/** What nothing in a run gives cause for: no storage was restored, nothing was destroyed, nothing cannot be done. */
const strange: ReadonlySet<string> = new Set([
  "looping",
  "unreadable",
  "outboxForked",
  "outboxGap",
  "outboxUnbound",
  "alarmFailed",
  "alarmDropped",
  "destroyed",
  "retentionDeleted",
]);

export function* checkEvents({ told }: Observations): Generator<Violation> {
  for (const { actor, at, event, alarm } of told) {
    if (event === "healed" && alarm === null) {
      yield {
        name: "asleep",
        what: `clerk-${actor}`,
        detail: `Expected an alarm to be armed, early or late; there was none at ${at}, and the next call healed it.`,
      };
    }
    if (!strange.has(event)) continue;
    yield {
      name: "strange event",
      what: `clerk-${actor}`,
      detail: `Expected nothing that gives cause for ${event}; saw it at ${at}.`,
    };
  }
}

export function* checkAwake({ lateness, entries, told, births }: Observations): Generator<Violation> {
  for (const { actor, at, overdueMs } of lateness) {
    if (overdueMs < SILENT_MS) continue;
    const signs = [...entries, ...told, ...births].filter((sign) => sign.actor === actor && sign.at < at);
    const last = signs.reduce((latest, sign) => Math.max(latest, sign.at), 0);
    if (at - last < SILENT_MS) continue;
    yield {
      name: "asleep",
      what: `clerk-${actor}`,
      detail: `Expected its alarm to wake it; nobody called it, a message was overdue by ${overdueMs} ms at ${at}, and it had done nothing since ${last}.`,
    };
  }
}
