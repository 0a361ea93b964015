import { describe, expect, it } from "vitest";
import { InvalidOptionError, MailboxError } from "../../actors/index.ts";
import { decodePayload } from "../../mailbox/payload/codec.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import {
  acceptCall,
  answerTo,
  batchCall,
  declaration,
  expectClean,
  expectUntouched,
  INTO_PROTOTYPES,
  message,
  nested,
  type Refused,
  refuses,
  target,
  textCall,
} from "../support/hostile.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const MIB = 1024 * 1024;
const HUGE = "x".repeat(2 * MIB);
const DAY = 86_400_000;

const show = (value: unknown): string => (JSON.stringify(value) ?? "undefined").slice(0, 40);

/** A message that is wrong in one field, with the code of its refusal. */
type Wrong = readonly [field: string, value: unknown, code?: string];

const wrongFields: readonly Wrong[] = [
  ...[undefined, null, 5, {}, "", "id", "__proto__", "every:note:", "every:note:@1800000000000", HUGE].map((id): Wrong => ["id", id]),
  ...[`${"0".repeat(9)}AAAAAAAAAA0000-0`, `${"0".repeat(9)}AAAAAAAAA'0000`, `${"0".repeat(9)}AAAAAAAAAA00000\n`].map((id): Wrong => ["id", id]),
  ...[undefined, null, "1800000000000", 1.5, -8.64e15 - 1, Number.MAX_VALUE, -Number.MAX_VALUE, {}].map((due): Wrong => ["due", due]),
  ["due", 8.64e15, "invalid_moment"],
  ["due", Date.now() + 101 * 366 * DAY, "invalid_moment"],
  ...[undefined, null, 5, {}, "", "nope", "constructor", "__proto__", "x".repeat(257), HUGE].map((type): Wrong => ["type", type, "unknown_type"]),
  ...[undefined, null, 5, {}, [], { json: 1 }].map((payload): Wrong => ["payload", payload]),
  ["payload", JSON.stringify({ json: "x".repeat(524_288) }), "payload_too_large"],
  ["payload", JSON.stringify({ json: "字".repeat(180_000) }), "payload_too_large"],
  ...[null, 5, {}, "", "x".repeat(257), "字".repeat(86), HUGE].map((key): Wrong => ["key", key, "invalid_key"]),
  ...[null, 5, ["keep"]].map((ifPending): Wrong => ["ifPending", ifPending]),
  ...[null, 5, "all", []].map((options): Wrong => ["options", options]),
  ...[null, "soon", 1.5, Number.MAX_VALUE, 8.64e15 + 1].map((expiresAt): Wrong => ["options", { expiresAt }]),
  ...[null, 5, [], { maxAttempts: 0 }, { maxAttempts: -1 }, { maxAttempts: 1.5 }, { maxAttempts: 1_000_001 }, { maxAttempts: "5" }, { maxAttempts: null }].map((policy): Wrong => ["options", { policy }]),
  ...[{ timeoutMs: 0 }, { timeoutMs: -1 }, { timeoutMs: 600_001 }, { timeoutMs: "1" }, { backoff: 5 }, { backoff: {} }].map((policy): Wrong => ["options", { policy }]),
  ...[{ initialMs: -1 }, { initialMs: 1e15 }, { factor: 0.5 }, { factor: null }, { maxMs: "1" }, { jitter: 1.1 }].map(
    (wrong): Wrong => ["options", { policy: { backoff: { initialMs: 1, factor: 2, maxMs: 10, jitter: 0, ...wrong } } }],
  ),
]; // prettier-ignore

