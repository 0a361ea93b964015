// G9: a letter says how it came to be, and none is lost.

import { IMPATIENT, MAX_ATTEMPTS, NARROW, NARROW_BYTES } from "../actors.ts";
import { isSync } from "../parcel.ts";
import type { LetterSeen } from "../testimony.ts";
import type { Accounts } from "./accounts.ts";
import type { Case, Evidence } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

const KEPT_RECORDS = 20;

/** By its last record, why a letter is one. */
const reasons: Readonly<Record<string, string>> = {
  threw: "exhausted",
  rejected: "rejected",
  crashed: "crashed",
  timedOut: "timedOut",
};

export function* checkLetters(accounts: Accounts): Generator<Violation> {
  const { evidence } = accounts;
  const { letters, audits } = evidence.observations;
  const seen = [...letters, ...audits.flatMap((audit) => audit.letters)];
  const distinct = new Map(seen.map((letter) => [`${letter.id} ${letter.attempts}`, letter]));
  for (const letter of distinct.values()) {
    const one = evidence.cases.get(letter.n);
    if (one !== undefined) yield* letterOf(accounts, one, letter);
  }
  yield* lostLetters(evidence);
}

/** What its receiver never takes. */
export function isRefused(evidence: Evidence, one: Case): boolean {
  const { parcel } = one;
  if (parcel === undefined || evidence.senderOf(one) === undefined) return false;
  return NARROW.includes(parcel.to) && (parcel.bulk ?? 0) >= NARROW_BYTES;
}

function* letterOf(accounts: Accounts, one: Case, letter: LetterSeen): Generator<Violation> {
  const { reason, attempts, records, id } = letter;
  const max = one.parcel?.maxAttempts ?? MAX_ATTEMPTS;
  const fail = (detail: string): Violation => ({
    name: "wrong letter",
    what: one.n,
    detail: `${detail} (${id}, ${reason}, ${attempts} attempts, ${records.map(({ outcome }) => outcome).join(" ")})`,
  });
  if (reason === "undeliverable") {
    const mayBe = isRefused(accounts.evidence, one) || accounts.evidence.senderOf(one) === IMPATIENT;
    if (!mayBe) yield fail("Expected no sender to give up what its target takes in the end.");
    if (records.at(-1)?.outcome !== reason) yield fail("Expected a record of how it could not be delivered.");
    return;
  }
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

/** Every death that was told has left a letter, which is there until it is redriven or purged. */
function* lostLetters(evidence: Evidence): Generator<Violation> {
  const { told, audits } = evidence.observations;
  const left = new Set(audits.flatMap(({ letters }) => letters.map(({ id }) => id)));
  const deaths = told.filter(
    ({ event, actor, at }) => event === "deadLettered" && !evidence.isUndone(actor, at),
  );
  for (const [id, events] of groupBy(deaths, (event) => event.id)) {
    const redriven = (evidence.redrivesOf.get(id) ?? []).filter(({ outcome }) => outcome !== "no").length;
    const purged = (evidence.endsOf.get(id) ?? []).filter(
      ({ verb, outcome }) => verb === "purge" && outcome !== "no",
    ).length;
    const accounted = redriven + purged + (left.has(id) ? 1 : 0);
    if (events.length <= accounted) continue;
    yield {
      name: "lost",
      what: evidence.ownerOf(id) ?? id,
      detail: `Expected a letter of each of ${events.length} deaths of ${id} that were told; ${redriven} were redriven, ${purged} purged, and ${left.has(id) ? "one is" : "none is"} left.`,
    };
  }
}
