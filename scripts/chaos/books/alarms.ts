// G12: whatever happened to the alarm, an actor that has something to do is woken by it. And what a mailbox
// says of itself is what a kill gives cause for.

import { BYPASSER, FORGETFUL } from "../actors.ts";
import type { LifeSeen, Observations, Violation } from "./observations.ts";

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
  "alarmDropped",
  "destroyed",
  "retentionDeleted",
]);

/** What follows when one storage was put back, at whom it was. */
const outgrown: ReadonlySet<string> = new Set(["outboxForked", "outboxGap"]);

/** Wakes of code that could not deliver come at least so often, and then there may be other code. */
const BROKEN_WAKE_MS = 60_000;

/** Whether the code of a life could not deliver. */
export function isBroken({ code }: LifeSeen): boolean {
  return code === "wrong settings" || code === "newer schema";
}

function isDeceived(actor: number): boolean {
  return actor === BYPASSER || actor === FORGETFUL;
}

export function* checkEvents(observations: Observations): Generator<Violation> {
  const { told } = observations;
  for (const { actor, at, event, alarm } of told) {
    // Whose storage was written to behind its back finds out when it is next called.
    if (event === "healed" && alarm === null && !isDeceived(actor)) {
      yield {
        name: "asleep",
        what: `clerk-${actor}`,
        detail: `Expected an alarm to be armed, early or late; there was none at ${at}, and the next call healed it.`,
      };
    }
    if (event === "alarmFailed" ? mayHaveBeenKilled(observations, actor, at) : !strange.has(event)) continue;
    if (actor === FORGETFUL && outgrown.has(event)) continue;
    yield {
      name: "strange event",
      what: `clerk-${actor}`,
      detail: `Expected nothing that gives cause for ${event}; saw it at ${at}.`,
    };
  }
}

/** Whether the runtime was killed since the actor's own alarm has run, and so perhaps in the middle of its next run. */
function mayHaveBeenKilled({ alarms, kills }: Observations, actor: number, at: number): boolean {
  const runs = alarms.filter((run) => run.alarm === actor && run.at <= at);
  const last = Math.max(Number.NEGATIVE_INFINITY, ...runs.map((run) => run.at));
  return kills.some((kill) => kill >= last && kill <= at);
}

export function* checkAwake({ lateness, entries, told, births, lives }: Observations): Generator<Violation> {
  for (const { actor, at, overdueMs } of lateness) {
    if (overdueMs < SILENT_MS || isDeceived(actor)) continue;
    // An alarm that code of such a life has set is not due yet.
    if (lives.some((life) => isBroken(life) && at < life.at + 2 * BROKEN_WAKE_MS)) continue;
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
