import { beforeEach, describe, expect, it } from "vitest";
import type { StoredError } from "../../actors/index.ts";
import { batchOf } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { answerTo, expectClean, verbCall } from "../support/hostile.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const bytes = (text: string): number => new TextEncoder().encode(text).length;
const HUGE = "x".repeat(4 * 1024 * 1024);

const refuse = (what: string) => (): never => {
  throw new Error(`${what} is not to be looked at`);
};
const withGetter = (name: string): Error =>
  Object.defineProperty(new Error("x"), name, { get: refuse(name) });
const withField = (name: string, value: unknown): Error =>
  Object.defineProperty(new Error("x"), name, { value });
const hostileProxy = (target: object): object =>
  new Proxy(
    target,
    Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((trap) => [trap, refuse(trap)])),
  );

function chain(length: number): Error {
  let error = new Error(HUGE.slice(0, 10_000));
  for (let n = 0; n < length; n += 1) error = new Error(HUGE.slice(0, 10_000), { cause: error });
  return error;
}

/** What a handler can throw that is larger than anybody reads, or that does not want to be looked at. */
const thrown: Readonly<Record<string, () => unknown>> = {
  "an error with a message of 4 MiB": () => new Error(HUGE),
  "an error with a message of 4 MiB of three bytes each": () => new Error("字".repeat(HUGE.length)),
  "an error with a message of 4 MiB of four bytes each": () => new Error("🧨".repeat(HUGE.length / 2)),
  "an error with a message of halves of characters": () => new Error("\ud83e".repeat(10_000)),
  "an error with a name of 4 MiB": () => withField("name", HUGE),
  "an error with a name of 4 MiB of three bytes each": () => withField("name", "字".repeat(HUGE.length)),
  "an error with a stack of 4 MiB": () => withField("stack", HUGE),
  "an error with all of them": () => Object.assign(withField("stack", HUGE), { name: HUGE, message: HUGE }),
  "an error with a name that is no text": () => withField("name", { toString: refuse("toString") }),
  "an error with a message that is no text": () => withField("message", { toString: refuse("toString") }),
  "an error with a message that is a symbol": () => withField("message", Symbol("message")),
  "an error with a stack that is no text": () => withField("stack", { length: 5 }),
  "an error with a chain of 1,000 causes": () => chain(1_000),
  "an error that is its own cause": () => {
    const error = new Error("round");
    error.cause = error;
    return error;
  },
  "an aggregate of 1,000 errors": () => new AggregateError(Array.from({ length: 1_000 }, () => new Error(HUGE)), HUGE),
  "an error whose name throws": () => withGetter("name"),
  "an error whose message throws": () => withGetter("message"),
  "an error whose stack throws": () => withGetter("stack"),
  "an error whose cause throws": () => withGetter("cause"),
  "an error whose retryAfter throws": () => withGetter("retryAfter"),
  "a text of 4 MiB": () => HUGE,
  "an object of 4 MiB": () => ({ [HUGE]: HUGE }),
  "a list of a million": () => Array.from({ length: 1_000_000 }, () => 1),
  "a number": () => 5,
  "a BigInt of 100,000 digits": () => 10n ** 100_000n,
  "an object with a BigInt": () => ({ n: 1n }),
  "an object that holds itself": () => {
    const round: Record<string, unknown> = {};
    round["round"] = round;
    return round;
  },
  "a symbol": () => Symbol(HUGE),
  "null": () => null,
  "undefined": () => undefined,
  "a function": () => () => HUGE,
  "an object whose toString throws": () => ({ toString: refuse("toString"), toJSON: refuse("toJSON") }),
  "an object whose toJSON answers nothing": () => ({ toJSON: () => undefined }),
  "an object without a prototype": () => Object.create(null) as unknown,
  "an object whose getters throw": () => Object.defineProperty({}, "message", { get: refuse("message"), enumerable: true }),
  "a proxy that throws on every look": () => hostileProxy({}),
  "a proxy of an error that throws on every look": () => hostileProxy(new Error("x")),
  "a proxy of a function that throws on every look": () => hostileProxy(() => {}),
  "a proxy that was revoked": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
}; // prettier-ignore

/** Checks what is kept of an error: text of a bounded size, that any reader can read. */
function expectSmall(error: StoredError | undefined): void {
  const { name = "", message = "", stack = "" } = error ?? {};
  expect(name).not.toBe("");
  expect(bytes(name + message + stack)).toBeLessThanOrEqual(4_096);
  expect((name + message + stack).isWellFormed()).toBe(true);
  expect([typeof name, typeof message, typeof stack]).toEqual(["string", "string", "string"]);
}

