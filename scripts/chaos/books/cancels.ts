// G11: what was cancelled does not begin any more, and nothing is cancelled that nobody has asked for.

import { isSync, rhythmName } from "../parcel.ts";
import type { Accounts } from "./accounts.ts";
import type { Case, Evidence } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkCancels(accounts: Accounts): Generator<Violation> {
  const { evidence } = accounts;
  for (const one of evidence.cases.values()) yield* cancelled(accounts, one);
  yield* endedRecurrences(evidence);
  yield* endedByHandlers(evidence);
  yield* notAsked(evidence);
}

/** G11, and the same for what was purged. */
function* cancelled(accounts: Accounts, one: Case): Generator<Violation> {
  const { evidence } = accounts;
  // Where storage was put back, so was what had been cancelled; and a letter of what its target had taken away
  // meanwhile, without being heard, can be redriven.
  if (evidence.isForgotten(one) || accounts.isGivenUp(one)) return;
  for (const id of evidence.idsOf(one)) {
    const asked = (evidence.endsOf.get(id) ?? []).filter(({ outcome }) => outcome === "yes");
    const rows = (evidence.cancelRowsOf.get(id) ?? []).filter(({ answer }) => answer === 1);
    const told = (evidence.toldOf.get(id) ?? []).filter(
      ({ event }) => event === "cancelled" || event === "replaced",
    );
    const since = Math.min(
      ...asked.map(({ answeredAt }) => answeredAt),
      ...[...rows, ...told].map(({ at }) => at),
    );
    if (since === Number.POSITIVE_INFINITY) continue;
    for (const { at, attempt } of one.entries.filter((entry) => entry.id === id && entry.at > since)) {
      yield {
        name: "not cancelled",
        what: one.n,
        detail: `Expected no attempt of ${id} after ${since}, when it was taken away; saw attempt ${attempt} at ${at}.`,
      };
    }
    // A sync handler cannot run while a cancel does: it waited, so it had not completed.
    if (isSync(one.kind) && one.done.length > 0 && !accounts.isRepeatable(one)) {
      yield {
        name: "not cancelled",
        what: one.n,
        detail: `Expected either that ${id} was taken away or that it completed; saw both.`,
      };
    }
  }
}

/** The same for recurrences that were declared once: those declared again begin anew. */
function* endedRecurrences({ observations, rhythms }: Evidence): Generator<Violation> {
  const { register, entries } = observations;
  for (const { id, verb, outcome, answeredAt } of register.ends) {
    if (verb !== "end" || outcome !== "yes") continue;
    const name = id.slice("every:tick:".length);
    const declared = register.declares.filter(({ rhythm }) => rhythmName(rhythm) === name).length;
    if (declared !== 1 || !rhythms.has(name) || !name.startsWith("brief")) continue;
    for (const { at, n } of entries) {
      if (!n.startsWith(`${name}@`) || n.endsWith(".0") || at <= answeredAt) continue;
      // One that died before goes on when it is redriven.
      if (register.redrives.some((redrive) => redrive.id === `every:tick:${n}`)) continue;
      yield {
        name: "not cancelled",
        what: n,
        detail: `Expected no occurrence of ${name} after ${answeredAt}, when its end was answered true; saw one at ${at}.`,
      };
    }
  }
}

/** The same for those that an actor has declared and ended itself, where all that it asked was answered. */
function* endedByHandlers({ observations, cancelRowsOf, cancelsAskedOf }: Evidence): Generator<Violation> {
  for (const [id, rows] of cancelRowsOf) {
    const last = rows.at(-1);
    if (!id.startsWith("every:tick:") || last?.answer !== 1) continue;
    if (rows.length < (cancelsAskedOf.get(id)?.length ?? 0)) continue;
    for (const { n, at } of observations.entries.filter((entry) => entry.recurrence === id)) {
      if (at <= last.at) continue;
      yield {
        name: "not cancelled",
        what: n,
        detail: `Expected no occurrence of ${id} after ${last.at}, when whoever had declared it was answered that it is ended; saw one at ${at}.`,
      };
    }
  }
}

/** A cancel by key takes away what waits under it, once: no repeat takes away what came since. */
function* notAsked(evidence: Evidence): Generator<Violation> {
  const { told, register } = evidence.observations;
  const keyed = told.filter(
    ({ event, id = "" }) =>
      event === "cancelled" &&
      !evidence.endsOf.has(id) &&
      !evidence.cancelRowsOf.has(id) &&
      !evidence.cancelsAskedOf.has(id) &&
      evidence.cases.get(evidence.ownerOf(id) ?? "")?.parcel?.key !== undefined,
  );
  for (const [actor, taken] of groupBy(keyed, (event) => String(event.actor))) {
    const asked = register.keyCancels.filter((one) => String(one.actor) === actor && one.outcome !== "no");
    if (taken.length <= asked.length) continue;
    yield {
      name: "not asked",
      what: `clerk-${actor}`,
      detail: `Expected at most ${asked.length} messages to be cancelled by their keys; saw ${taken.map(({ id }) => id).join(", ")}.`,
    };
  }
}
