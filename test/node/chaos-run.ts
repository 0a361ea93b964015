// Makes what `npm run chaos` would have observed of a small run, for the tests of its books.

import type { Observations } from "../../scripts/chaos/books/observations.ts";
import type { Fate, Parcel, Rhythm } from "../../scripts/chaos/parcel.ts";
import { emptyRegister, type Outcome, type SendAsked } from "../../scripts/chaos/register.ts";
import type { Audit, DoneRow, Entry, LetterSeen } from "../../scripts/chaos/testimony.ts";

export const T = 1_000_000;
const COMPLETE: Fate = { kind: "complete" };

/** What can be changed of a good run, and need not be named. */
export interface Changes extends Partial<Omit<Observations, "audits">> {
  readonly audits?: readonly Partial<Audit>[];
}

export function run(changes: Changes): Observations {
  const { audits = [], ...rest } = changes;
  return {
    register: emptyRegister(),
    letters: [],
    kills: [],
    lives: [],
    putBacks: [],
    calls: [],
    full: [],
    rejected: [],
    restless: [],
    entries: [],
    told: [],
    posted: [],
    births: [],
    alarms: [],
    cancelsAsked: [],
    lateness: [],
    ...rest,
    audits: audits.map((audit, actor) => ({
      actor,
      done: [],
      sent: [],
      cancels: [],
      hooks: (audit.letters ?? []).map(({ id }) => id),
      counted: countOf(audit.done ?? []),
      pending: [],
      outbox: [],
      letters: [],
      recurrences: [],
      ...audit,
    })),
  };
}

/** What some actors have at the end, by their numbers. */
export function of(audits: Readonly<Record<number, Partial<Audit>>>): Partial<Audit>[] {
  const last = Math.max(...Object.keys(audits).map(Number));
  return Array.from({ length: last + 1 }, (_, actor) => audits[actor] ?? {});
}

function countOf(rows: readonly DoneRow[]): Audit["counted"] {
  const count = rows.filter(({ kind }) => kind !== "chore" && kind !== "favor").length;
  return { row: count, key: count };
}

export function parcel(n: string, more: Partial<Parcel> = {}): Parcel {
  return { n, to: 0, kind: "note", fate: COMPLETE, sends: [], ...more };
}

/** Sends from outside, each with the id `id-` and its number. */
export function sends(parcels: readonly Parcel[], more: Partial<SendAsked> = {}): Observations["register"] {
  const asked: SendAsked = {
    way: "ref",
    actor: 0,
    parcels,
    ids: parcels.map(({ n }) => idOf(n)),
    askedAt: T,
    answeredAt: T + 5,
    outcome: "yes",
    ...more,
  };
  return { ...emptyRegister(), sends: [asked] };
}

export function idOf(n: string): string {
  return `id-${n}`;
}

export function entry(n: string, more: Partial<Entry> = {}): Entry {
  return { actor: 0, id: idOf(n), n, attempt: 1, dueAt: T, at: T + 10, notBefore: T, ...more };
}

export function done(n: string, more: Partial<DoneRow> = {}): DoneRow {
  return { id: idOf(n), n, kind: "note", attempt: 1, at: T + 10, ...more };
}

export function letter(n: string, outcomes: readonly string[], more: Partial<LetterSeen> = {}): LetterSeen {
  const records = outcomes.map((outcome, index) => ({
    attempt: index + 1,
    startedAt: T + index * 1_000,
    durationMs: 100,
    outcome,
  }));
  return { id: idOf(n), n, type: "note", reason: "exhausted", attempts: records.length, records, ...more };
}

export function asked<T extends object>(
  more: T,
): T & { actor: number; askedAt: number; answeredAt: number; outcome: Outcome } {
  return { actor: 0, askedAt: T + 20, answeredAt: T + 25, outcome: "yes", ...more };
}

const RHYTHM: Rhythm = {
  key: "r",
  to: 0,
  everyMs: 100,
  startAt: T,
  missed: "latest",
  throwEvery: 0,
  rejectEvery: 0,
  tells: 0,
};

export function tick(planned: number, more: Partial<Entry> = {}): Entry {
  const id = `every:tick:r>0@${planned}`;
  const n = `r>0@${planned}`;
  return entry(n, {
    id,
    dueAt: planned,
    at: planned,
    notBefore: planned,
    recurrence: "every:tick:r>0",
    ...more,
  });
}

/** Occurrences that completed, with what each has sent, and the recurrence as it is at the end. */
export function recurring(
  planned: readonly number[],
  rhythm: Partial<Rhythm> = {},
  row: Partial<Audit> = {},
): Changes {
  const ticks = planned.map((at) => ({
    ...done(`r>0@${at}`, { id: `every:tick:r>0@${at}` }),
    kind: "tick" as const,
  }));
  const notes = planned.map((at) => done(`r>0@${at}.0`));
  return {
    register: {
      ...emptyRegister(),
      declares: [asked({ rhythm: { ...RHYTHM, ...rhythm }, askedAt: T - 10, answeredAt: T - 5 })],
    },
    entries: planned.map((at) => tick(at)),
    audits: [
      {
        done: [...ticks, ...notes],
        sent: planned.map((at) => ({ n: `r>0@${at}.0`, id: idOf(`r>0@${at}.0`) })),
        ...row,
      },
    ],
  };
}

export function recurrence(delivered: number, more: object = {}): Pick<Audit, "recurrences"> {
  return {
    recurrences: [{ id: "every:tick:r>0", key: "r", delivered, dead: 0, skipped: 0, ended: true, ...more }],
  };
}

/** Lines from one actor to another, in the order of their first attempts. */
export function lines(order: readonly number[]): Changes {
  const parcels = order.map((seq) => parcel(String(seq), { kind: "line" }));
  return {
    register: sends(parcels, { way: "order", actor: 1 }),
    entries: order.map((seq) => entry(String(seq), { line: { from: 1, seq } })),
    audits: [
      { done: order.map((seq) => done(String(seq), { kind: "line" })) },
      { sent: order.map((seq) => ({ n: String(seq), id: idOf(String(seq)) })) },
    ],
  };
}

export function withRow(changes: Changes, row: Pick<Audit, "recurrences">): Changes {
  return { ...changes, audits: (changes.audits ?? []).map((audit) => ({ ...audit, ...row })) };
}

export function died(): Changes {
  const changes = recurring([T]);
  const end = asked({ verb: "end" as const, id: "every:tick:r>0", outcome: "no" as const });
  return { ...changes, register: { ...emptyRegister(), ...changes.register, ends: [end] } };
}

/** A message that was sent by a ref and completed twice; its actor got so many calls with it. */
export function repeated(calls: number): Changes {
  return {
    register: sends([parcel("1")]),
    calls: Array.from({ length: calls }, () => ({
      actor: 0,
      ids: [idOf("1")],
      at: T + 1,
      answeredAt: T + 2,
    })),
    audits: [{ done: [done("1"), done("1")] }],
  };
}
