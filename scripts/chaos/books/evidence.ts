// Puts together what was observed of each message: by its number, which the plan has given it, and by
// its ids, which the library has.

import { BYPASSER } from "../actors.ts";
import {
  declaresOf,
  isTakenBack,
  type Kind,
  type Parcel,
  type Rhythm,
  rhythmName,
  sendsOf,
  tickParcel,
} from "../parcel.ts";
import type { EndAsked, RedriveAsked, RescheduleAsked, SendAsked } from "../register.ts";
import type { CancelRow, DoneRow, Entry, LetterSeen, PendingSeen, SentRow, Told } from "../testimony.ts";
import type { CallSeen, Observations } from "./observations.ts";

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
  /** Sent in a transaction that was rolled back. */
  readonly isInVain: boolean;
  readonly children: Case[];
  /** Ids under which it was seen in an actor: entered, done, dead or pending. */
  readonly ids: Set<string>;
  readonly entries: Entry[];
  readonly done: (DoneRow & { readonly actor: number })[];
  /** The letter that is left at the end. */
  letter: LetterSeen | undefined;
  readonly pending: PendingSeen[];
}

/** Who has sent a message: a handler, or somebody from outside. */
interface Origin {
  readonly parent?: Case;
  readonly root?: SendAsked;
  readonly isInVain?: boolean;
}

