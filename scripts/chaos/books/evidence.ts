// Puts together what was observed of each message: by its number, which the plan has given it, and by
// its ids, which the library has.

import { type Kind, type Parcel, type Rhythm, tickParcel } from "../parcel.ts";
import type { Asked, EndAsked, RedriveAsked, RescheduleAsked, SendAsked } from "../register.ts";
import type { CancelRow, DoneRow, Entry, LetterSeen, PendingSeen, SentRow, Told } from "../testimony.ts";
import type { Observations } from "./observations.ts";

/** Everything about one number. */
export interface Case {
  readonly n: string;
  readonly kind: Kind | "tick";
  /** Absent for an occurrence, and for what nobody has planned. */
  readonly parcel: Parcel | undefined;
  /** Whose handler sent it. */
  readonly parent: Case | undefined;
  /** How it was sent from outside. */
  readonly root: SendAsked | undefined;
  readonly children: Case[];
  /** Ids under which it was seen in an actor: entered, done, dead or pending. */
  readonly ids: Set<string>;
  readonly entries: Entry[];
  readonly done: (DoneRow & { readonly actor: number })[];
  /** The letter that is left at the end. */
  letter: LetterSeen | undefined;
  readonly pending: PendingSeen[];
}

/** A ref waits at least so long before it repeats a call. */
const REF_WAITS_MS = 50;

export class Evidence {
  readonly observations: Observations;
  readonly cases = new Map<string, Case>();
  readonly toldOf: ReadonlyMap<string, readonly Told[]>;
  readonly endsOf: ReadonlyMap<string, readonly EndAsked[]>;
  readonly reschedulesOf: ReadonlyMap<string, readonly RescheduleAsked[]>;
  readonly redrivesOf: ReadonlyMap<string, readonly RedriveAsked[]>;
  readonly cancelsAskedOf: ReadonlyMap<string, readonly string[]>;
  readonly cancelRowsOf: ReadonlyMap<string, readonly CancelRow[]>;
  /** Of a number, the rows that say it was sent, and by whom. */
  readonly sentOf: ReadonlyMap<string, readonly { readonly id: string; readonly actor: number }[]>;
  /** Of a number, what async handlers were answered when they sent it. */
  readonly postedOf: ReadonlyMap<string, readonly SentRow[]>;
  readonly inOutbox: ReadonlySet<string>;
  /** Recurrences by their key. */
  readonly rhythms = new Map<string, Rhythm>();
  /** The intervals with which each was declared. */
  readonly intervals = new Map<string, Set<number>>();
  readonly #ownerOf = new Map<string, string>();
  /** When instances of an actor were made after one that died while the runtime lived on. */
  readonly #deathsOf: ReadonlyMap<string, Observations["births"]>;

