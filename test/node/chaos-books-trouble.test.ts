// The judge of `npm run chaos`, where a run has met trouble: receivers that refuse or do not answer, transactions
// that were rolled back, storage that was put back, answers that were lost. What trouble excuses must not be
// called a fault, and nothing else may be excused.

import { describe, expect, it } from "vitest";
import { BYPASSER, FORGETFUL, FULL, IMPATIENT, NARROW, NARROW_BYTES } from "../../scripts/chaos/actors.ts";
import { check } from "../../scripts/chaos/books/books.ts";
import type { Parcel, Rhythm } from "../../scripts/chaos/parcel.ts";
import { emptyRegister } from "../../scripts/chaos/register.ts";
import {
  asked,
  type Changes,
  died,
  done,
  entry,
  idOf,
  letter,
  of,
  parcel,
  recurrence,
  recurring,
  run,
  sends,
  T,
  tick,
  withRow,
} from "./chaos-run.ts";

const narrow = NARROW[0] ?? 0;
const LARGE = parcel("1", { to: narrow, bulk: NARROW_BYTES });
const FROM_ORDER = { way: "order", ids: [] } as const;
const SENT = [{ n: "1", id: idOf("1") }];
const UNDELIVERABLE = letter("1", ["undeliverable"], { reason: "undeliverable", attempts: 3 });
const KEYED = parcel("1", { key: "k" });
const KEY_CANCEL = asked({ kind: "note" as const, key: "k" });
const RHYTHM: Rhythm = {
  key: "r",
  to: narrow,
  everyMs: 300,
  times: 2,
  missed: "latest",
  throwEvery: 0,
  rejectEvery: 0,
  tells: 0,
};
const DECLARED = { ...emptyRegister(), declares: [asked({ rhythm: RHYTHM })] };
const REFUSED_RHYTHM = letter("r>16", ["undeliverable"], {
  id: "every:tick:r>0@16#1",
  reason: "undeliverable",
  isDeclaration: true,
});

/** A handler that sends one in a transaction of its own, which is rolled back if it is to be. */
function inTransaction(kind: Parcel["kind"], isTakenBack: boolean): Parcel {
  const acts = [{ do: "send" as const, parcel: parcel("1.0") }];
  return parcel("1", { kind, scenes: [{ within: "transactionSync", isTakenBack, acts }] });
}

/** One that the impatient sender has given up. */
function givenUp(changes: Partial<Changes> = {}): Changes {
  return {
    register: sends([parcel("1")], { ...FROM_ORDER, actor: IMPATIENT }),
    told: [{ actor: IMPATIENT, at: T, event: "outboxFailed", target: "CLERKS/clerk-0" }],
    audits: of({ 0: { done: [done("1")] }, [IMPATIENT]: { sent: SENT, letters: [UNDELIVERABLE] } }),
    ...changes,
  };
}

/** The storage of one was put back after the message was sent to it, and before anything was seen of it again. */
function putBack(actor: number | undefined, askedAt: number): Changes {
  return {
    register: sends([parcel("1", { to: FORGETFUL })], { askedAt, actor: FORGETFUL }),
    putBacks: [{ actor, keptAt: T - 50, at: T + 50 }],
  };
}

/** A recurrence that an actor has declared and ended itself, and an occurrence after that. */
function endedByItself(answers: readonly number[], asks: number): Changes {
  const id = "every:tick:r>0";
  const row = { id, target: 0, askedAt: T, at: T + 150 };
  return {
    ...recurring([T, T + 200]),
    cancelsAsked: Array.from({ length: asks }, () => id),
    audits: (recurring([T, T + 200]).audits ?? []).map((audit) => ({
      ...audit,
      cancels: answers.map((answer) => ({ ...row, answer })),
    })),
  };
}

/** Two of one key, of which the second was kept out or lost; its actor died so long after it had come. */
function givenWay(diedAfter: number): Changes {
  const [first, second] = ["1", "2"].map((n) => ({ ...KEYED, n, ifPending: "keep" as const }));
  if (first === undefined || second === undefined) return {};
  return {
    register: sends([first, second], { ...FROM_ORDER, actor: 1 }),
    calls: ["1", "2"].map((n) => ({ actor: 0, ids: [idOf(n)], at: T + 10, answeredAt: T + 12 })),
    births: [{ actor: 0, at: T + 12 + diedAfter }],
    audits: of({
      0: { done: [done("1")] },
      1: { sent: ["1", "2"].map((n) => ({ n, id: idOf(n) })) },
    }),
  };
}

