// The judge of `npm run chaos`: a run in which anything was lost, hurried, repeated or made up must be found
// out. Each case is a good run with one thing changed.

import { describe, expect, it } from "vitest";
import { check } from "../../scripts/chaos/books/books.ts";
import { readFlags } from "../../scripts/chaos/flags.ts";
import { INGREDIENTS } from "../../scripts/chaos/plan/ingredients.ts";
import { makePlan } from "../../scripts/chaos/plan/plan.ts";
import { emptyRegister } from "../../scripts/chaos/register.ts";
import {
  asked,
  type Changes,
  died,
  done,
  entry,
  idOf,
  letter,
  lines,
  parcel,
  recurrence,
  recurring,
  repeated,
  run,
  sends,
  T,
  tick,
  withRow,
} from "./chaos-run.ts";
import type { Parcel } from "../../scripts/chaos/parcel.ts";

const ONE = { register: sends([parcel("1")]), entries: [entry("1")], audits: [{ done: [done("1")] }] };
const PARENT = parcel("1", { sends: [parcel("1.0"), parcel("1.1")] });
const ASYNC_PARENT: Parcel = { ...PARENT, kind: "chore" };
const CHORE_DONE = done("1", { kind: "chore" });
const SENT = ["1.0", "1.1"].map((n) => ({ n, id: idOf(n) }));
const THROWS = parcel("1", { fate: { kind: "throw", times: 9 } });
const FOUR = ["threw", "threw", "threw", "threw"];
const POISON = parcel("1", { fate: { kind: "abort", times: 9 } });
const CRASHES = ["crashed", "crashed", "crashed", "crashed"];

function namesOf(changes: Changes): readonly string[] {
  return check(run(changes)).violations.map(({ name }) => name);
}

describe("the books of a good run say nothing of", () => {
  it.each<[string, Changes]>([
    ["a run in which nothing happened", {}],
    ["a message that was handled", ONE],
    [
      "one that nobody can say was sent, and that is not there",
      { register: sends([parcel("1")], { outcome: "unknown", ids: [] }) },
    ],
    [
      "one that nobody can say was sent, and that was handled",
      { ...ONE, register: sends([parcel("1")], { outcome: "unknown", ids: [] }) },
    ],
    ["one that was refused", { register: sends([parcel("1")], { outcome: "no", ids: [] }) }],
    [
      "an async handler that ran twice",
      { register: sends([parcel("1", { kind: "chore" })]), audits: [{ done: [CHORE_DONE, CHORE_DONE] }] },
    ],
    [
      "what a sync handler has sent",
      { register: sends([PARENT]), audits: [{ done: ["1", "1.0", "1.1"].map((n) => done(n)), sent: SENT }] },
    ],
    [
      "what an async handler has sent",
      { register: sends([ASYNC_PARENT]), audits: [{ done: [CHORE_DONE, done("1.0"), done("1.1")] }] },
    ],
    ["one that died of its fate", { register: sends([THROWS]), audits: [{ letters: [letter("1", FOUR)] }] }],
    [
      "one that killed its object every time",
      { register: sends([POISON]), audits: [{ letters: [letter("1", CRASHES, { reason: "crashed" })] }] },
    ],
    [
      "one that was purged",
      {
        register: { ...sends([THROWS]), ends: [asked({ verb: "purge" as const, id: "id-1" })] },
        letters: [{ ...letter("1", FOUR), at: T }],
      },
    ],
    [
      "one that was cancelled",
      { register: { ...sends([parcel("1")]), ends: [asked({ verb: "cancel" as const, id: "id-1" })] } },
    ],
    [
      "one that was replaced",
      {
        register: sends([parcel("1", { key: "k" })]),
        told: [{ actor: 0, at: T, event: "replaced", id: "id-1", by: "id-2" }],
      },
    ],
    [
      "one that was rescheduled to an earlier time",
      {
        ...ONE,
        entries: [entry("1", { notBefore: T + 50 })],
        register: { ...ONE.register, reschedules: [asked({ id: "id-1", at: T + 5 })] },
      },
    ],
    ["one whose ref repeated the call, because it was not answered", repeated(2)],
    ["a recurrence on time", withRow(recurring([T, T + 100, T + 300], { times: 3 }), recurrence(3))],
    ["one that has had its times", withRow(recurring([T, T + 100], { times: 2 }), recurrence(2))],
  ])("%s", (_, changes) => {
    expect(check(run(changes)).violations).toEqual([]);
  });
});

