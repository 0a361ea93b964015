// G13 and the rest that follows work: an actor that has nothing to do does nothing, and a wake is never rejected.

import { actorName } from "../actors.ts";
import type { Observations, Violation } from "./observations.ts";

/** An abort ends a wake as it ends all else. */
const ABORTED = "aborted";

export function* checkQuiet(observations: Observations): Generator<Violation> {
  const { restless, rejected, entries } = observations;
  for (const { actor, at, pending, outbox, leased, nextWake } of restless) {
    yield {
      name: "restless",
      what: actorName(actor),
      detail: `Expected it to have nothing to do in the end; at ${at}, ${pending} pending, ${leased} leased, ${outbox} in its outbox, next wake ${nextWake ?? "none"}.`,
    };
  }
  for (const { rejected: actor, error, at } of rejected) {
    if (error.includes(ABORTED)) continue;
    yield {
      name: "rejected",
      what: actorName(actor),
      detail: `Expected no wake to be rejected, so that the alarm stays; at ${at} one was, with ${error}`,
    };
  }
  for (const { n, id, isDamaged, at } of entries) {
    if (isDamaged !== true) continue;
    yield {
      name: "damaged",
      what: n,
      detail: `Expected the payload of ${id} as it was sent; saw another at ${at}.`,
    };
  }
}