/** One that waits, is answered to a ref that sends another of its key, and is then replaced. */
function ofTheSameId(): Changes {
  const waits = parcel("1", { key: "k", ifPending: "keep" });
  const { sends: fromOutbox } = sends([waits], { ...FROM_ORDER, actor: 1 });
  const { sends: keptOut } = sends([{ ...waits, n: "2" }], {
    ids: [idOf("1")],
    askedAt: T + 20,
    answeredAt: T + 25,
  });
  return {
    register: { ...emptyRegister(), sends: [...keptOut, ...fromOutbox] },
    calls: [{ actor: 0, ids: [idOf("1")], at: T + 10, answeredAt: T + 12 }],
    told: [
      { actor: 0, at: T + 12, event: "accepted", id: idOf("1") },
      { actor: 0, at: T + 30, event: "replaced", id: idOf("1"), by: "id-3" },
    ],
    audits: of({ 1: { sent: SENT } }),
  };
}

function cancelledByKey(events: number, asks: number): Changes {
  const numbers = Array.from({ length: events }, (_, index) => String(index + 1));
  const parcels = numbers.map((n) => ({ ...KEYED, n }));
  return {
    register: {
      ...sends(parcels),
      keyCancels: Array.from({ length: asks }, () => KEY_CANCEL),
    },
    told: numbers.map((n) => ({ actor: 0, at: T + 22, event: "cancelled", id: idOf(n) })),
  };
}

describe("the books of a run in trouble say nothing of", () => {
  it.each<[string, Changes]>([
    [
      "a message that its receiver refuses, and its sender keeps as a letter",
      {
        register: sends([LARGE], FROM_ORDER),
        audits: [{ sent: SENT, letters: [UNDELIVERABLE] }],
      },
    ],
    ["one that its sender has given up, and that arrived all the same", givenUp()],
    [
      "one that was given up, redriven, and handled twice",
      givenUp({
        register: {
          ...sends([parcel("1")], { ...FROM_ORDER, actor: IMPATIENT }),
          redrives: [asked({ actor: IMPATIENT, id: idOf("1"), isRepaired: false })],
        },
        letters: [{ ...UNDELIVERABLE, at: T }],
        audits: of({ 0: { done: [done("1"), done("1")] }, [IMPATIENT]: { sent: SENT } }),
      }),
    ],
    [
      "a message that gave way to another of its key, when its actor died before it could say so",
      givenWay(5),
    ],
    ["one that was cancelled by its key", cancelledByKey(1, 1)],
    ["one that was replaced, after another of its key was kept out and answered its id", ofTheSameId()],
    ["what was sent to an actor before its storage was put back", putBack(FORGETFUL, T)],
    ["what was sent before all storage was put back", putBack(undefined, T)],
    [
      "a fork of the numbers of one whose storage was put back",
      { told: [{ actor: FORGETFUL, at: T, event: "outboxForked" }] },
    ],
    [
      "an alarm that is gone where somebody bypasses the mailbox",
      { told: [{ actor: BYPASSER, at: T, event: "healed", alarm: null }] },
    ],
    [
      "an own alarm that failed because the runtime was killed",
      {
        kills: [T + 5],
        alarms: [{ alarm: 0, at: T, dueAt: T }],
        told: [{ actor: 0, at: T + 9, event: "alarmFailed" }],
      },
    ],
    [
      "a message that was overdue because code that could not deliver has set its alarm",
      {
        lives: [{ code: "newer schema", outages: {}, at: T }],
        lateness: [{ actor: 0, at: T + 30_000, overdueMs: 9_000 }],
      },
    ],
    ["a wake that an abort has ended", { rejected: [{ rejected: 0, error: "Error: aborted", at: T }] }],
    [
      "a declaration that its receiver refuses, and its sender keeps as a letter",
      { register: DECLARED, audits: [{ letters: [REFUSED_RHYTHM] }] },
    ],
    ["a recurrence that may not have been ended, because nobody was answered", endedByItself([1], 2)],
    [
      "what was sent in a transaction of a handler",
      {
        register: sends([inTransaction("note", false)]),
        audits: [{ done: [done("1"), done("1.0")], sent: [{ n: "1.0", id: idOf("1.0") }] }],
      },
    ],
  ])("%s", (_, changes) => {
    expect(check(run(changes)).violations).toEqual([]);
  });
});

