// G3: nothing begins too early.

import { BACKOFF_MS } from "../actors.ts";
import type { Parcel } from "../parcel.ts";
import type { Entry } from "../testimony.ts";
import type { Case, Evidence } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkTimes(evidence: Evidence): Generator<Violation> {
  for (const one of evidence.cases.values()) {
    for (const entry of one.entries) yield* early(evidence, entry);
    yield* backoff(evidence, one);
  }
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