const wrongDeclarations: readonly Refused[] = [
  ...[null, 5, "every hour", []].map((made): Refused => [show(made), acceptCall(declaration({ declaration: made })), "unsupported_call"]),
  ["an id of another key", acceptCall(declaration({ id: "every:note:other" })), "unsupported_call"],
  ["an id of an occurrence", acceptCall(declaration({ id: "every:note:k@1800000000000" })), "unsupported_call"],
  ["an unknown type", acceptCall(declaration({ id: "every:nope:k", type: "nope" })), "unknown_type"],
  ["a type that is none", acceptCall(declaration({ type: {} })), "unknown_type"],
  ["a payload that is no text", acceptCall(declaration({ payload: {} })), "unsupported_call"],
  ["a payload over the cap", acceptCall(declaration({ payload: HUGE })), "payload_too_large"],
  ...[null, 5, "x".repeat(257)].map((key): Refused => [`key: ${show(key)}`, acceptCall(declaration({}, { key })), "invalid_key"]),
  ...[null, 5, ["all"]].map((missed): Refused => [`missed: ${show(missed)}`, acceptCall(declaration({}, { missed })), "unsupported_call"]),
  ...[0, -1, 1.5, "5", null, Number.MAX_VALUE].map((times): Refused => [`times: ${show(times)}`, acceptCall(declaration({}, { times })), "unsupported_call"]),
  ...["startAt", "until"].flatMap((bound) =>
    [null, "now", 1.5, 8.64e15 + 1, -Number.MAX_VALUE].map((at): Refused => [`${bound}: ${show(at)}`, acceptCall(declaration({}, { [bound]: at })), "unsupported_call"]),
  ),
  ...[null, 5, { maxAttempts: 0 }].map((policy): Refused => [`policy: ${show(policy)}`, acceptCall(declaration({}, { policy })), "unsupported_call"]),
  ...[null, {}, [], true, "", -1, "2 months", HUGE].map((every): Refused => [`every: ${show(every)}`, acceptCall(declaration({}, { every })), "invalid_duration"]),
  ...[0, 1, 99, "0.001 s", { cron: 5 }, { cron: HUGE }, { cron: "0 0 30 2 *" }, { cron: "2030-01-01T00:00:00" }, { cron: `${"1,".repeat(124)}1 * * * *` }].map(
    (every): Refused => [`every: ${show(every)}`, acceptCall(declaration({}, { every })), "invalid_recurrence"],
  ),
  ...["Mars/Base", "", HUGE, 5, "../../etc/passwd"].map(
    (timeZone): Refused => [`a zone: ${show(timeZone)}`, acceptCall(declaration({}, { every: { cron: "0 9 * * *", timeZone } })), "invalid_recurrence"],
  ),
  ["100,000 levels", `{"v":1,"verb":"accept","messages":[{"id":"every:note:","type":"note","payload":"1","declaration":{"key":"","missed":"all","every":${nested(100_000)}}}]}`, "invalid_duration"],
]; // prettier-ignore

describe("a message that no ref makes is refused:", () => {
  refuses(
    wrongFields.map(([field, value, code = "unsupported_call"]) => [
      `${field}: ${show(value)}`,
      acceptCall(message({ [field]: value })),
      code,
    ]),
  );
  refuses([
    ["all of it inherited", `{"v":1,"verb":"accept","messages":[{"__proto__":${JSON.stringify(message())}}]}`, "unsupported_version"],
    ["100,000 levels", `{"v":1,"verb":"accept","messages":[${nested(100_000)}]}`, "unsupported_call"],
    ["a due time beyond all numbers", acceptCall(message({ due: 0 })).replace('"due":0', '"due":1e999'), "unsupported_call"],
  ]); // prettier-ignore
});

describe("one id in several messages of a send", () => {
  it.each([2, 100])("is one message: the first of %s, whatever the others say", async (count) => {
    const { box, lives } = target();
    const first = message({ due: Date.now() + DAY, immediate: false });
    const others = Array.from({ length: count - 1 }, (_, n) => ({
      ...first,
      due: Date.now() + n,
      payload: '{"json":2}',
      key: `k${n}`,
    }));
    for (let n = 0; n < 2; n += 1) {
      const answer = await answerTo(box, acceptCall(first, ...others));
      expect(answer).toEqual({ ok: true, value: Array(count).fill(first["id"]) });
    }
    expect((await box.ref.pending()).items).toMatchObject([
      { id: first["id"], payload: 1, dueAt: first["due"] },
    ]);
    expect(await box.ref.cancel(String(first["id"]))).toBe(true);
    await expectUntouched(box, lives);
  });
});

