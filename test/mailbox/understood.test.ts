// What is not understood is refused, wherever a person passes it: a name that nobody knows would be ignored,
// and a value that means something else would be taken for it.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  InvalidDurationError,
  InvalidKeyError,
  InvalidOptionError,
  InvalidPolicyError,
  MailboxError,
  MisconfiguredError,
  ref,
  UnknownTypeError,
  validated,
} from "../../actors/index.ts";
import { actor, type AnyMessages, type Script, type Scripted } from "../support/scripted.ts";

const receive: Script["receive"] = { note: () => {} };
const plain = (): Scripted => actor({ receive });

/** What a verb answers, or what it refuses, however it says so. */
async function refusalOf(run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    return error;
  }
}

describe("a name that nobody knows is refused, with the one that was probably meant, in", () => {
  const inCode: readonly [where: string, script: Script, message: string][] = [
    [
      "the settings",
      { receive, settings: { maxPendign: 3 } as never },
      'settings: "maxPendign" is unknown; did you mean maxPending?',
    ],
    [
      "the retention",
      { receive, settings: { retention: { days: 3 } as never } },
      'settings.retention: "days" is unknown. Expected one of age, count.',
    ],
    [
      "the outbox' settings",
      { receive, settings: { outbox: { maxage: 1 } as never } },
      'settings.outbox: "maxage" is unknown; did you mean maxAge?',
    ],
    [
      "the policy",
      { receive, policy: { maxAttempt: 3 } as never },
      'policy: "maxAttempt" is unknown; did you mean maxAttempts?',
    ],
    [
      "the policy's backoff",
      { receive, policy: { backoff: { intial: 3 } as never } },
      'policy.backoff: "intial" is unknown; did you mean initial?',
    ],
    [
      "a handler's options",
      { receive: { note: { handle: () => {}, timeOut: 1 } as never } },
      'receive.note: "timeOut" is unknown; did you mean timeout?',
    ],
    [
      "the options of validated",
      { receive: { note: validated(anything(), () => {}, { retries: 3 } as never) } },
      'receive.note: "retries" is unknown. Expected one of',
    ],
    [
      "settings that are no object",
      { receive, settings: { retention: "30 days" as never } },
      'settings.retention: "30 days" is no object',
    ],
    ["a policy that is none", { receive, policy: [3] as never }, "policy: an array is no object"],
  ];
  it.each(inCode)("%s", async (_, script, message) => {
    const refusal = await actor(script).inside((self) => refusalOf(() => self.send("note", 1)));
    expect(refusal).toBeInstanceOf(MisconfiguredError);
    expect(refusal).toMatchObject({ cause: { code: "invalid_option" } });
    expect(String(refusal)).toContain(message);
  });

  type Verb = (box: Scripted["ref"]) => unknown;
  const inVerbs: readonly [where: string, verb: Verb, message: string][] = [
    [
      "the options of a send",
      (box) => box.send("note", 1, { ifpending: "keep" } as never),
      'the options: "ifpending" is unknown; did you mean ifPending?',
    ],
    [
      "an entry of sendAll",
      (box) => box.sendAll([{ type: "note", payload: 1, dueAt: 5 } as never]),
      'the options: "dueAt" is unknown',
    ],
    [
      "a message's backoff",
      (box) => box.send("note", 1, { backoff: { jiter: 1 } as never }),
      'the options.backoff: "jiter" is unknown; did you mean jitter?',
    ],
    [
      "the options of sendEvery",
      (box) => box.sendEvery("1 hour", "note", 1, { startsAt: 1 } as never),
      'the options: "startsAt" is unknown; did you mean startAt?',
    ],
    [
      "a cron rule",
      (box) => box.sendEvery({ cron: "0 9 * * *", timezone: "Europe/Berlin" } as never, "note", 1),
      'every: "timezone" is unknown; did you mean timeZone?',
    ],
    [
      "a rule without cron",
      (box) => box.sendEvery({ corn: "0 9 * * *" } as never, "note", 1),
      'every: "corn" is unknown; did you mean cron?',
    ],
    [
      "a page",
      (box) => box.recurrences({ limti: 5 } as never),
      'the options: "limti" is unknown; did you mean limit?',
    ],
    [
      "a page of the pending",
      (box) => box.pending({ types: "note" } as never),
      'the options: "types" is unknown; did you mean type?',
    ],
    [
      "a page of the outbox",
      (box) => box.outbox({ type: "note" } as never),
      'the options: "type" is unknown',
    ],
    [
      "a page of letters",
      (box) => box.deadLetters({ reasons: "expired" } as never),
      'the options: "reasons" is unknown; did you mean reason?',
    ],
    [
      "a filter",
      (box) => box.purgeAll({ diedbefore: 0 } as never),
      'the filter: "diedbefore" is unknown; did you mean diedBefore?',
    ],
    ["a redrive", (box) => box.redrive("id", { when: 5 } as never), 'the options: "when" is unknown'],
    [
      "the options of a ref",
      () => ref<AnyMessages>(env.ACTORS, "any", { locationhint: "weur" } as never),
      'the options of ref: "locationhint" is unknown; did you mean locationHint?',
    ],
  ];
  it.each(inVerbs)("%s", async (_, verb, message) => {
    const box = plain();
    const byRef = await refusalOf(() => verb(box.ref));
    const inside = await box.inside((self) => refusalOf(() => verb(self.mailbox as never)));
    for (const refusal of [byRef, inside]) {
      expect(refusal).toBeInstanceOf(InvalidOptionError);
      expect(String(refusal)).toContain(message);
    }
    expect(await box.ref.stats()).toMatchObject({ pending: 0 });
  });

  it("what is not like any known name, without a guess", async () => {
    const refusal = await refusalOf(() => plain().ref.send("note", 1, { priority: 3 } as never));
    expect(String(refusal)).toContain('"priority" is unknown. Expected one of key, ifPending');
  });
});

