// G13 and the rest that follows work: an actor that has nothing to do does nothing, a wake is never rejected, and
// whoever cannot deliver says so.

import { actorName } from "../actors.ts";
import { groupBy } from "./evidence.ts";
import type { Observations, Violation } from "./observations.ts";

/** An abort ends a wake as it ends all else. */
const ABORTED = "aborted";

/** Of fewer answers, a kill may have cut off what was said. */
const REFUSED_OFTEN = 5;

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
  yield* silent(observations);
}

/** G2: no message waits in an outbox without a word. */
function* silent({ told, full }: Observations): Generator<Violation> {
  const failed = told.filter(({ event }) => event === "outboxFailed");
  for (const [name, answers] of groupBy(full, ({ full: actor }) => actorName(actor))) {
    if (answers.length < REFUSED_OFTEN || failed.some(({ target = "" }) => target.endsWith(name))) continue;
    yield {
      name: "silent",
      what: name,
      detail: `Expected its senders to say that it is full; it has answered so ${answers.length} times.`,
    };
  }
}