describe("what is stored of an error is at most 4 KiB of UTF-8, and nobody is harmed by looking:", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  const ways: Readonly<Record<string, (make: () => unknown) => () => unknown>> = {
    "thrown": (make) => () => {
      throw make();
    },
    "thrown after an await": (make) => async () => {
      await Promise.resolve();
      throw make();
    },
    "answered as a rejection": (make) => () => Promise.reject(make()),
  }; // prettier-ignore

  it.each(Object.entries(thrown))("%s", async (_, make) => {
    for (const way of Object.values(ways)) {
      const box = actor({
        receive: { note: way(make), neighbour: () => {} },
        policy: { maxAttempts: 2, backoff: 1 },
      });
      const [id = ""] = await box.ref.sendAll([
        { type: "note", payload: 1 },
        { type: "neighbour", payload: 2 },
      ]);
      await box.drain();
      expectSmall((await box.ref.get(id))?.errors[0]);
      moveClock(1);
      await box.drain();
      const letter = await box.ref.deadLetter(id);
      expect(letter).toMatchObject({ reason: "exhausted", attempts: 2 });
      expect(letter?.errors).toHaveLength(2);
      for (const error of letter?.errors ?? []) {
        expectSmall(error);
        // Of causes nothing is kept: whoever wants them writes them into the message.
        expect(Object.keys(error).filter((key) => !["name", "message", "stack"].includes(key))).toEqual([
          "attempt",
          "startedAt",
          "durationMs",
          "outcome",
        ]);
      }
      expect(bytes(letter?.fingerprint ?? "")).toBeLessThanOrEqual(3 * 256);
      expectSmall(box.eventsOf("attemptFailed")[0]?.error);
      expectSmall(box.eventsOf("deadLettered")[0]?.error);
      expect(await box.ref.stats()).toMatchObject({ pending: 0, delivered: 1 });
    }
  });

  it.each(Object.entries(thrown))("%s, in the hook of dead letters", async (_, make) => {
    const box = actor({
      receive: { note: () => Promise.reject(new Error("no")) },
      policy: { maxAttempts: 1 },
      onDeadLetter: () => {
        throw make();
      },
    });
    await box.ref.send("note", 1);
    await box.drain();
    expectSmall(box.eventsOf("hookFailed")[0]?.error);
  });

  it.each(Object.entries(thrown))("%s, in the object's own alarm", async (_, make) => {
    const box = actor({
      receive: {},
      alarm: () => {
        throw make();
      },
    });
    await box.inside((_self, state) => state.storage.setAlarm(Date.now()));
    await box.drain();
    expectSmall(box.eventsOf("alarmFailed")[0]?.error);
  });

  it("a target of the outbox that fails in 4 MiB, or refuses in so many words", async () => {
    for (const answer of [
      () => Promise.reject(new Error(HUGE)),
      () => Promise.resolve(JSON.stringify({ ok: false, code: HUGE, message: HUGE })),
      () => Promise.resolve(HUGE),
    ]) {
      const to = actor({
        receive: {},
        onCall: (call, next) => (batchOf(call) === undefined ? next() : answer()),
      });
      const from = actor({ receive: {} });
      await from.inside((self) => {
        self.other(to.name).send("note", 1);
      });
      await from.drain();
      const [waiting] = (await from.ref.outbox()).items;
      expect(bytes(waiting?.error ?? "")).toBeGreaterThan(0);
      expect(bytes(waiting?.error ?? "")).toBeLessThanOrEqual(4_096);
    }
  });

  it("a target of the outbox that says of one message in 4 MiB that it never takes it", async () => {
    const to = actor({
      receive: {},
      onCall: (call, next) =>
        batchOf(call) === undefined
          ? next()
          : Promise.resolve(
              JSON.stringify({
                ok: true,
                value: {
                  kind: "taken",
                  upTo: 0,
                  full: false,
                  refused: [{ n: 1, code: HUGE, message: HUGE }],
                },
              }),
            ),
    });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).send("note", 1);
    });
    await from.drain();
    const [letter] = (await from.ref.deadLetters()).items;
    expect(letter).toMatchObject({ reason: "undeliverable" });
    expectSmall(letter?.errors[0]);
  });
});

/** Texts that would be SQL, or a pattern, or an end, if anything took them for more than text. */
const INJECTIONS: readonly string[] = [
  "'; DROP TABLE _mailbox_envelopes; --",
  '"; DELETE FROM accounts; --',
  "x' OR '1'='1",
  "x'); DELETE FROM _mailbox_dead_letters WHERE ('1'='1",
  "' UNION SELECT sql, sql, sql FROM sqlite_master --",
  "%",
  "_",
  "*",
  "?1",
  ":type",
  "$(rm -rf)",
  "[x]",
  "`x`",
  "\\",
  "a\0b",
  "a\nb\r\n;",
  "/*",
  '["pending",0,0,""]',
  "__proto__",
  "🧨' --",
];

/** The tables and what is in the user's own: nothing that any text does changes either. */
function tablesOf(box: Scripted): Promise<unknown> {
  return box.inside((_, state) => {
    const { sql } = state.storage;
    return [
      sql
        .exec("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name")
        .toArray(),
      sql.exec("SELECT * FROM accounts").toArray(),
    ];
  });
}

