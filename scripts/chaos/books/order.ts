// G4: through one outbox to one target, arrival is in the order of the commits, then of the calls; and
// among what is in a mailbox the smallest (dueAt, id) begins first.
//
// What follows from it, and no more, is checked: of plain sends that nothing befalls, made by one sender
// in sync handlers and requests, the first attempts begin in the order of the sends. Such a message never
// arrives after a later one; both are due when they were sent (or when they arrive, if that is before), so
// the earlier has the smaller (dueAt, id). A kill in a leased run costs it an attempt and its place: whoever
// is redelivered waits for nobody and is not waited for. So a message counts only if its first attempt that
// was seen is attempt 1. Async handlers send no lines: ids are made at the call, arrival is at the ack.

import type { Told } from "../testimony.ts";
import type { Evidence } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkOrder(evidence: Evidence): Generator<Violation> {
  const { entries, told } = evidence.observations;
  const lines = entries.filter(({ line }) => line !== undefined);
  /** The place of a line, by its id. */
  const places = new Map<string, { route: string; seq: number; n: string }>();
  const first = new Map<string, number>();
  for (const { id, n, actor, line, attempt } of lines) {
    if (line === undefined || first.has(id)) continue;
    first.set(id, attempt);
    places.set(id, { route: `${line.from} to ${actor}`, seq: line.seq, n });
  }
  const begun = [...first].filter(([, attempt]) => attempt === 1).map(([id]) => id);
  yield* ascending(begun, places, "begin");
  const accepted = told.filter(({ event }) => event === "accepted").map(({ id }: Told) => id ?? "");
  yield* ascending(accepted, places, "arrive");
}

function* ascending(
  ids: readonly string[],
  places: ReadonlyMap<string, { route: string; seq: number; n: string }>,
  verb: string,
): Generator<Violation> {
  const known = ids.flatMap((id) => places.get(id) ?? []);
  for (const [route, inRoute] of groupBy(known, ({ route }) => route)) {
    let last = { seq: 0, n: "" };
    for (const { seq, n } of inRoute) {
      if (seq < last.seq) {
        yield {
          name: "out of order",
          what: n,
          detail: `Expected the lines from clerk-${route} to ${verb} in the order sent; saw line ${seq} after line ${last.seq} (${last.n}).`,
        };
      }
      last = { seq, n };
    }
  }
}
