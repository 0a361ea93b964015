// Nothing begins too early, and nothing begins that was cancelled.

import { BACKOFF_MS, isSync, type Parcel } from "../parcel.ts";
import type { Entry } from "../testimony.ts";
import type { Accounts } from "./accounts.ts";
import type { Case, Evidence } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkTimes(accounts: Accounts): Generator<Violation> {
  const { evidence } = accounts;
  for (const one of evidence.cases.values()) {
    for (const entry of one.entries) yield* early(evidence, entry);
    yield* backoff(evidence, one);
    yield* cancelled(accounts, one);
  }
  yield* endedRecurrences(evidence);
  for (const { alarm, at, dueAt } of evidence.observations.alarms) {
    if (at >= dueAt) continue;
    yield {
      name: "early",
      what: `the own alarm of clerk-${alarm}`,
      detail: `Expected it at ${dueAt} or later; saw ${at}.`,
    };
  }
}

/** G3: by the row that was due, and by what its sender asked for. */
function* early(evidence: Evidence, { n, id, attempt, at, dueAt, notBefore }: Entry): Generator<Violation> {
  if (at < dueAt)
    yield { name: "early", what: n, detail: `Expected attempt ${attempt} at ${dueAt} or later; saw ${at}.` };
  if (notBefore === undefined || at >= notBefore) return;
  const moved = (evidence.reschedulesOf.get(id) ?? []).filter(({ outcome }) => outcome !== "no");
  if (moved.some((reschedule) => at >= reschedule.at)) return;
  yield { name: "early", what: n, detail: `Expected no attempt of ${id} before ${notBefore}; saw ${at}.` };
}

/** A redelivery waits: for what its error asked for, or for its backoff, also when the attempt was charged after a death. */
function* backoff(evidence: Evidence, { n, parcel, entries }: Case): Generator<Violation> {
  const { kills } = evidence.observations;
  for (const [id, attempts] of groupBy(entries, (entry) => entry.id)) {
    if (evidence.reschedulesOf.has(id)) continue;
    for (const [index, entry] of attempts.entries()) {
      const before = attempts[index - 1];
      if (before?.attempt !== entry.attempt - 1) continue;
      const wasKilled = kills.some((at) => at >= before.at && at <= entry.at);
      const wait = (wasKilled ? undefined : askedFor(parcel, before.attempt)) ?? BACKOFF_MS;
      if (entry.at - before.at >= wait) continue;
      yield {
        name: "early",
        what: n,
        detail: `Expected attempt ${entry.attempt} of ${id} ${wait} ms after the one before; saw ${entry.at - before.at} ms.`,
      };
    }
  }
}

/** The wait that the error of an attempt names. */
function askedFor(parcel: Parcel | undefined, attempt: number): number | undefined {
  const fate = parcel?.fate;
  return fate?.kind === "throw" && attempt <= fate.times ? fate.retryAfter : undefined;
}

/** G11, and the same for what was purged. */
function* cancelled(accounts: Accounts, one: Case): Generator<Violation> {
  const { evidence } = accounts;
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
    const key = id.slice("every:tick:".length);
    const declared = register.declares.filter(({ rhythm }) => rhythm.key === key).length;
    if (declared !== 1 || !rhythms.has(key) || !key.startsWith("brief")) continue;
    for (const { at, n } of entries) {
      if (!n.startsWith(`${key}@`) || n.endsWith(".0") || at <= answeredAt) continue;
      // One that died before goes on when it is redriven.
      if (register.redrives.some((redrive) => redrive.id === `every:tick:${n}`)) continue;
      yield {
        name: "not cancelled",
        what: n,
        detail: `Expected no occurrence of ${key} after ${answeredAt}, when its end was answered true; saw one at ${at}.`,
      };
    }
  }
}