describe("the books find", () => {
  it.each<[string, Changes, string]>([
    ["a message that is gone", { register: sends([parcel("1")]) }, "lost"],
    [
      "a child that is gone",
      { register: sends([PARENT]), audits: [{ done: [done("1"), done("1.0")], sent: SENT }] },
      "lost",
    ],
    [
      "what is gone of an unknown sender",
      { told: [{ actor: 0, at: T, event: "accepted", id: "id-x" }] },
      "lost",
    ],
    [
      "a completion that was told and is not there",
      { ...ONE, audits: [], told: [{ actor: 0, at: T, event: "delivered", id: "id-1" }] },
      "lost",
    ],
    [
      "an alarm that stopped",
      {
        register: { ...emptyRegister(), alarms: [{ actor: 0, at: T }] },
        audits: [{ alarm: { ran: 3, rounds: 5, everyMs: 1 } }],
      },
      "lost",
    ],
    [
      "a message that waits for ever",
      {
        register: sends([parcel("1")]),
        audits: [{ pending: [{ id: "id-1", n: "1", state: "waiting", dueAt: T }] }],
      },
      "pending",
    ],
    [
      "a message that never left its outbox",
      { register: sends([parcel("1")]), audits: [{ outbox: [{ id: "id-1", target: "CLERKS/clerk-1" }] }] },
      "pending",
    ],
    [
      "what was sent in a transaction that failed",
      { ...ONE, register: sends([parcel("1")], { way: "in vain", ids: [] }) },
      "phantom",
    ],
    ["what was refused", { ...ONE, register: sends([parcel("1")], { outcome: "no", ids: [] }) }, "phantom"],
    [
      "what a dead async message has sent",
      {
        register: sends([{ ...ASYNC_PARENT, fate: { kind: "throw", times: 9 } }]),
        audits: [{ letters: [letter("1", FOUR)], done: [done("1.0"), done("1.1")] }],
      },
      "phantom",
    ],
    ["what nobody has planned", { audits: [{ done: [done("1.zombie")] }] }, "phantom"],
    ["a sync handler that completed twice", { ...ONE, audits: [{ done: [done("1"), done("1")] }] }, "twice"],
    ["a message that completed twice, and whose ref made one call", repeated(1), "twice"],
    ["a number under two ids", { ...ONE, entries: [entry("1"), entry("1", { id: "id-2" })] }, "twice"],
    [
      "a message that completed and died",
      { register: sends([THROWS]), audits: [{ done: [done("1")], letters: [letter("1", FOUR)] }] },
      "twice",
    ],
    [
      "a message that was accepted twice",
      { ...ONE, told: [0, 1].map(() => ({ actor: 0, at: T, event: "accepted", id: "id-1" })) },
      "twice",
    ],
    [
      "half of a sendAll",
      {
        register: sends([parcel("1"), parcel("2")], { outcome: "unknown", ids: [] }),
        entries: [entry("1")],
        audits: [{ done: [done("1")] }],
      },
      "half",
    ],
    [
      "half of what was sent in a request",
      {
        register: sends([parcel("1"), parcel("2")], { way: "order" }),
        audits: [{ done: [done("1")], sent: [{ n: "1", id: idOf("1") }] }],
      },
      "half",
    ],
    ["an attempt before its due time", { ...ONE, entries: [entry("1", { dueAt: T + 11 })] }, "early"],
    [
      "an attempt before the time asked for",
      { ...ONE, entries: [entry("1", { notBefore: T + 11 })] },
      "early",
    ],
    [
      "a redelivery without its backoff",
      { ...ONE, entries: [entry("1"), entry("1", { attempt: 2, at: T + 100 })] },
      "early",
    ],
    ["the own alarm before its time", { alarms: [{ alarm: 0, at: T, dueAt: T + 1 }] }, "early"],
    ["a line before one that was sent first", { ...lines([2, 1]) }, "out of order"],
    [
      "a counter that is behind",
      { ...ONE, audits: [{ done: [done("1")], counted: { row: 0, key: 1 } }] },
      "miscounted",
    ],
    [
      "a send that was not written down",
      {
        register: sends([PARENT]),
        audits: [{ done: ["1", "1.0", "1.1"].map((n) => done(n)), sent: SENT.slice(1) }],
      },
      "miscounted",
    ],
    [
      "a trace of an attempt that was rolled back",
      {
        register: sends([PARENT]),
        audits: [{ sent: SENT, pending: [{ id: "id-1", n: "1", state: "waiting", dueAt: T }] }],
      },
      "miscounted",
    ],
    [
      "an attempt after its cancel",
      {
        register: { ...sends([parcel("1")]), ends: [asked({ verb: "cancel" as const, id: "id-1" })] },
        entries: [entry("1", { at: T + 26 })],
      },
      "not cancelled",
    ],
    [
      "an attempt after a cancel in a handler",
      {
        ...ONE,
        entries: [entry("1")],
        audits: [{ cancels: [{ id: "id-1", target: 0, answer: 1, askedAt: T + 9, at: T + 9 }] }],
      },
      "not cancelled",
    ],
    [
      "one that completed although its cancel was answered true",
      { ...ONE, register: { ...ONE.register, ends: [asked({ verb: "cancel" as const, id: "id-1" })] } },
      "not cancelled",
    ],
    ["an attempt too many", { ...ONE, entries: [entry("1", { attempt: 5 })] }, "unbounded"],
    [
      "a message that kills its object again and again",
      {
        register: sends([POISON]),
        entries: Array.from({ length: 7 }, () => entry("1")),
        audits: [{ letters: [letter("1", CRASHES, { reason: "crashed" })] }],
      },
      "unbounded",
    ],
    [
      "a letter without its history",
      { register: sends([THROWS]), audits: [{ letters: [letter("1", FOUR, { attempts: 5 })] }] },
      "wrong letter",
    ],
    [
      "a letter before its last attempt",
      { register: sends([THROWS]), audits: [{ letters: [letter("1", FOUR.slice(1))] }] },
      "wrong letter",
    ],
    [
      "a letter of the wrong reason",
      { register: sends([THROWS]), audits: [{ letters: [letter("1", FOUR, { reason: "rejected" })] }] },
      "wrong letter",
    ],
    [
      "a death that was not its fate",
      { register: sends([parcel("1")]), audits: [{ letters: [letter("1", FOUR)] }] },
      "wrong letter",
    ],
    [
      "a death charged to a bystander",
      {
        ...ONE,
        births: [{ actor: 0, at: T + 20 }],
        told: [{ actor: 0, at: T + 30, event: "attemptFailed", id: "id-1", outcome: "crashed" }],
      },
      "charged",
    ],
    [
      "a letter whose hook never ran",
      { register: sends([THROWS]), audits: [{ letters: [letter("1", FOUR)], hooks: [] }] },
      "no hook",
    ],
    [
      "two occurrences that wait",
      {
        register: { ...emptyRegister(), looks: [{ actor: 0, at: T, occurrences: [tick(T), tick(T + 100)] }] },
      },
      "forked",
    ],
    [
      "an occurrence after a later one",
      { ...recurring([T, T + 100]), entries: [tick(T + 100), tick(T, { at: T + 200 })] },
      "forked",
    ],
    ["an occurrence beside the plan", recurring([T, T + 101]), "drifted"],
    ["an occurrence after `until`", recurring([T, T + 100], { until: T + 99 }), "drifted"],
    [
      "a recurrence that ended too late",
      withRow(recurring([T, T + 100], { times: 1 }), recurrence(2)),
      "wrong times",
    ],
    [
      "a recurrence that never ended",
      withRow(recurring([T], { times: 2 }), recurrence(1, { ended: false })),
      "wrong times",
    ],
    [
      "an occurrence that was counted and not done",
      withRow(recurring([T], { times: 2 }), recurrence(2)),
      "wrong times",
    ],
    [
      "an occurrence that was skipped for nothing",
      withRow(recurring([T, T + 100], { times: 2, missed: "all" }), recurrence(2, { skipped: 1 })),
      "wrong times",
    ],
    ["a recurrence that died", died(), "lost"],
    ["an actor that nobody woke", { lateness: [{ actor: 0, at: T, overdueMs: 9_000 }] }, "asleep"],
    ["an alarm that was gone", { told: [{ actor: 0, at: T, event: "healed", alarm: null }] }, "asleep"],
    [
      "an event that nothing gives cause for",
      { told: [{ actor: 0, at: T, event: "outboxForked" }] },
      "strange event",
    ],
  ])("%s", (_, changes, name) => {
    expect(namesOf(changes)).toContain(name);
  });
});

