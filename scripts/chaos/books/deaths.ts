// G6: attempts are bounded, whatever the handler does; and a message is charged only for what has befallen it.

import { MAX_ATTEMPTS } from "../actors.ts";
import { isSync } from "../parcel.ts";
import type { Told } from "../testimony.ts";
import type { Accounts } from "./accounts.ts";
import type { Case } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

/** At most so many runs of a message that kills its object go uncounted. */
const UNCOUNTED = 2;

export function* checkDeaths(accounts: Accounts): Generator<Violation> {
  for (const one of accounts.evidence.cases.values()) yield* bounded(accounts, one);
  yield* charges(accounts);
}

function maxAttemptsOf({ parcel }: Case): number {
  return parcel?.maxAttempts ?? MAX_ATTEMPTS;
}

function* bounded(accounts: Accounts, one: Case): Generator<Violation> {
  const max = maxAttemptsOf(one);
  for (const { attempt, id } of one.entries) {
    if (attempt > max)
      yield {
        name: "unbounded",
        what: one.n,
        detail: `Expected ${max} attempts of ${id}; saw attempt ${attempt}.`,
      };
  }
  if (one.parcel?.fate.kind !== "abort") return;
  const [first, last] = [one.entries[0], one.entries.at(-1)];
  if (first === undefined || last === undefined) return;
  // A kill of the runtime in the middle of a run that was not leased leaves it uncounted too.
  const kills = accounts.evidence.observations.kills.filter((at) => at >= first.at && at <= last.at).length;
  const lives = 1 + accounts.redrives(one).most;
  const most = lives * (max + UNCOUNTED) + kills;
  if (one.entries.length <= most) return;
  yield {
    name: "unbounded",
    what: one.n,
    detail: `Expected at most ${most} runs, for ${lives} lives of ${max} attempts and ${kills} kills; saw ${one.entries.length}.`,
  };
}

/**
 * Whoever is charged with a death and does not abort its object was running when the runtime was killed. Another
 * message's abort is that message's own.
 */
function* charges(accounts: Accounts): Generator<Violation> {
  const { evidence } = accounts;
  const { told, entries, births, kills } = evidence.observations;
  const timelines = groupBy(
    [
      ...entries.map(({ actor, at }) => ({ actor, at, birth: false, told: undefined as Told | undefined })),
      ...births.map(({ actor, at }) => ({ actor, at, birth: true, told: undefined })),
      ...told.map((event) => ({ actor: event.actor, at: event.at, birth: false, told: event })),
    ].toSorted((a, b) => a.at - b.at),
    ({ actor }) => String(actor),
  );
  for (const timeline of timelines.values()) {
    let alive = Number.NEGATIVE_INFINITY;
    let died: { readonly from: number; readonly to: number } = { from: alive, to: alive };
    for (const { at, birth, told: event } of timeline) {
      if (birth) died = { from: alive, to: at };
      alive = at;
      if (event?.event !== "attemptFailed") continue;
      const one = evidence.cases.get(evidence.ownerOf(event.id ?? "") ?? "");
      if (one !== undefined && mayFail(accounts, one, event)) continue;
      const what = one?.n ?? event.id ?? "";
      if (event.outcome !== "crashed") {
        const detail = `Expected no attempt to fail of what nothing befell; ${event.id} ${event.outcome} at ${at}.`;
        yield { name: "charged", what, detail };
        continue;
      }
      if (kills.some((kill) => kill >= died.from - 1 && kill <= died.to)) continue;
      yield {
        name: "charged",
        what,
        detail: `Expected a kill between ${died.from} and ${died.to}, when clerk-${event.actor} died; there was none, and ${event.id} was charged.`,
      };
    }
  }
}

/** Whether an attempt may have failed so by what the plan says. */
function mayFail(accounts: Accounts, one: Case, { outcome }: Told): boolean {
  const { evidence } = accounts;
  const fate = one.parcel?.fate.kind;
  if (outcome === "crashed") return fate === "abort";
  // On a busy machine any async handler may take too long.
  if (outcome === "timedOut") return !isSync(one.kind);
  const throws = (evidence.rhythms.get(one.n.split("@")[0] ?? "")?.throwEvery ?? 0) > 0;
  // One that is cancelled while it runs gives up.
  return fate === "throw" || (one.kind === "tick" && throws) || accounts.ended(one, "cancel") !== "no";
}
