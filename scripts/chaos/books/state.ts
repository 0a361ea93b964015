// G7: what a sync handler writes commits with its ack. So each actor's counters, its log of completions
// and its log of sends say the same.

import { isSync, isTakenBack, sendsOf, tickParcel } from "../parcel.ts";
import type { Audit } from "../testimony.ts";
import type { Accounts } from "./accounts.ts";
import type { Evidence } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkState(accounts: Accounts): Generator<Violation> {
  const { evidence } = accounts;
  const { audits, told } = evidence.observations;
  const started = evidence.observations.register.alarms.map(({ actor }) => actor);
  for (const audit of audits) {
    yield* counters(audit);
    yield* alarms(audit, started);
    yield* sends(evidence, audit);
  }
  const failed = new Set(told.filter(({ event }) => event === "hookFailed").map(({ id }) => id));
  for (const { letters, hooks } of audits) {
    const ran = new Set(hooks);
    for (const { id, n } of letters) {
      if (ran.has(id) || failed.has(id)) continue;
      yield { name: "no hook", what: n, detail: `Expected onDeadLetter to have run for ${id}; it has not.` };
    }
  }
}

/** G14: the object's own alarm, which sets itself again in one commit with its count, is never lost and runs no more often. */
function* alarms({ actor, alarm }: Audit, started: readonly number[]): Generator<Violation> {
  if (!started.includes(actor) || (alarm !== undefined && alarm.ran === alarm.rounds)) return;
  yield {
    name: "lost",
    what: `the own alarm of clerk-${actor}`,
    detail: `Expected ${alarm?.rounds ?? "its"} runs; saw ${alarm?.ran ?? "none"}.`,
  };
}

function* counters({ actor, done, counted }: Audit): Generator<Violation> {
  const rows = done.filter(({ kind }) => isSync(kind)).length;
  if (counted.row === rows && counted.key === rows) return;
  yield {
    name: "miscounted",
    what: `clerk-${actor}`,
    detail: `Expected the counters to be the ${rows} completions of sync handlers; saw ${counted.row} in the table and ${counted.key} in the key.`,
  };
}

function* sends(evidence: Evidence, { actor, done, sent }: Audit): Generator<Violation> {
  const written = new Set(sent.map(({ n }) => n));
  const expected = new Set<string>();
  for (const { n, kind } of done) {
    if (!isSync(kind)) continue;
    const one = evidence.cases.get(n);
    const rhythm = evidence.rhythms.get(n.split("@")[0] ?? "");
    const children =
      kind === "tick" && rhythm !== undefined
        ? [tickParcel(rhythm, Number(n.split("@")[1]))]
        : [
            ...(one?.parcel?.sends ?? []),
            ...(one?.parcel?.scenes ?? []).filter((scene) => !isTakenBack(scene)).flatMap(sendsOf),
          ];
    for (const child of children) expected.add(child.n);
  }
  for (const n of expected) {
    if (!written.has(n))
      yield {
        name: "miscounted",
        what: n,
        detail: `Expected clerk-${actor} to have written its send; it has not.`,
      };
  }
  for (const n of written) {
    const one = evidence.cases.get(n);
    // Told from outside: that it is written is how it is known to be committed.
    if (expected.has(n) || one?.root?.way === "order") continue;
    yield {
      name: "miscounted",
      what: n,
      detail: `Expected no trace in clerk-${actor} of a send that was rolled back; saw its row.`,
    };
  }
}