describe("the plan", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(makePlan(1, 60, T)).toEqual(makePlan(1, 60, T));
    expect(makePlan(2, 60, T)).not.toEqual(makePlan(1, 60, T));
  });

  it("kills three times at least in a minute, whatever the seed", () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const lives = makePlan(seed, 60, T).lives.slice(0, 3);
      // What is left of the minute is for three restarts.
      expect(lives.reduce((sum, { ms }) => sum + ms, 0)).toBeLessThan(50_000);
    }
  });
});

describe("the command line", () => {
  it.each<[string[], unknown]>([
    [[], { seconds: 60, seed: undefined, ingredients: INGREDIENTS }],
    [["--seconds", "600", "--seed", "7"], { seconds: 600, seed: 7, ingredients: INGREDIENTS }],
    [["--with", "bulk,losses"], { seconds: 60, seed: undefined, ingredients: ["losses", "bulk"] }],
    [["--with", ""], { seconds: 60, seed: undefined, ingredients: [] }],
    [["--with", "bulk,love"], expect.stringContaining("--with")],
    [["--seconds", "1"], expect.stringContaining("--seconds")],
    [["--seconds", "ten"], expect.stringContaining("whole number")],
    [["--seed", "1.5"], expect.stringContaining("--seed")],
    [["--sede", "1"], expect.stringContaining("--sede")],
    [["7"], expect.stringContaining("7")],
    [["--help"], expect.stringContaining("Usage")],
  ])("%j", (args, flags) => {
    expect(readFlags(args)).toEqual(flags);
  });
});
