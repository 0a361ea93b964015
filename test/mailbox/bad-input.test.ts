import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  AttemptFullError,
  InvalidCursorError,
  InvalidDurationError,
  InvalidKeyError,
  InvalidMomentError,
  InvalidOptionError,
  InvalidPayloadError,
  InvalidPolicyError,
  InvalidRecurrenceError,
  MailboxError,
  MailboxFullError,
  MisconfiguredError,
  PayloadTooLargeError,
  ref,
  UnknownTypeError,
} from "../../actors/index.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

type Refused = [
  what: string,
  attempt: (box: Scripted["ref"]) => unknown,
  error: new (message: string) => MailboxError,
];

class Unknown {
  readonly n = 1;
}

const plain = (): Scripted => actor({ receive: { note: () => {} } });

const inSend: Refused[] = [
  ["an unknown type", (box) => box.send("nope", 1), UnknownTypeError],
  ["an empty type", (box) => box.send("", 1), UnknownTypeError],
  ["a type that is a member of every object", (box) => box.send("constructor", 1), UnknownTypeError],
  ["a function in a payload", (box) => box.send("note", { run: () => {} }), InvalidPayloadError],
  ["a symbol in a payload", (box) => box.send("note", [Symbol("s")]), InvalidPayloadError],
  [
    "an instance of an unknown class",
    (box) => box.send("note", { deep: [new Unknown()] }),
    InvalidPayloadError,
  ],
  ["a promise in a payload", (box) => box.send("note", Promise.resolve(1)), InvalidPayloadError],
  ["an invalid Date in a payload", (box) => box.send("note", new Date("x")), InvalidPayloadError],
  ["a payload over the cap", (box) => box.send("note", "a".repeat(524_288)), PayloadTooLargeError],
  [
    "a payload over the cap in bytes only",
    (box) => box.send("note", "字".repeat(180_000)),
    PayloadTooLargeError,
  ],
  ["an option that is none", (box) => box.send("note", 1, { maxAttempt: 3 } as never), InvalidOptionError],
  ["options that are no object", (box) => box.send("note", 1, 5 as never), InvalidOptionError],
  [
    "an unknown ifPending",
    (box) => box.send("note", 1, { key: "k", ifPending: "drop" as never }),
    InvalidOptionError,
  ],
  ["an empty key", (box) => box.send("note", 1, { key: "" }), InvalidKeyError],
  ["a key over 256 bytes", (box) => box.send("note", 1, { key: "字".repeat(86) }), InvalidKeyError],
  ["a key that is no string", (box) => box.send("note", 1, { key: 7 as never }), InvalidKeyError],
  ["maxAttempts below 1", (box) => box.send("note", 1, { maxAttempts: 0 }), InvalidPolicyError],
  [
    "maxAttempts that is no whole number",
    (box) => box.send("note", 1, { maxAttempts: 1.5 }),
    InvalidPolicyError,
  ],
  [
    "maxAttempts over a million",
    (box) => box.send("note", 1, { maxAttempts: 1_000_001 }),
    InvalidPolicyError,
  ],
  ["a timeout over ten minutes", (box) => box.send("note", 1, { timeout: "11 minutes" }), InvalidPolicyError],
  ["a backoff that shrinks", (box) => box.send("note", 1, { backoff: { factor: 0.5 } }), InvalidPolicyError],
  ["an expiry that is no duration", (box) => box.send("note", 1, { expires: "soon" }), InvalidDurationError],
];

const inTime: Refused[] = [
  ["an invalid Date", (box) => box.sendLater(new Date("never"), "note", 1), InvalidMomentError],
  ["NaN as a moment", (box) => box.sendLater(Number.NaN, "note", 1), InvalidMomentError],
  ["an infinite moment", (box) => box.sendLater(Number.POSITIVE_INFINITY, "note", 1), InvalidMomentError],
  ["seconds given as a moment", (box) => box.sendLater(1_800_000_000, "note", 1), InvalidMomentError],
  ["a text given as a moment", (box) => box.sendLater("tomorrow" as never, "note", 1), InvalidMomentError],
  ["a moment over 100 years ahead", (box) => box.sendLater(new Date(8.64e15), "note", 1), InvalidMomentError],
  ["NaN as a delay", (box) => box.sendIn(Number.NaN, "note", 1), InvalidDurationError],
  ["a negative delay", (box) => box.sendIn(-1, "note", 1), InvalidDurationError],
  ["a negative delay in words", (box) => box.sendIn("-5 minutes", "note", 1), InvalidDurationError],
  ["an infinite delay", (box) => box.sendIn(Number.POSITIVE_INFINITY, "note", 1), InvalidDurationError],
  ["a delay that cannot be parsed", (box) => box.sendIn("a while", "note", 1), InvalidDurationError],
  ["a delay in months", (box) => box.sendIn("2 months", "note", 1), InvalidDurationError],
  ["a delay over 100 years", (box) => box.sendIn(4e12, "note", 1), InvalidDurationError],
  ["a Date as a delay", (box) => box.sendIn(new Date() as never, "note", 1), InvalidDurationError],
];

