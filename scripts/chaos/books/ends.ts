// Every message that was accepted ends once; nothing else does.

import { FORGETFUL } from "../actors.ts";
import { isSync } from "../parcel.ts";
import type { Accounts } from "./accounts.ts";
import type { Case } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkEnds(accounts: Accounts): Generator<Violation> {
  for (const one of accounts.evidence.cases.values()) {
    yield* accepted(accounts, one);
    yield* delivered(accounts, one);
    yield* twice(accounts, one);
    yield* half(accounts, one.children, one.n);
  }
  for (const { way, parcels } of accounts.evidence.observations.register.sends) {
    const group = parcels.flatMap(({ n }) => accounts.evidence.cases.get(n) ?? []);
    if (way === "ref") yield* half(accounts, group, parcels[0]?.n ?? "");
    if (way === "order") yield* halfWritten(accounts, group);
  }
  yield* acceptedEvents(accounts);
}

/** G1, G2 and G7: what was committed is delivered until it ends; what was rolled back never is. */
function* accepted(accounts: Accounts, one: Case): Generator<Violation> {
  const end = accounts.end(one);
  const what = one.n;
  if (end === "pending") {
    const rows = one.pending.map(({ state, dueAt }) => `${state}, due ${dueAt}`).join("; ");
    yield {
      name: "pending",
      what,
      detail: `Expected nothing to wait at the end; saw ${rows || "an outbox row"}.`,
    };
  }
  const outcome = accounts.accepted(one);
  if (outcome === "no" && accounts.isSeen(one)) {
    yield {
      name: "phantom",
      what,
      detail: `Expected no trace of what was never committed; saw ids ${[...one.ids].join(", ")}, ended as ${end}. ${originOf(one)}`,
    };
  }
  // What was seen in a mailbox was accepted, whatever its sender was answered; but an occurrence may go with
  // its recurrence.
  const isAccepted =
    outcome === "yes" || (outcome === "unknown" && one.kind !== "tick" && accounts.isSeen(one));
  // Where storage was put back, what had been accepted since is gone.
  if (accounts.evidence.isForgotten(one) && accounts.evidence.targetOf(one) === FORGETFUL) return;
  if (isAccepted && end === "none") {
    yield {
      name: "lost",
      what,
      detail: `Expected an end of what was accepted with id ${[...accounts.evidence.idsOf(one)].join(", ")}; saw none after ${one.entries.length} attempts. ${originOf(one)}`,
    };
  }
}

/** What was told is committed: a mailbox that said it had delivered a message has kept what its handler wrote. */
function* delivered(accounts: Accounts, one: Case): Generator<Violation> {
  // A deferred attempt is told as delivered too.
  if (one.done.length > 0 || one.parcel?.fate.kind === "defer") return;
  if (accounts.evidence.isForgotten(one)) return;
  for (const id of one.ids) {
    const told = accounts.evidence.toldOf.get(id)?.find(({ event }) => event === "delivered");
    if (told === undefined) continue;
    yield {
      name: "lost",
      what: one.n,
      detail: `Expected the completion of ${id} that was told at ${told.at}; its row is not there.`,
    };
  }
}

/** G7 and G8: a sync handler completes once, and a number is enqueued once. */
function* twice(accounts: Accounts, one: Case): Generator<Violation> {
  if (accounts.isRepeatable(one)) return;
  const what = one.n;
  if (isSync(one.kind) && one.done.length > 1) {
    const runs = one.done.map(({ id, attempt, at }) => `${id} attempt ${attempt} at ${at}`).join("; ");
    yield { name: "twice", what, detail: `Expected one completion in one commit with its ack; saw ${runs}.` };
  }
  if (isSync(one.kind) && one.done.length > 0 && (one.letter !== undefined || one.pending.length > 0)) {
    yield { name: "twice", what, detail: `Expected one end; saw it completed, and ${accounts.end(one)}.` };
  }
  const ids = accounts.seenIds(one);
  if (one.kind !== "tick" && ids.length > 1)
    yield { name: "twice", what, detail: `Expected one id for one send; saw ${ids.join(", ")}.` };
}

/** All of one commit, or nothing. */
function* half(accounts: Accounts, group: readonly Case[], what: string): Generator<Violation> {
  // One with a key may be kept out, and would be missed here; one that was forgotten as well.
  const plain = group.filter(
    (one) => one.parcel?.key === undefined && !accounts.evidence.isForgotten(one) && !one.isInVain,
  );
  const seen = plain.filter((one) => accounts.isSeen(one));
  if (seen.length === 0 || seen.length === plain.length) return;
  // Cancelled before anything was seen of it, and so on: it has ended as it may.
  const missing = plain.filter((one) => !accounts.isSeen(one) && accounts.end(one) === "none");
  if (missing.length === 0) return;
  yield {
    name: "half",
    what,
    detail: `Expected all of what was sent in one commit, or nothing; saw ${seen.map(({ n }) => n).join(", ")} and not ${missing.map(({ n }) => n).join(", ")}.`,
  };
}

/** The same of what was sent outside any attempt: what was written down is what was sent. */
function* halfWritten({ evidence }: Accounts, group: readonly Case[]): Generator<Violation> {
  const written = group.filter(({ n }) => evidence.sentOf.has(n));
  if (written.length === 0 || written.length === group.length) return;
  yield {
    name: "half",
    what: group[0]?.n ?? "",
    detail: `Expected all of what was sent in one request, or nothing; saw ${written.length} of ${group.length}.`,
  };
}

/** What a mailbox says that it has accepted was committed: it ends too, and is accepted once. */
function* acceptedEvents(accounts: Accounts): Generator<Violation> {
  const { evidence } = accounts;
  for (const [id, all] of evidence.toldOf) {
    const told = all.filter(({ actor, at }) => !evidence.isUndone(actor, at));
    const times = told.filter(({ event }) => event === "accepted").length;
    if (times === 0) continue;
    const n = evidence.ownerOf(id);
    const one = n === undefined ? undefined : evidence.cases.get(n);
    if (times > 1 && (one === undefined || !accounts.isRepeatable(one))) {
      yield {
        name: "twice",
        what: n ?? id,
        detail: `Expected one \`accepted\` event for ${id}; saw ${times}.`,
      };
    }
    if (one !== undefined) continue;
    // Nobody knows its number: its sender was not answered, and no attempt was made. It may have had a key.
    if (mayHaveGivenWay(accounts, told[0]?.actor)) continue;
    if (!told.some(({ event }) => event === "replaced" || event === "cancelled" || event === "delivered"))
      yield { name: "lost", what: id, detail: "Expected an end of what a mailbox has accepted; saw none." };
  }
}

/** Whether a send to this actor that has a key was not answered. */
function mayHaveGivenWay({ evidence }: Accounts, actor: number | undefined): boolean {
  return evidence.observations.register.sends.some(
    ({ way, outcome, parcels }) =>
      way === "ref" &&
      outcome === "unknown" &&
      parcels.some(({ to, key }) => to === actor && key !== undefined),
  );
}

function originOf({ parent, root }: Case): string {
  if (parent !== undefined)
    return `Sent by ${parent.n} (${parent.kind}), which has ${parent.done.length} completions.`;
  if (root === undefined) return "Nobody has planned it.";
  return `Sent by ${root.way}, asked at ${root.askedAt}, answered ${root.outcome} at ${root.answeredAt}.`;
}