describe("calls that come at once, some of which no ref makes,", () => {
  it("are each answered for themselves: what is wrong in one harms none of the others", async () => {
    const { box, lives } = target();
    const soon = Date.now() + DAY;
    const calls = Array.from({ length: 60 }, (_, n) => {
      const good = message({ due: soon, immediate: false, payload: `{"json":${n}}` });
      // A batch has its place in its sender's numbers, so each is of another sender.
      const deliver = (...messages: object[]): string =>
        batchCall({
          epoch: `epoch-${n}`,
          messages: messages.map((one, index) => ({ ...one, n: index + 1 })),
        });
      const made = [
        { call: acceptCall(good), ids: [good["id"]] },
        { call: acceptCall(good, message({ type: "nope" })), ids: [] },
        { call: deliver(good), ids: [good["id"]] },
        { call: deliver(good, message({ payload: 5 })), ids: [good["id"]] },
        { call: "garbage", ids: [] },
        { call: batchCall({ epoch: 5 }), ids: [] },
      ];
      return made[n % made.length] ?? { call: "", ids: [] };
    });
    const answers = await Promise.all(calls.map(({ call }) => answerTo(box, call)));
    expect(answers.map(({ ok }) => ok)).toEqual(calls.map(({ ids }) => ids.length > 0));
    const waiting = (await box.ref.pending()).items.map(({ id }) => id);
    expect(waiting.toSorted()).toEqual(calls.flatMap(({ ids }) => ids.map(String)).toSorted());
    expect(lives.count).toBe(1);
    expectClean();
  });
});

describe("a recurrence that no ref declares is refused:", () => {
  refuses(wrongDeclarations);

  it.each(
    [8.64e15, 8.64e15 - 1, -8.64e15].flatMap((startAt) =>
      ["UTC", "Pacific/Apia", "America/New_York"].map((timeZone) => [startAt, timeZone] as const),
    ),
  )("or never due, when it starts at the end of time: %s in %s", async (startAt, timeZone) => {
    const { box, lives } = target();
    const call = acceptCall(declaration({}, { every: { cron: "0 9 * * *", timeZone }, startAt }));
    const answer = await answerTo(box, call);
    if (!answer.ok) expect(answer.code).toBe("invalid_recurrence");
    // One that starts at the beginning of time goes on as any other.
    else expect((await box.ref.recurrences()).items).toMatchObject([{ ended: startAt > 0 }]);
    expect(lives.count).toBe(1);
  });
});

describe("one message of a batch that no ref makes", () => {
  const wrong = wrongFields
    .filter(([field]) => field !== "id" && field !== "type")
    .map(([field, value, code = "unsupported_call"]) => [field, show(value), value, code] as const);
  it.each(wrong)("goes back to its sender, and holds up no other: %s %s", async (field, _, value, code) => {
    const { box } = target();
    const wrongOne = message({ [field]: value });
    const messages = [message(), wrongOne, message()].map((one, index) => ({ ...one, n: index + 1 }));
    const refused = [{ n: 2, code, message: expect.any(String) as string }];
    // As often as it is asked: an answer may be lost, and nobody else knows that it was refused.
    for (let asked = 0; asked < 2; asked += 1) {
      expect(await answerTo(box, batchCall({ messages }))).toEqual({
        ok: true,
        value: { kind: "taken", upTo: 1, full: false, refused },
      });
    }
    expect(await answerTo(box, batchCall({ messages: messages.slice(2) }))).toEqual({
      ok: true,
      value: { kind: "taken", upTo: 3, full: false, refused: [] },
    });
    expect((await box.ref.pending()).items.map(({ id }) => id)).not.toContain(wrongOne["id"]);
    expectClean();
  });

  it("holds up no other when it is a recurrence that no calendar can follow", async () => {
    const { box } = target();
    const every = { cron: "0 9 * * *", timeZone: "Pacific/Apia" };
    const endless = declaration({}, { every, startAt: 8.64e15 - 1 });
    const answer = await answerTo(
      box,
      batchCall({
        messages: [
          { ...endless, n: 1 },
          { ...message(), n: 2 },
        ],
      }),
    );
    expect(answer).toMatchObject({ ok: true, value: { kind: "taken", upTo: 2 } });
  });
});