describe("the books of a run in trouble find", () => {
  it.each<[string, Changes, string]>([
    [
      "a message that was refused, and is nowhere",
      { register: sends([LARGE], FROM_ORDER), audits: [{ sent: SENT }] },
      "lost",
    ],
    [
      "a letter that was told and is gone",
      {
        register: sends([LARGE], FROM_ORDER),
        told: [0, 1].map(() => ({ actor: 0, at: T, event: "deadLettered", id: idOf("1") })),
        audits: [{ sent: SENT, letters: [UNDELIVERABLE] }],
      },
      "lost",
    ],
    [
      "two declarations to two actors that have left one letter",
      {
        register: DECLARED,
        told: [0, 1].map(() => ({ actor: 0, at: T, event: "deadLettered", id: "every:tick:r>0" })),
        audits: [{ letters: [{ ...REFUSED_RHYTHM, id: "every:tick:r>0" }] }],
      },
      "lost",
    ],
    ["a declaration that is nowhere", { register: DECLARED }, "lost"],
    [
      "a sender that gave up what its target takes in the end",
      {
        register: sends([parcel("1")], FROM_ORDER),
        audits: [{ sent: SENT, letters: [UNDELIVERABLE] }],
      },
      "wrong letter",
    ],
    [
      "one that was handled twice although its sender never gave it up",
      {
        register: sends([parcel("1")], { ...FROM_ORDER, actor: IMPATIENT }),
        audits: of({ 0: { done: [done("1"), done("1")] }, [IMPATIENT]: { sent: SENT } }),
      },
      "twice",
    ],
    [
      "senders that do not say that their target is full",
      { full: Array.from({ length: 5 }, () => ({ full: FULL, at: T })) },
      "silent",
    ],
    [
      "what a handler sent in a transaction that was rolled back",
      {
        register: sends([inTransaction("chore", true)]),
        audits: [{ done: [done("1", { kind: "chore" }), done("1.0")] }],
      },
      "phantom",
    ],
    [
      "the trace of a transaction that was rolled back in a sync handler",
      {
        register: sends([inTransaction("note", true)]),
        audits: [{ done: [done("1")], sent: [{ n: "1.0", id: idOf("1.0") }] }],
      },
      "miscounted",
    ],
    [
      "an attempt that failed although nothing befell it",
      {
        register: sends([parcel("1", { kind: "chore" })]),
        entries: [entry("1")],
        told: [{ actor: 0, at: T + 12, event: "attemptFailed", id: idOf("1"), outcome: "threw" }],
        audits: [{ done: [done("1", { kind: "chore" })] }],
      },
      "charged",
    ],
    [
      "a message that is gone although its cancel was answered no, whoever died meanwhile",
      {
        register: {
          ...sends([parcel("1")]),
          ends: [
            asked({ verb: "cancel" as const, id: idOf("1"), outcome: "no" as const, answeredAt: T + 200 }),
          ],
        },
        births: [T - 5, T + 50].map((at) => ({ actor: 0, at })),
      },
      "lost",
    ],
    ["an occurrence after its own actor has ended it", endedByItself([1], 1), "not cancelled"],
    ["a message with a key that is nowhere, and whose actor lived on", givenWay(60_000), "lost"],
    ["a second message that was cancelled by one call", cancelledByKey(2, 1), "not asked"],
    ["a message to an actor whose storage was put back before", putBack(FORGETFUL, T + 60), "lost"],
    ["a message that was sent before an earlier copy was made", putBack(undefined, T - 60), "lost"],
    [
      "a fork of numbers that nobody has put back",
      { told: [{ actor: 0, at: T, event: "outboxForked" }] },
      "strange event",
    ],
    [
      "an own alarm that failed in the middle of a life",
      {
        kills: [T - 5],
        alarms: [{ alarm: 0, at: T, dueAt: T }],
        told: [{ actor: 0, at: T + 9, event: "alarmFailed" }],
      },
      "strange event",
    ],
    [
      "an actor that never comes to rest",
      { restless: [{ actor: 0, at: T, pending: 0, outbox: 0, leased: 0, nextWake: T + 1 }] },
      "restless",
    ],
    [
      "a wake that was rejected",
      { rejected: [{ rejected: 0, error: "InvalidPolicyError: policy.timeout", at: T }] },
      "rejected",
    ],
    [
      "a payload that is not what was sent",
      { ...recurring([]), entries: [entry("1", { isDamaged: true })] },
      "damaged",
    ],
    ["a recurrence that was ended as one that is not there", died(), "lost"],
    [
      "an occurrence of the wrong actor",
      withRow(
        { ...recurring([T], { times: 1 }), entries: [tick(T, { id: "every:tick:r>1@1", n: "r>1@1" })] },
        recurrence(1),
      ),
      "phantom",
    ],
  ])("%s", (_, changes, name) => {
    expect(check(run(changes)).violations.map((violation) => violation.name)).toContain(name);
  });
});