const inEvery: Refused[] = [
  ["an invalid cron", (box) => box.sendEvery({ cron: "61 * * * *" }, "note", 1), InvalidRecurrenceError],
  [
    "a cron that is never due",
    (box) => box.sendEvery({ cron: "0 0 30 2 *" }, "note", 1),
    InvalidRecurrenceError,
  ],
  [
    "a zone that is none",
    (box) => box.sendEvery({ cron: "0 9 * * *", timeZone: "Mars/Base" }, "note", 1),
    InvalidRecurrenceError,
  ],
  ["an interval below the smallest", (box) => box.sendEvery(999, "note", 1), InvalidRecurrenceError],
  ["an interval of zero", (box) => box.sendEvery(0, "note", 1), InvalidRecurrenceError],
  ["an interval in years", (box) => box.sendEvery("1 year", "note", 1), InvalidDurationError],
  [
    "a start in seconds",
    (box) => box.sendEvery("1 hour", "note", 1, { startAt: 1_800_000_000 }),
    InvalidMomentError,
  ],
  ["no times at all", (box) => box.sendEvery("1 hour", "note", 1, { times: 0 }), InvalidOptionError],
  [
    "an unknown missed",
    (box) => box.sendEvery("1 hour", "note", 1, { missed: "some" as never }),
    InvalidOptionError,
  ],
  [
    "an option of a message",
    (box) => box.sendEvery("1 hour", "note", 1, { ifPending: "keep" } as never),
    InvalidOptionError,
  ],
];

const inAll: Refused[] = [
  [
    "a sendAll of which one entry is bad",
    (box) =>
      box.sendAll([
        { type: "note", payload: 1 },
        { type: "nope", payload: 2 },
        { type: "note", payload: 3 },
      ]),
    UnknownTypeError,
  ],
  [
    "a sendAll with a bad time at its end",
    (box) =>
      box.sendAll([
        { type: "note", payload: 1 },
        { type: "note", payload: 2, in: "-1 hour" },
      ]),
    InvalidDurationError,
  ],
  [
    "an entry with both at and in",
    (box) => box.sendAll([{ type: "note", payload: 1, at: Date.now(), in: 5 }]),
    InvalidOptionError,
  ],
  ["a sendAll of no array", (box) => box.sendAll({} as never), InvalidOptionError],
  ["an entry that is no object", (box) => box.sendAll([null] as never), InvalidOptionError],
];

describe.each<[where: string, verbs: (box: Scripted) => Scripted["ref"]]>([
  ["a ref", (box) => box.ref],
  [
    "the actor",
    (box) =>
      new Proxy(box.ref, {
        get:
          (_, verb: "send") =>
          (...args: Parameters<Scripted["ref"]["send"]>) =>
            box.inside((self) => self.mailbox[verb](...args)),
      }),
  ],
])("%s refuses, and enqueues nothing:", (_, verbs) => {
  it.each([...inSend, ...inTime, ...inEvery, ...inAll])("%s", async (_what, attempt, error) => {
    const box = plain();
    const refusal: unknown = await Promise.resolve()
      .then(() => attempt(verbs(box)))
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(refusal).toBeInstanceOf(error);
    expect(refusal).toBeInstanceOf(MailboxError);
    expect(refusal).toMatchObject({ code: new error("").code, name: error.name });
    expect(await box.ref.stats()).toMatchObject({ pending: 0, nextWake: undefined });
    expect((await box.ref.recurrences()).items).toEqual([]);
  });
});

describe("a mailbox with a bound", () => {
  it("refuses what comes from outside, one by one and all together, never its own sends", async () => {
    const box = actor({ receive: { note: () => {} }, settings: { maxPending: 3 } });
    for (const n of [1, 2]) await box.ref.sendIn("1 hour", "note", n);
    const two = [1, 2].map((n) => ({ type: "note", payload: n, in: "1 hour" }));
    await expect(box.ref.sendAll(two)).rejects.toThrow(MailboxFullError);
    await box.ref.sendIn("1 hour", "note", 3);
    await expect(box.ref.sendIn("1 hour", "note", 4)).rejects.toMatchObject({ code: "mailbox_full" });
    await box.inside((self) => self.sendIn("1 hour", "note", 5));
    expect((await box.ref.stats()).pending).toBe(4);
    const [first] = (await box.ref.pending()).items;
    const [second] = (await box.ref.pending()).items.slice(1);
    await box.ref.cancel(first?.id ?? "");
    await box.ref.cancel(second?.id ?? "");
    await box.ref.sendIn("1 hour", "note", 6);
    expect((await box.ref.stats()).pending).toBe(3);
  });
});