describe("a filter's field that is there and undefined", () => {
  it.each(["type", "reason", "error", "ids", "diedBefore"])(
    "is refused, and is not all letters: %s",
    async (name) => {
      const fail = (): void => {
        throw new Error("no");
      };
      const box = actor({ receive: { note: fail }, policy: { maxAttempts: 1 } });
      await box.ref.send("note", 1);
      await box.drain();
      const filter = { [name]: undefined } as never;
      for (const verb of ["purgeAll", "redriveAll", "deadLetters"] as const) {
        await expect(box.ref[verb](filter)).rejects.toThrow(`the filter: ${name} is undefined`);
        await box.inside(async (self) => {
          expect(await refusalOf(() => self.mailbox[verb](filter))).toBeInstanceOf(InvalidOptionError);
        });
      }
      expect(await box.ref.stats()).toMatchObject({ deadLetters: 1 });
    },
  );
});

describe("a moment where a duration is asked for is refused", () => {
  const moment = Date.now() + 60_000;
  const places: readonly [where: string, run: (box: Scripted["ref"]) => unknown][] = [
    ["as a delay", (box) => box.sendIn(moment, "note", 1)],
    ["as an expiry", (box) => box.send("note", 1, { expires: moment })],
    ["as an interval", (box) => box.sendEvery(moment, "note", 1)],
    ["as a timeout", (box) => box.send("note", 1, { timeout: moment })],
    ["as a backoff", (box) => box.send("note", 1, { backoff: moment })],
    ["in a backoff", (box) => box.send("note", 1, { backoff: { max: moment } })],
    ["in an entry of sendAll", (box) => box.sendAll([{ type: "note", payload: 1, in: moment }])],
  ];
  it.each(places)("%s", async (_, run) => {
    const refusal = await refusalOf(() => run(plain().ref));
    expect(refusal).toBeInstanceOf(InvalidDurationError);
    expect(String(refusal)).toContain(`${moment} looks like a moment; pass a Date`);
  });

  it.each([
    ["retention.age", { retention: { age: moment } }],
    ["minInterval", { minInterval: moment }],
    ["outbox.maxAge", { outbox: { maxAge: moment } }],
  ])("in the settings, as %s", async (name, settings) => {
    await expect(actor({ receive, settings }).ref.send("note", 1)).rejects.toThrow(
      `settings.${name}: ${moment} looks like a moment`,
    );
  });

  it("by defer, which takes a Date for it", async () => {
    let refusal: unknown;
    const box = actor({
      receive: {
        note: async (_, delivery) => {
          refusal = await refusalOf(() => delivery.defer(moment));
        },
      },
    });
    await box.ref.send("note", 1);
    await box.drain();
    expect(refusal).toBeInstanceOf(InvalidDurationError);
  });
});

