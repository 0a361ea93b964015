// What must have become of each message: was it accepted, and how did it end? Where a kill cut off the
// answer, nobody can say, and the books allow both; where something was committed, they allow one.

import { IMPATIENT } from "../actors.ts";
import { isSync } from "../parcel.ts";
import type { Outcome } from "../register.ts";
import type { Case, Evidence } from "./evidence.ts";

/** How a message ended. `unseen`: as its key allows, but the event that says so was lost in a kill. */
export type End =
  | "handled"
  | "dead"
  | "purged"
  | "cancelled"
  | "replaced"
  | "kept out"
  | "unseen"
  | "pending"
  | "none";

export class Accounts {
  readonly evidence: Evidence;
  readonly #accepted = new Map<string, Outcome>();

  constructor(evidence: Evidence) {
    this.evidence = evidence;
  }

  /** Whether it was accepted: by its sender's commit, or by the answer that the harness got. */
  accepted(one: Case): Outcome {
    const known = this.#accepted.get(one.n);
    if (known !== undefined) return known;
    const outcome = this.#acceptance(one);
    this.#accepted.set(one.n, outcome);
    return outcome;
  }

  /** Whether anything was seen of it in an actor. */
  isSeen(one: Case): boolean {
    return this.seenIds(one).length > 0;
  }

  /** The ids under which it was accepted for sure. */
  seenIds(one: Case): string[] {
    return [...this.evidence.idsOf(one)].filter(
      (id) => one.ids.has(id) || this.#told(id, "accepted") || this.evidence.inOutbox.has(id),
    );
  }