/** Payload texts that no codec of ours writes. */
const unreadable: readonly (readonly [what: string, payload: string])[] = [
  ["no JSON", "garbage"],
  ["nothing", ""],
  ["no json in it", '{"values":{}}'],
  ["a meta of 100,000 levels", `{"json":${nested(100_000)},"meta":{"values":{"${"0.".repeat(99_999)}0":["Date"]}}}`],
  ["an unknown conversion", '{"json":{"n":1},"meta":{"values":{"n":["toString"]}}}'],
  ["a class", '{"json":{"n":1},"meta":{"values":[["class","Object"]]}}'],
  ["__proto__ that is shared", '{"json":{"n":{"polluted":1}},"meta":{"referentialEqualities":{"n":["__proto__"]}}}'],
  ...INTO_PROTOTYPES.map(([what, meta]) => [what, `{"json":[{"polluted":1}],"meta":${meta}}`] as const),
]; // prettier-ignore

/** An actor that notes what it is given, with one message in it that cannot be read and one behind that. */
async function afterUnreadable(put: (box: Scripted) => Promise<string>): Promise<unknown> {
  stopClockAhead();
  const noted: unknown[] = [];
  const box = actor({ receive: { note: (payload) => void noted.push(payload) } });
  const id = await put(box);
  await box.ref.send("note", "behind it");
  moveClock(1);
  await box.drain();
  expect(noted).toEqual(["behind it"]);
  expectClean();
  expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 1 });
  return box.ref.deadLetter(id);
}

describe("a payload text that cannot be read", () => {
  startClockAfterEach();

  describe("is refused where a schema would have to look at it, with nothing enqueued:", () => {
    refuses(
      unreadable.map(([what, payload]) => [
        what,
        acceptCall(message({ type: "checked", payload })),
        "invalid_payload",
      ]),
    );
  });

  it.each(unreadable)("sent to a handler without one becomes a dead letter: %s", async (_, payload) => {
    const sent = message({ payload });
    const letter = await afterUnreadable(async (box) => {
      expect(await answerTo(box, acceptCall(sent))).toEqual({ ok: true, value: [sent["id"]] });
      return String(sent["id"]);
    });
    expect(letter).toMatchObject({ reason: "unreadable", payload: undefined, payloadText: payload });
  });

  it.each(unreadable)("found in its row becomes a dead letter: %s", async (_, payload) => {
    const letter = await afterUnreadable(async (box) => {
      const id = await box.ref.send("note", "before");
      await box.inside(({ realStorage }) => {
        realStorage.sql.exec("UPDATE _mailbox_envelopes SET payload = ? WHERE id = ?", payload, id);
      });
      expect(await box.ref.get(id)).toMatchObject({ payload: undefined, payloadText: payload });
      return id;
    });
    expect(letter).toMatchObject({ reason: "unreadable", payload: undefined, payloadText: payload });
  });

  it("is refused as the repair of a dead letter, which stays", async () => {
    stopClockAhead();
    const { box, lives } = target();
    const sent = message({ payload: "garbage" });
    await answerTo(box, acceptCall(sent));
    await box.drain();
    for (const [, payload] of unreadable) {
      const call = textCall("redrive", JSON.stringify({ json: [sent["id"], { text: payload }] }));
      expect(await answerTo(box, call)).toMatchObject({ ok: false, code: "invalid_payload" });
    }
    expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 1 });
    expect(lives.count).toBe(1);
  });
});

