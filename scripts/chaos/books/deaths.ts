// G6 and G9: attempts are bounded, whatever the handler does; a letter says how it came to be; and a
// death is charged to the message that died of it.

import { isSync, MAX_ATTEMPTS } from "../parcel.ts";
import type { LetterSeen, Told } from "../testimony.ts";
import type { Accounts } from "./accounts.ts";
import type { Case } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

const KEPT_RECORDS = 20;
/** At most so many runs of a message that kills its object go uncounted. */
const UNCOUNTED = 2;

/** By its last record, why a letter is one. */
const reasons: Readonly<Record<string, string>> = {
  threw: "exhausted",
  rejected: "rejected",
  crashed: "crashed",
  timedOut: "timedOut",
};

export function* checkDeaths(accounts: Accounts): Generator<Violation> {
  const { cases, observations } = accounts.evidence;
  for (const one of cases.values()) yield* bounded(accounts, one);
  const letters = [...observations.letters, ...observations.audits.flatMap((audit) => audit.letters)];
  const distinct = new Map(letters.map((letter) => [`${letter.id} ${letter.attempts}`, letter]));
  for (const letter of distinct.values()) {
    const one = cases.get(letter.n);
    if (one !== undefined) yield* letterOf(accounts, one, letter);
  }
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

function* letterOf(accounts: Accounts, one: Case, letter: LetterSeen): Generator<Violation> {
  const { reason, attempts, records, id } = letter;
  const max = maxAttemptsOf(one);
  const fail = (detail: string): Violation => ({
    name: "wrong letter",
    what: one.n,
    detail: `${detail} (${id}, ${reason}, ${attempts} attempts, ${records.map(({ outcome }) => outcome).join(" ")})`,
  });
  if (records.length !== Math.min(KEPT_RECORDS, attempts))
    yield fail("Expected a record of every attempt, up to 20.");
  if (reason === "expired") {
    if (one.parcel?.expires === undefined) yield fail("Expected no expiry of what never expires.");
    return;
  }
  const last = records.at(-1);
  if (last === undefined || reasons[last.outcome] !== reason)
    yield fail("Expected the reason to say how the last attempt ended.");
  if (reason !== "rejected" && last?.attempt !== max) yield fail(`Expected it to die of attempt ${max}.`);
  if (!mayDieOf(accounts, one, reason)) yield fail("Expected no such death of what the plan says.");
  const { parcel } = one;
  if (parcel?.fate.kind !== "abort" || parcel.fate.times < max || accounts.redrives(one).most > 0) return;
  if (reason !== "crashed" || attempts !== max) yield fail(`Expected ${max} crashes.`);
}

/** A kill can end any message; all else is its fate. */
function mayDieOf(accounts: Accounts, { kind, parcel, n }: Case, reason: string): boolean {
  switch (reason) {
    case "crashed":
      return true;
    case "exhausted":
      return parcel?.fate.kind === "throw";
    case "rejected":
      return (
        parcel?.fate.kind === "reject" ||
        (kind === "tick" && (accounts.evidence.rhythms.get(n.split("@")[0] ?? "")?.rejectEvery ?? 0) > 0)
      );
    case "timedOut":
      // On a busy machine any async handler may take too long.
      return !isSync(kind);
    default:
      return false;
  }
}

/**
 * Whoever is charged with a death and does not abort its object was running when the runtime was killed. Another
 * message's abort is that message's own.
 */
function* charges({ evidence }: Accounts): Generator<Violation> {
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
      if (event?.event !== "attemptFailed" || event.outcome !== "crashed") continue;
      const one = evidence.cases.get(evidence.ownerOf(event.id ?? "") ?? "");
      if (one?.parcel?.fate.kind === "abort") continue;
      if (kills.some((kill) => kill >= died.from - 1 && kill <= died.to)) continue;
      yield {
        name: "charged",
        what: one?.n ?? event.id ?? "",
        detail: `Expected a kill between ${died.from} and ${died.to}, when clerk-${event.actor} died; there was none, and ${event.id} was charged.`,
      };
    }
  }
}