describe("a factor that could never do anything is refused", () => {
  it.each([
    [
      "a first wait over the longest by default",
      { initial: "1 day", factor: 2 },
      "`max` is 1 d, as `initial` is",
    ],
    ["a first wait that is the longest by default", { initial: "1 hour", factor: 2 }, "no room to grow"],
    [
      "a longest wait under the first by default",
      { max: 500, factor: 3 },
      "`max` is 500 ms, as `initial` is",
    ],
    ["two that are equal", { initial: 5, max: 5, factor: 1.5 }, "no room to grow"],
    ["no wait at all", { initial: 0, factor: 2 }, "because `initial` is 0"],
  ])("%s", async (_, backoff, message) => {
    const refusal = await refusalOf(() => plain().ref.send("note", 1, { backoff }));
    expect(refusal).toBeInstanceOf(InvalidPolicyError);
    expect(String(refusal)).toContain(message);
  });

  it("but not one that was not written, or that is 1", async () => {
    const box = plain();
    for (const backoff of [
      { initial: "1 day" },
      { max: 500 },
      { initial: "1 day", factor: 1 },
      { initial: 0 },
    ])
      await box.ref.sendIn("1 hour", "note", 1, { backoff });
    expect(await box.ref.stats()).toMatchObject({ pending: 4 });
  });
});

describe("half of a surrogate pair, which would be stored as another text, is refused", () => {
  const half = "a\ud800";
  const replaced = "a\ufffd";

  it("in a key", async () => {
    const box = plain();
    await expect(box.ref.send("note", 1, { key: half })).rejects.toThrow(InvalidKeyError);
    await expect(box.ref.send("note", 1, { key: half })).rejects.toThrow("half of a surrogate pair");
    await expect(box.ref.sendEvery("1 hour", "note", 1, { key: half })).rejects.toThrow(InvalidKeyError);
  });

  it("in a type", async () => {
    const box = actor({ receive: { [replaced]: () => {} } });
    await expect(box.ref.send(half, 1)).rejects.toThrow(UnknownTypeError);
    await expect(box.ref.send(half, 1)).rejects.toThrow("half of a surrogate pair");
    await expect(box.ref.sendEvery("1 hour", half, 1)).rejects.toThrow(UnknownTypeError);
  });

  it("in the type of a handler, as every name is under which no message can come", async () => {
    for (const type of [half, "", "x".repeat(257), "字".repeat(86)]) {
      const box = actor({ receive: { note: () => {}, [type]: () => {} } });
      const refusal = await box.inside((self) => refusalOf(() => self.send("note", 1)));
      expect(refusal).toMatchObject({ code: "misconfigured", cause: { code: "invalid_receive" } });
    }
  });

  it("in the name of an actor", () => {
    expect(() => ref(env.ACTORS, half)).toThrow(InvalidOptionError);
  });

  it("and names nothing: no verb takes it for the text with U+FFFD in its place", async () => {
    const box = actor({ receive: { [replaced]: () => {} } });
    const id = await box.ref.sendIn("1 hour", replaced, 1, { key: replaced });
    for (const which of [
      { type: half, key: replaced },
      { type: replaced, key: half },
    ]) {
      expect(await box.ref.cancel(which)).toBe(false);
      expect(await box.ref.reschedule(which, Date.now() + 5)).toBe(false);
      expect(await box.ref.get(which)).toBeUndefined();
    }
    expect(await box.ref.cancel({ type: replaced, key: replaced })).toBe(true);
    expect(await box.ref.cancel(id)).toBe(false);
  });

  it.each(["type", "error"])("in a filter: %s", async (name) => {
    await expect(plain().ref.purgeAll({ [name]: half })).rejects.toThrow(InvalidOptionError);
    await expect(plain().ref.pending({ type: half })).rejects.toThrow(InvalidOptionError);
  });
});

describe("the same refusals inside and by a ref", () => {
  it("are typed errors with a code", async () => {
    const refusal = await refusalOf(() => plain().ref.send("note", 1, { maxAttempt: 1 } as never));
    expect(refusal).toBeInstanceOf(MailboxError);
    expect(refusal).toMatchObject({ code: "invalid_option" });
  });
});

function anything(): StandardSchemaV1 {
  return { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } };
}