describe("a payload text that can be read, whatever it says,", () => {
  startClockAfterEach();

  const dangerous =
    '{"json":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":5}}';

  it("reaches its handler as own properties of an ordinary object", async () => {
    stopClockAhead();
    let seen: object = {};
    const box = actor({ receive: { note: (payload) => void (seen = payload as object) } });
    await answerTo(box, acceptCall(message({ payload: dangerous })));
    await box.drain();
    expect(Object.keys(seen)).toEqual(["__proto__", "constructor", "toString"]);
    expect(Object.getPrototypeOf(seen)).toBe(Object.prototype);
    expectClean();
  });

  it.each([
    ["100,000 levels", () => `{"json":${nested(100_000)}}`],
    ["25,000 values in its meta that are nowhere", () => `{"json":{"n":1},"meta":{"values":{${Array.from({ length: 25_000 }, (_, n) => `"k${n}":["Date"]`).join()}}}}`],
    ["25,000 references that are nowhere", () => `{"json":{"n":1},"meta":{"referentialEqualities":{${Array.from({ length: 25_000 }, (_, n) => `"k${n}":["l${n}"]`).join()}}}}`],
    ["one object in 50,000 places", () => `{"json":{"n":1},"meta":{"referentialEqualities":{"n":[${Array.from({ length: 50_000 }, (_, n) => `"k${n}"`).join()}]}}}`],
  ])("of %s is delivered or dies, and the next one is delivered", async (_, payload) => {
    stopClockAhead();
    const noted: unknown[] = [];
    const box = actor({ receive: { note: (given) => void noted.push(given) } });
    const sent = message({ payload: payload() });
    expect(await answerTo(box, acceptCall(sent, message()))).toMatchObject({ ok: true });
    await box.drain();
    expect(noted.at(-1)).toBe(1);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 2 - noted.length });
    expectClean();
  }); // prettier-ignore

  it("does not take memory that its text does not have", () => {
    // 8 bytes each, and the text could as well ask for a hundred million.
    for (const name of ["Float64Array", "Uint8Array"]) {
      expect(() => decodePayload(`{"json":64,"meta":{"values":[["typed-array","${name}"]],"v":1}}`)).toThrow(
        Error,
      );
    }
  });
});

describe("what a caller controls is capped:", () => {
  it("a payload at settings.maxPayloadBytes, to the byte, in UTF-8", async () => {
    const box = actor({ receive: { note: () => {} }, settings: { maxPayloadBytes: 1_011 } });
    const room = 1_011 - '{"json":""}'.length;
    await box.ref.sendIn("1 hour", "note", "x".repeat(room));
    await box.ref.sendIn("1 hour", "note", "é".repeat(room / 2));
    for (const text of ["x".repeat(room + 1), `${"é".repeat(room / 2)}x`]) {
      await expect(box.ref.sendIn("1 hour", "note", text)).rejects.toMatchObject({
        code: "payload_too_large",
      });
      const call = acceptCall(message({ payload: JSON.stringify({ json: text }) }));
      expect(await answerTo(box, call)).toMatchObject({ ok: false, code: "payload_too_large" });
    }
    expect((await box.ref.stats()).pending).toBe(2);
  });

  it("a key at 256 bytes of UTF-8, and so are a type's name and the key of a recurrence", async () => {
    const longest = "é".repeat(128);
    const box = actor({ receive: { [longest]: () => {} } });
    const id = await box.ref.sendIn("1 hour", longest, 1, { key: longest });
    expect(await box.ref.get({ type: longest, key: longest })).toMatchObject({ id });
    expect(await box.ref.cancel(await box.ref.sendEvery("1 hour", longest, 1, { key: longest }))).toBe(true);
    for (const refused of [
      box.ref.sendIn("1 hour", `${longest}x`, 1),
      box.ref.sendIn("1 hour", longest, 1, { key: `${longest}x` }),
      box.ref.sendEvery("1 hour", longest, 1, { key: `${longest}x` }),
    ]) {
      await expect(refused).rejects.toBeInstanceOf(MailboxError);
    }
    expect((await box.ref.stats()).pending).toBe(1);
  });

  it("sendAll at 10,000 messages, from a ref and inside", async () => {
    const box = actor({ receive: { note: () => {} } });
    const entries = (count: number): { type: string; payload: number; in: string }[] =>
      Array.from({ length: count }, (_, payload) => ({ type: "note", payload, in: "1 hour" }));
    await expect(box.ref.sendAll(entries(10_001))).rejects.toBeInstanceOf(InvalidOptionError);
    await box.inside((self) => {
      expect(() => self.sendAll(entries(10_001))).toThrow(InvalidOptionError);
    });
    expect((await box.ref.stats()).pending).toBe(0);
    expect(await box.ref.sendAll(entries(10_000))).toHaveLength(10_000);
  });

  it("a send of 8 MiB of text, before it leaves the caller", async () => {
    const { box, lives } = target();
    const entries = Array.from({ length: 20 }, () => ({ type: "note", payload: "x".repeat(500_000) }));
    await expect(box.ref.sendAll(entries)).rejects.toBeInstanceOf(InvalidOptionError);
    await expectUntouched(box, lives);
  });
});