  end(one: Case): End {
    const ids = [...this.evidence.idsOf(one)];
    if (one.pending.length > 0 || ids.some((id) => this.evidence.inOutbox.has(id))) return "pending";
    if (one.letter !== undefined) return "dead";
    // An async handler that has written its row may have been cancelled, or have died, all the same.
    if (one.done.length > 0) return "handled";
    if (this.ended(one, "purge") !== "no") return "purged";
    if (this.ended(one, "cancel") !== "no") return "cancelled";
    if (ids.some((id) => this.#told(id, "replaced"))) return "replaced";
    if (ids.some((id) => this.#told(id, "notEnqueued")) || this.isKeptOut(one)) return "kept out";
    return this.#mayHaveGivenWay(one) ? "unseen" : "none";
  }

  /** Whether it was cancelled or purged, by whoever asked for it. */
  ended(one: Case, verb: "cancel" | "purge"): Outcome {
    const outcomes: Outcome[] = [];
    for (const id of this.evidence.idsOf(one)) {
      for (const asked of this.evidence.endsOf.get(id) ?? [])
        if (asked.verb === verb) outcomes.push(asked.outcome);
      if (verb === "cancel") outcomes.push(...this.#cancelled(id), ...this.#cancelledByKey(one, id));
    }
    if (outcomes.includes("yes")) return "yes";
    return outcomes.includes("unknown") ? "unknown" : "no";
  }

  /**
   * A send by a ref is at least once: when the object dies after its commit and before its answer, or the answer
   * is lost, the ref waits, repeats it, and finds the message only while it is in the mailbox or dead. So a
   * second run of such a message, and of all that it sends, is a repeat and no violation.
   */
  isRepeatable(one: Case): boolean {
    if (this.evidence.isForgotten(one) || this.isGivenUp(one)) return true;
    if (one.parent !== undefined) return this.isRepeatable(one.parent);
    const { root } = one;
    if (root?.way !== "ref") return false;
    return [...this.evidence.idsOf(one)].some((id) => (this.evidence.callsOf.get(id)?.length ?? 0) > 1);
  }

  /**
   * Whether its sender has given it up, although the target may have taken it: such a letter can be redriven, and
   * then it is at least once.
   */
  isGivenUp(one: Case): boolean {
    if (this.evidence.senderOf(one) !== IMPATIENT) return false;
    return [...this.evidence.idsOf(one)].some((id) => this.evidence.undeliverable.has(id));
  }

  /** Whether its send was answered the id of another that waited under its key. */
  isKeptOut({ n, root }: Case): boolean {
    const answered = root?.ids[root.parcels.findIndex((parcel) => parcel.n === n)];
    const sent = (this.evidence.sentOf.get(n) ?? []).map(({ id }) => id);
    const ids = answered === undefined ? sent : [answered, ...sent];
    return ids.some((id) => this.evidence.ownerOf(id) !== n);
  }

  /** How often it was put back after its death, at least and at most. */
  redrives(one: Case): { readonly least: number; readonly most: number } {
    const outcomes = [...one.ids].flatMap((id) => this.evidence.redrivesOf.get(id) ?? []);
    const count = (outcome: Outcome): number =>
      outcomes.filter((redrive) => redrive.outcome === outcome).length;
    return { least: count("yes"), most: count("yes") + count("unknown") };
  }

  /** What handlers that asked for it were answered. */
  #cancelled(id: string): Outcome[] {
    const rows = this.evidence.cancelRowsOf.get(id) ?? [];
    const outcomes = rows.map(({ answer }): Outcome => (answer === 1 ? "yes" : "no"));
    // A handler may have died before it wrote down the answer.
    const asked = this.evidence.cancelsAskedOf.get(id)?.length ?? 0;
    return asked > rows.length ? [...outcomes, "unknown"] : outcomes;
  }

  /** What cancels of whatever waits under its key were answered. */
  #cancelledByKey({ parcel, kind, root }: Case, id: string): Outcome[] {
    if (parcel?.key === undefined) return [];
    const asked = this.evidence.observations.register.keyCancels.filter(
      (one) =>
        one.actor === parcel.to &&
        one.kind === kind &&
        one.key === parcel.key &&
        one.answeredAt >= (root?.askedAt ?? 0) &&
        one.outcome !== "no",
    );
    if (asked.length === 0) return [];
    return [this.#told(id, "cancelled") ? "yes" : "unknown"];
  }

  #acceptance(one: Case): Outcome {
    const { parent, root } = one;
    if (one.isInVain) return "no";
    if (one.kind === "tick" || this.evidence.isForgotten(one)) return "unknown";
    if (root?.way === "ref") return root.outcome;
    // Whoever is told to send writes it down in the same commit.
    if (root !== undefined) return this.evidence.sentOf.has(one.n) ? "yes" : "no";
    if (parent === undefined) return "no";
    if (!isSync(parent.kind)) return this.#acked(parent);
    return parent.done.length > 0 ? "yes" : "no";
  }

  /** Whether an async message was acked: only then what it sent was. */
  #acked(one: Case): Outcome {
    if (this.accepted(one) === "no" || one.done.length === 0) return "no";
    if (one.letter !== undefined || one.pending.length > 0 || this.ended(one, "purge") === "yes") return "no";
    if (this.ended(one, "purge") === "unknown" || this.ended(one, "cancel") !== "no") return "unknown";
    return one.parcel?.key === undefined ? "yes" : "unknown";
  }

  /**
   * Whether it may have given way to another message of its key, and its actor died before it could say so: the
   * one that was kept, when it came itself, or the one that has replaced it.
   */
  #mayHaveGivenWay(one: Case): boolean {
    const { n, parcel } = one;
    if (parcel?.key === undefined) return false;
    const { key, to, kind } = parcel;
    const isRival = ({ parcel: other }: Case): boolean =>
      other !== undefined && other.key === key && other.n !== n && other.to === to && other.kind === kind;
    const rivals = [...this.evidence.cases.values()].filter(
      (rival) => isRival(rival) && this.accepted(rival) !== "no",
    );
    if (parcel.ifPending === "keep" && rivals.length > 0 && this.evidence.isCutOff(one)) return true;
    return rivals.some((rival) => rival.parcel?.ifPending === "replace" && this.evidence.isCutOff(rival));
  }

  #told(id: string, event: string): boolean {
    return this.evidence.toldOf.get(id)?.some((told) => told.event === event) ?? false;
  }
}