  constructor(observations: Observations) {
    this.observations = observations;
    const { register, audits, told, entries, births, kills } = observations;
    this.toldOf = groupBy(told, ({ id }) => id);
    this.#deathsOf = groupBy(rebirths(births, kills), ({ actor }) => String(actor));
    this.endsOf = groupBy(this.#doubted(register.ends), ({ id }) => id);
    this.reschedulesOf = groupBy(this.#doubted(register.reschedules), ({ id }) => id);
    this.redrivesOf = groupBy(this.#doubted(register.redrives), ({ id }) => id);
    this.cancelsAskedOf = groupBy(observations.cancelsAsked, (id) => id);
    this.cancelRowsOf = groupBy(
      audits.flatMap(({ cancels }) => cancels),
      ({ id }) => id,
    );
    this.sentOf = groupBy(
      audits.flatMap(({ actor, sent }) => sent.map((row) => ({ ...row, actor }))),
      ({ n }) => n,
    );
    this.postedOf = groupBy(observations.posted, ({ n }) => n);
    this.inOutbox = new Set(audits.flatMap(({ outbox }) => outbox.map(({ id }) => id)));
    for (const root of register.sends) for (const parcel of root.parcels) this.#plan(parcel, undefined, root);
    for (const { rhythm } of register.declares) this.#declare(rhythm);
    for (const { parcel } of this.cases.values())
      for (const rhythm of parcel?.declares ?? []) this.#declare(rhythm);
    for (const entry of entries) this.#see(entry.n, entry.id).entries.push(entry);
    for (const { actor, done, letters, pending } of audits) {
      for (const row of done) this.#see(row.n, row.id).done.push({ ...row, actor });
      for (const letter of letters) this.#see(letter.n, letter.id).letter = letter;
      for (const row of pending) this.#see(row.n, row.id).pending.push(row);
    }
    for (const letter of observations.letters) this.#see(letter.n, letter.id);
    // Of what nobody has seen, whoever was first answered an id has it: the others were kept out by their key.
    for (const { parcels, ids } of register.sends)
      ids.forEach((id, index) => this.#own(id, parcels[index]?.n ?? ""));
    for (const [n, rows] of this.sentOf) for (const { id } of rows) this.#own(id, n);
    for (const { n, id } of observations.posted) this.#own(id, n);
  }

  /**
   * Whether a ref may have made a call twice: its object died meanwhile, maybe after it had done what it was
   * asked, and before it could answer.
   */
  mayBeRepeated(actor: number, askedAt: number, answeredAt: number): boolean {
    if (answeredAt - askedAt < REF_WAITS_MS) return false;
    const deaths = this.#deathsOf.get(String(actor)) ?? [];
    return deaths.some(({ at }) => at >= askedAt && at <= answeredAt);
  }

  /** Whose id it is. */
  ownerOf(id: string): string | undefined {
    return this.#ownerOf.get(id);
  }

  /** Every id that this number may have: those seen, and those that its sends were answered. */
  idsOf(one: Case): ReadonlySet<string> {
    const answered = one.root?.ids[one.root.parcels.findIndex(({ n }) => n === one.n)];
    const sent = [...(this.sentOf.get(one.n) ?? []), ...(this.postedOf.get(one.n) ?? [])].map(({ id }) => id);
    const all = [...sent, ...(answered === undefined ? [] : [answered])];
    return new Set([...one.ids, ...all.filter((id) => this.ownerOf(id) === one.n)]);
  }

  /** The second call finds nothing to do; so a no may be a yes. */
  #doubted<T extends Asked>(all: readonly T[]): readonly T[] {
    return all.map((one) =>
      one.outcome === "no" && this.mayBeRepeated(one.actor, one.askedAt, one.answeredAt)
        ? { ...one, outcome: "unknown" }
        : one,
    );
  }

  #plan(parcel: Parcel, parent: Case | undefined, root: SendAsked | undefined): void {
    const one = this.#case(parcel.n, parcel.kind, parcel, parent, root);
    for (const child of parcel.sends) this.#plan(child, one, undefined);
  }

  #declare(rhythm: Rhythm): void {
    const { key, everyMs } = rhythm;
    this.rhythms.set(key, rhythm);
    this.intervals.set(key, (this.intervals.get(key) ?? new Set()).add(everyMs));
  }

  #see(n: string, id: string): Case {
    const one = this.cases.get(n) ?? this.#unplanned(n);
    one.ids.add(id);
    this.#own(id, n);
    return one;
  }

  #own(id: string, n: string): void {
    if (!this.#ownerOf.has(id)) this.#ownerOf.set(id, n);
  }

  /** An occurrence, or what an occurrence has sent, or a number that should not be. */
  #unplanned(n: string): Case {
    const [key = "", planned = ""] = n.split("@");
    const rhythm = this.rhythms.get(key);
    const [plannedAt = "", part] = planned.split(".");
    if (rhythm === undefined) return this.#case(n, "note", undefined, undefined, undefined);
    const tick =
      this.cases.get(`${key}@${plannedAt}`) ??
      this.#case(`${key}@${plannedAt}`, "tick", undefined, undefined, undefined);
    const told = this.cases.get(`${tick.n}.0`);
    if (told === undefined) this.#plan(tickParcel(rhythm, Number(plannedAt)), tick, undefined);
    return part === undefined ? tick : (this.cases.get(n) ?? tick);
  }

  #case(
    n: string,
    kind: Kind | "tick",
    parcel: Parcel | undefined,
    parent: Case | undefined,
    root: SendAsked | undefined,
  ): Case {
    const one: Case = {
      n,
      kind,
      parcel,
      parent,
      root,
      children: [],
      ids: new Set(),
      entries: [],
      done: [],
      letter: undefined,
      pending: [],
    };
    parent?.children.push(one);
    this.cases.set(n, one);
    return one;
  }
}

/** Births that are not the first of their actor in a life of the runtime. A kill cuts off whoever calls as well. */
function rebirths(births: Observations["births"], kills: readonly number[]): Observations["births"] {
  const last = new Map<number, number>();
  return births.filter(({ actor, at }) => {
    const before = last.get(actor);
    last.set(actor, at);
    return before !== undefined && !kills.some((kill) => kill >= before && kill <= at);
  });
}

/** Groups by a key; what has none is left out. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
