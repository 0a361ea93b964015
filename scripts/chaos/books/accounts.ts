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
    if (ids.some((id) => this.#told(id, "notEnqueued"))) return "kept out";
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
    if ([...this.evidence.idsOf(one)].some((id) => this.evidence.unheard.has(id))) return true;
    return this.evidence.mayBeRepeated(root.actor, root.askedAt, root.answeredAt);
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
    if (one.kind === "tick" || this.evidence.isForgotten(one)) return "unknown";
    if (one.isInVain) return "no";
    if (root !== undefined) {
      // Whoever is told to send writes it down in the same commit.
      const outcome = root.way === "ref" ? root.outcome : this.evidence.sentOf.has(one.n) ? "yes" : "no";
      return outcome === "yes" ? this.#unlessKept(one) : outcome;
    }
    if (parent === undefined) return "no";
    const outcome = !isSync(parent.kind) ? this.#acked(parent) : parent.done.length > 0 ? "yes" : "no";
    return outcome === "yes" ? this.#unlessKept(one) : outcome;
  }

  /** Whether an async message was acked: only then what it sent was. */
  #acked(one: Case): Outcome {
    if (this.accepted(one) === "no" || one.done.length === 0) return "no";
    if (one.letter !== undefined || one.pending.length > 0 || this.ended(one, "purge") === "yes") return "no";
    if (this.ended(one, "purge") === "unknown" || this.ended(one, "cancel") !== "no") return "unknown";
    return one.parcel?.key === undefined ? "yes" : "unknown";
  }

  /** A message with a key may never get in, because another that waits is kept. */
  #unlessKept(one: Case): Outcome {
    if (one.parcel?.key === undefined) return "yes";
    return [...this.evidence.idsOf(one)].some((id) => this.#told(id, "accepted")) || one.ids.size > 0
      ? "yes"
      : "unknown";
  }

  /** Whether there is another message of its key that it may have given way to. */
  #mayHaveGivenWay({ n, parcel }: Case): boolean {
    if (parcel?.key === undefined) return false;
    for (const rival of this.evidence.cases.values()) {
      const other = rival.parcel;
      if (other === undefined || rival.n === n || other.key !== parcel.key) continue;
      if (other.to !== parcel.to || other.kind !== parcel.kind) continue;
      if ((parcel.ifPending === "keep" || other.ifPending === "replace") && this.accepted(rival) !== "no")
        return true;
    }
    return false;
  }

  #told(id: string, event: string): boolean {
    return this.evidence.toldOf.get(id)?.some((told) => told.event === event) ?? false;
  }
}