describe("a mailbox with a bound, and recurrences", () => {
  it("takes their declarations, again and again, though it is full", async () => {
    const box = actor({ receive: { note: () => {} }, settings: { maxPending: 1 } });
    await box.ref.sendIn("1 hour", "note", 1);
    for (let n = 0; n < 3; n += 1) await box.ref.sendEvery("1 hour", "note", 1);
    await expect(box.ref.sendIn("1 hour", "note", 2)).rejects.toThrow(MailboxFullError);
  });
});

describe("cursors and pages", () => {
  it.each([
    ["a text", "x"],
    ["another verb's", encodeURIComponent(JSON.stringify(["recurrences", "every:note:"]))],
    ["of another shape", encodeURIComponent(JSON.stringify(["pending", "0", 1, "id"]))],
    ["no JSON", "%7B"],
    ["a broken escape", "%"],
  ])("refuse a cursor that is %s", async (_, cursor) => {
    const box = plain();
    await expect(box.ref.pending({ cursor })).rejects.toThrow(InvalidCursorError);
  });

  it.each([0, -1, 1.5, 1_001, Number.NaN])("refuse a limit of %s", async (limit) => {
    await expect(plain().ref.deadLetters({ limit })).rejects.toThrow(InvalidOptionError);
  });

  it("refuse a filter that is none", async () => {
    const box = plain();
    await expect(box.ref.deadLetters({ reason: "bored" as never })).rejects.toThrow(InvalidOptionError);
    await expect(box.ref.redriveAll({ ids: "all" as never })).rejects.toThrow(InvalidOptionError);
  });

  it("refuse a misspelt filter, which would mean every letter", async () => {
    const box = actor({
      policy: { maxAttempts: 1 },
      receive: {
        note: () => {
          throw new Error("no");
        },
      },
    });
    await box.ref.send("note", 1);
    await box.drain();
    const misspelt = { diedbefore: new Date(0) } as never;
    await expect(box.ref.purgeAll(misspelt)).rejects.toThrow(InvalidOptionError);
    await expect(box.ref.redriveAll(misspelt)).rejects.toThrow(/diedbefore/);
    await expect(box.ref.deadLetters(misspelt)).rejects.toThrow(InvalidOptionError);
    await box.inside((self) => expect(self.mailbox.purgeAll(misspelt)).rejects.toThrow(InvalidOptionError));
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1 });
  });
});

describe("one attempt", () => {
  it("sends at most 10,000 messages, and none of them when it asks for more", async () => {
    let refusal: unknown;
    const box = actor((self) => ({
      receive: {
        note: () => {},
        flood: () => {
          try {
            for (let n = 0; n <= 10_000; n += 1) self.sendIn("1 hour", "note", n);
          } catch (error) {
            refusal = error;
            throw error;
          }
        },
      },
      policy: { maxAttempts: 1 },
    }));
    await box.ref.send("flood", undefined);
    await until(() => box.eventsOf("deadLettered").length === 1);
    expect(refusal).toBeInstanceOf(AttemptFullError);
    expect((await box.ref.stats()).pending).toBe(0);
  });
});

describe("settings and targets", () => {
  it.each([
    ["a cap on payloads that production would refuse", { maxPayloadBytes: 2_000_000 }],
    ["a bound of nothing", { maxPending: 0 }],
    ["an interval below 100 ms", { minInterval: 50 }],
    ["a retention that is no duration", { retention: { age: "for ever" } }],
    ["a listener that is no function", { onEvent: "log" as never }],
  ])("refuse %s at the first verb", async (_, settings) => {
    const box = actor({ receive: { note: () => {} }, settings });
    await box.inside((self) => expect(() => self.send("note", 1)).toThrow(MisconfiguredError));
  });

  it("refuse a ref to nobody", () => {
    expect(() => ref(env.ACTORS, "")).toThrow(InvalidOptionError);
    expect(() => ref(env.ACTORS, 7 as never)).toThrow(InvalidOptionError);
  });

  it("refuse a handler that is none", async () => {
    const box = actor({ receive: { note: "handler" as never } });
    await box.inside((self) => expect(() => self.send("note", 1)).toThrow(/receive.note is no handler/));
  });
});

describe("the reserved names", () => {
  it("leave everybody else alone", async () => {
    await runInDurableObject(plain().stub(), (self) => expect(self.send).toBeTypeOf("function"));
  });
});