/** How long after a commit it may take on a busy machine until it is told. */
const TELLING_MS = 3_000;

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
  /** Of an id, the calls that have brought it. */
  readonly callsOf: ReadonlyMap<string, readonly CallSeen[]>;
  /** Ids of messages that their senders have given up, now or before. */
  readonly undeliverable: ReadonlySet<string>;
  /** Recurrences by their names. */
  readonly rhythms = new Map<string, Rhythm>();
  /** The intervals with which each was declared. */
  readonly intervals = new Map<string, Set<number>>();
  readonly #ownerOf = new Map<string, string>();

  constructor(observations: Observations) {
    this.observations = observations;
    const { register, audits, told, entries } = observations;
    // What was rolled back behind a mailbox's back it has told all the same.
    const believed = told.filter(({ actor }) => actor !== BYPASSER);
    this.toldOf = groupBy(believed, ({ id }) => id);
    this.endsOf = groupBy(register.ends, ({ id }) => id);
    this.reschedulesOf = groupBy(register.reschedules, ({ id }) => id);
    this.redrivesOf = groupBy(register.redrives, ({ id }) => id);
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
    this.callsOf = groupBy(
      observations.calls.flatMap((call) => call.ids.map((id) => ({ ...call, id }))),
      ({ id }) => id,
    );
    this.undeliverable = new Set(
      [
        ...told.filter(({ reason }) => reason === "undeliverable"),
        ...[...observations.letters, ...audits.flatMap(({ letters }) => letters)].filter(
          ({ reason }) => reason === "undeliverable",
        ),
      ].flatMap(({ id }) => id ?? []),
    );
    this.inOutbox = new Set(audits.flatMap(({ outbox }) => outbox.map(({ id }) => id)));
    for (const root of register.sends)
      for (const parcel of root.parcels) this.#plan(parcel, { root, isInVain: root.way === "in vain" });
    for (const { rhythm } of register.declares) this.#declare(rhythm);
    for (const { parcel } of this.cases.values())
      for (const scene of parcel?.scenes ?? []) for (const rhythm of declaresOf(scene)) this.#declare(rhythm);
    for (const entry of entries) this.#see(entry.n, entry.id).entries.push(entry);
    for (const { actor, done, letters, pending } of audits) {
      for (const row of done) this.#see(row.n, row.id).done.push({ ...row, actor });
      for (const letter of messagesAmong(letters)) this.#see(letter.n, letter.id).letter = letter;
      for (const row of pending) this.#see(row.n, row.id).pending.push(row);
    }
    for (const letter of messagesAmong(observations.letters)) this.#see(letter.n, letter.id);
    this.#ownUnseen();
  }

  /** Who has sent it; nobody known, when it came by a ref. */
  senderOf({ parent, root }: Case): number | undefined {
    if (parent !== undefined) return this.targetOf(parent);
    return root?.way === "ref" ? undefined : root?.actor;
  }

  /** Who is to handle it. */
  targetOf({ parcel, n }: Case): number | undefined {
    return parcel?.to ?? this.rhythms.get(n.split("@")[0] ?? "")?.to;
  }

  /** Whether what an actor did at a moment may be undone, because its storage was put back after that. */
  isUndone(actor: number | undefined, at: number): boolean {
    if (actor === undefined) return false;
    return this.observations.putBacks.some((putBack) => putBack.actor === actor && at <= putBack.at);
  }

  /**
   * Whether nobody can say what must have become of a message: it was sent by or to an actor whose storage was
   * put back after that. What is sent later is as good as any.
   */
  isForgotten(one: Case): boolean {
    const sentAt = one.root?.askedAt ?? Math.min(...(one.parent?.entries ?? []).map(({ at }) => at));
    return this.isUndone(this.senderOf(one), sentAt) || this.isUndone(this.targetOf(one), sentAt);
  }

  /**
   * Whether its actor died about when it had come: after its commit, perhaps, and before anybody was told of it.
   * So what its key has done may be known to nobody.
   */
  isCutOff(one: Case): boolean {
    const target = this.targetOf(one);
    if (target === undefined) return true;
    const calls = [...this.idsOf(one)].flatMap((id) => this.callsOf.get(id) ?? []);
    const commits = calls.map(({ at, answeredAt }) => ({ from: at, to: answeredAt }));
    // What an actor sends to itself comes with the commit of whoever sends.
    if (this.senderOf(one) === target) {
      const { root, parent } = one;
      if (root !== undefined) commits.push({ from: root.askedAt, to: root.answeredAt });
      for (const { at } of parent?.done ?? []) commits.push({ from: at, to: at });
    }
    const deaths = [
      ...this.observations.kills,
      ...this.observations.births.flatMap(({ actor, at }) => (actor === target ? [at] : [])),
    ];
    return commits.some(({ from, to }) =>
      to === undefined ? true : deaths.some((at) => at >= from && at <= to + TELLING_MS),
    );
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

  #plan(parcel: Parcel, origin: Origin): void {
    const one = this.#case(parcel.n, parcel.kind, parcel, origin);
    for (const child of parcel.sends) this.#plan(child, { parent: one });
    for (const scene of parcel.scenes ?? []) {
      const isInVain = isTakenBack(scene);
      for (const child of sendsOf(scene)) this.#plan(child, { parent: one, isInVain });
    }
  }

  #declare(rhythm: Rhythm): void {
    const name = rhythmName(rhythm);
    this.rhythms.set(name, rhythm);
    this.intervals.set(name, (this.intervals.get(name) ?? new Set()).add(rhythm.everyMs));
  }

  /**
   * Of what nobody has seen, whose each id is. A send that is kept out by its key is answered the id of the one
   * that waits, so those come first of which it is known that the id was made for them.
   */
  #ownUnseen(): void {
    const written = [
      ...[...this.sentOf].flatMap(([n, rows]) => rows.map(({ id }) => ({ n, id }))),
      ...this.observations.posted,
    ];
    const answered = this.observations.register.sends.flatMap(({ parcels, ids, askedAt, answeredAt }) =>
      ids.map((id, index) => ({ n: parcels[index]?.n ?? "", id, askedAt, answeredAt })),
    );
    const isToAnother = (n: string): boolean => {
      const one = this.cases.get(n);
      return one !== undefined && this.senderOf(one) !== this.targetOf(one);
    };
    for (const { n, id } of written) if (isToAnother(n)) this.#own(id, n);
    for (const { n, id, askedAt, answeredAt } of answered) {
      const calls = this.callsOf.get(id) ?? [];
      if (calls.some(({ at }) => at >= askedAt && at <= answeredAt)) this.#own(id, n);
    }
    for (const { n, id } of [...written, ...answered]) this.#own(id, n);
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
    const [name = "", planned = ""] = n.split("@");
    const rhythm = this.rhythms.get(name);
    const [plannedAt = "", part] = planned.split(".");
    if (rhythm === undefined) return this.#case(n, "note", undefined, {});
    const number = `${name}@${plannedAt}`;
    const tick = this.cases.get(number) ?? this.#case(number, "tick", undefined, {});
    const told = this.cases.get(`${tick.n}.0`);
    if (told === undefined) this.#plan(tickParcel(rhythm, Number(plannedAt)), { parent: tick });
    return part === undefined ? tick : (this.cases.get(n) ?? tick);
  }

  #case(
    n: string,
    kind: Kind | "tick",
    parcel: Parcel | undefined,
    { parent, root, isInVain = false }: Origin,
  ): Case {
    const one: Case = {
      n,
      kind,
      parcel,
      parent,
      root,
      isInVain,
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

/** Letters of messages; a declaration that nobody took is none. */
function messagesAmong(letters: readonly LetterSeen[]): readonly LetterSeen[] {
  return letters.filter((letter) => letter.isDeclaration !== true);
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