describe("text is data, whatever SQL it would be:", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  /** An actor that receives every such text as a type, and fails for payloads of "fail". */
  async function open(name?: string): Promise<{ box: Scripted; noted: unknown[]; before: unknown }> {
    const noted: unknown[] = [];
    const handle = (payload: unknown): void => {
      if (payload === "fail") throw new Error("failed");
      noted.push(payload);
    };
    const box = actor(
      {
        receive: Object.fromEntries([...INJECTIONS, "plain"].map((type) => [type, handle])),
        policy: { maxAttempts: 1 },
      },
      name,
    );
    await box.inside((_, { storage }) => {
      storage.sql.exec("CREATE TABLE accounts (name TEXT, amount INTEGER)");
      storage.sql.exec("INSERT INTO accounts VALUES ('alice', 5)");
    });
    await box.ref.stats();
    return { box, noted, before: await tablesOf(box) };
  }

  it.each(INJECTIONS.map((text) => [JSON.stringify(text), text]))("%s as a type, a key and a payload", async (_, text) => {
    const { box, noted, before } = await open();
    const other = await box.ref.sendIn("1 hour", "plain", "other", { key: text });
    const id = await box.ref.sendIn("1 hour", text, { text }, { key: text });
    expect(await box.ref.get(id)).toMatchObject({ type: text, key: text, payload: { text } });
    expect(await box.ref.get({ type: text, key: text })).toMatchObject({ id });
    expect((await box.ref.pending({ type: text })).items.map((item) => item.id)).toEqual([id]);
    expect(await box.ref.sendIn("1 hour", text, 1, { key: text })).toBe(id);
    expect(await box.ref.reschedule({ type: text, key: text }, Date.now())).toBe(true);
    await box.drain();
    expect(noted).toEqual([{ text }]);
    expect(await box.ref.cancel({ type: "plain", key: text })).toBe(true);
    expect(await box.ref.get(other)).toBeUndefined();
    expect(await tablesOf(box)).toEqual(before);
  });

  it.each(INJECTIONS.map((text) => [JSON.stringify(text), text]))("%s as a recurrence", async (_, text) => {
    const { box, before } = await open();
    const id = await box.ref.sendEvery("1 hour", text, text, { key: text });
    await box.ref.sendEvery("1 hour", "plain", 1);
    expect(await box.ref.sendEvery("1 hour", text, text, { key: text })).toBe(id);
    const listed: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await box.ref.recurrences({ limit: 1, ...(cursor === undefined ? {} : { cursor }) });
      listed.push(...page.items.map((item) => [item.type, item.key]));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(listed).toHaveLength(2);
    expect(listed).toContainEqual([text, text]);
    expect(await box.ref.cancel(id)).toBe(true);
    expect((await box.ref.recurrences()).items.map(({ type }) => type)).toEqual(["plain"]);
    expect(await tablesOf(box)).toEqual(before);
  });

  it.each(INJECTIONS.map((text) => [JSON.stringify(text), text]))("%s in a filter, an id and a cursor", async (_, text) => {
    const { box, before } = await open();
    const id = await box.ref.send(text, "fail");
    const others = await box.ref.sendAll(["plain", "plain"].map((type) => ({ type, payload: "fail" })));
    await box.drain();
    expect((await box.ref.deadLetters({ type: text })).items.map((letter) => letter.id)).toEqual([id]);
    expect((await box.ref.deadLetters({ ids: [text, id] })).items.map((letter) => letter.id)).toEqual([id]);
    expect((await box.ref.deadLetters({ error: text })).items).toEqual([]);
    expect(await box.ref.purgeAll({ error: text })).toBe(0);
    expect(await box.ref.purgeAll({ ids: [text] })).toBe(0);
    expect(await box.ref.redriveAll({ type: `${text}x` })).toBe(0);
    for (const verb of ["get", "cancel", "deadLetter", "redrive", "purge"]) {
      expect(await answerTo(box, verbCall(verb, text, {}))).toMatchObject({ ok: true });
    }
    const cursor = encodeURIComponent(JSON.stringify(["deadLetters", Number.MAX_SAFE_INTEGER, text]));
    expect((await box.ref.deadLetters({ cursor })).items).toHaveLength(3);
    expect(await box.ref.purgeAll({ type: text })).toBe(1);
    for (const other of others) expect(await box.ref.deadLetter(other)).toBeDefined();
    expect(await tablesOf(box)).toEqual(before);
    expectClean();
  });

  it.each(INJECTIONS.map((text) => [JSON.stringify(text), text]))("%s as the name of an actor", async (_, text) => {
    const { box, noted, before } = await open(`${text} ${crypto.randomUUID()}`);
    const from = actor({ receive: {} }, `from ${text} ${crypto.randomUUID()}`);
    await box.ref.pause();
    await from.inside((self) => {
      self.other(box.name).send(text, "by the outbox", { key: text });
    });
    await from.drain();
    expect((await from.ref.outbox()).items).toEqual([]);
    expect((await box.ref.pending()).items).toMatchObject([{ type: text, key: text, from: { name: from.name } }]);
    await box.ref.resume();
    await box.drain();
    expect(noted).toEqual(["by the outbox"]);
    expect(await tablesOf(box)).toEqual(before);
  });
}); // prettier-ignore
