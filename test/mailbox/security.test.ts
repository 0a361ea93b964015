import { describe, expect, it } from "vitest";
import {
  acceptCall,
  answerTo,
  batchCall,
  declaration,
  expectUntouched,
  INTO_PROTOTYPES,
  message,
  nested,
  type Refused,
  refuses,
  target,
  textCall,
  verbCall,
} from "../support/hostile.ts";

const MIB = 1024 * 1024;
const HUGE = "x".repeat(2 * MIB);

/** A cursor of a verb's own making but for its place. */
function cursor(verb: string, ...place: readonly unknown[]): string {
  return encodeURIComponent(JSON.stringify([verb, ...place]));
}

describe("mailboxCall, given what is no call, says so as data:", () => {
  refuses([
    ["no text", "", "unsupported_call"],
    ["text that is no JSON", "{v:1}", "unsupported_call"],
    ["JSON that is cut", '{"v":1,"verb":"stats"', "unsupported_call"],
    ["null", "null", "unsupported_call"],
    ["a number", "5", "unsupported_call"],
    ["a list", '[{"v":1,"verb":"stats"}]', "unsupported_call"],
    ["an object without anything", "{}", "unsupported_call"],
    ["undefined in place of text", () => undefined, "unsupported_call"],
    ["null in place of text", () => null, "unsupported_call"],
    ["an object in place of text", () => ({ v: 1, verb: "stats", args: '{"json":[]}' }), "unsupported_call"],
    ["bytes in place of text", () => new Uint8Array([123, 125]), "unsupported_call"],
    ["no version", '{"verb":"stats","args":"{\\"json\\":[]}"}', "unsupported_call"],
    ["version 0", '{"v":0,"verb":"stats","args":"{\\"json\\":[]}"}', "unsupported_call"],
    ["a newer version", '{"v":2,"verb":"stats","args":"{\\"json\\":[]}"}', "unsupported_version"],
    ["a version that is text", '{"v":"1","verb":"stats","args":"{\\"json\\":[]}"}', "unsupported_call"],
    ["a version only inherited", '{"__proto__":{"v":1},"verb":"stats","args":"[]"}', "unsupported_call"],
    ["a verb only inherited", '{"v":1,"__proto__":{"verb":"stats"},"args":"[]"}', "unsupported_call"],
    ["100,000 levels of nothing", nested(100_000), "unsupported_call"],
    ["100,000 levels as a verb", `{"v":1,"verb":${nested(100_000)}}`, "unsupported_call"],
    ["100,000 levels as arguments", `{"v":1,"verb":"get","args":${nested(100_000)}}`, "unsupported_call"],
    ["more text than any ref makes", () => `${verbCall("stats")}${" ".repeat(24 * MIB)}`, "unsupported_call"],
  ]);

  it("names both versions and what to deploy first", async () => {
    const { box } = target();
    const answer = await answerTo(box, '{"v":2,"verb":"stats"}');
    expect(answer).toMatchObject({
      message: expect.stringMatching(/version 1.*version 2.*deploy/) as string,
    });
  });
});

describe("mailboxCall, given a verb that there is not, says so as data:", () => {
  refuses([
    ...[
      "",
      "sendAll",
      "destroy",
      "wake",
      "alarm",
      "Cancel",
      "__proto__",
      "constructor",
      "toString",
      HUGE,
    ].map((verb): Refused => [JSON.stringify(verb.slice(0, 20)), verbCall(verb), "unsupported_version"]),
    ["a number", () => textCall(5, '{"json":[]}'), "unsupported_call"],
    ["a list with a verb in it", () => textCall(["stats"], '{"json":[]}'), "unsupported_call"],
  ]);
});

describe("a verb, given arguments that are none, says so as data:", () => {
  refuses([
    ["none", '{"v":1,"verb":"pause"}', "unsupported_call"],
    ["a list in place of its text", '{"v":1,"verb":"pause","args":[]}', "unsupported_call"],
    ["text that is no JSON", textCall("pause", "[}"), "unsupported_call"],
    ["text without json", textCall("pause", '{"meta":{"values":{},"v":1}}'), "unsupported_call"],
    ["no list", textCall("pause", '{"json":{"0":"id","length":1}}'), "unsupported_call"],
    ["meta that is none", textCall("pause", '{"json":[],"meta":7}'), "unsupported_call"],
    ["an unknown conversion", textCall("get", '{"json":[1],"meta":{"values":{"0":["constructor"]}}}'), "unsupported_call"],
    ["a class", textCall("get", '{"json":[{}],"meta":{"values":{"0":[["class","constructor"]]}}}'), "unsupported_call"],
    ["a converter named like a member of Object", textCall("get", '{"json":[{}],"meta":{"values":{"0":[["custom","constructor"]]}}}'), "unsupported_call"],
    ["an expression that is none", textCall("get", `{"json":["/${"(".repeat(100_000)}/"],"meta":{"values":{"0":["regexp"]}}}`), "unsupported_call"],
    ["a meta of 100,000 levels", textCall("get", `{"json":${nested(100_000)},"meta":{"values":{"${"0.".repeat(99_999)}0":["Date"]}}}`), "unsupported_call"],
    ["a meta tree of 100,000 levels", textCall("get", `{"json":[],"meta":{"values":${'{"0":'.repeat(100_000)}["Date"]${"}".repeat(100_000)}}}`), "unsupported_call"],
    ...INTO_PROTOTYPES.map(([what, meta]): Refused => [what, textCall("pending", `{"json":[{"polluted":1}],"meta":${meta}}`), "unsupported_call"]),
    ["no moment", verbCall("reschedule", "id", "tomorrow"), "invalid_moment"],
    ["a moment that is NaN", verbCall("reschedule", "id", Number.NaN), "invalid_moment"],
    ["a moment that is a BigInt", verbCall("reschedule", "id", 10n ** 18n), "invalid_moment"],
    ["a moment that is no Date any more", textCall("reschedule", '{"json":["id","never"],"meta":{"values":{"1":["Date"]}}}'), "invalid_moment"],
    ["a negative moment", verbCall("reschedule", "id", -1), "invalid_moment"],
    ["a moment beyond time", verbCall("reschedule", "id", 1e300), "invalid_moment"],
    ["a repair that is no object", verbCall("redrive", "id", 5), "invalid_option"],
    ["a repair with a payload that is no text", verbCall("redrive", "id", { text: { json: 1 } }), "unsupported_call"],
    ["a repair for no moment", verbCall("redrive", "id", { at: Number.POSITIVE_INFINITY }), "invalid_moment"],
    ["options that are text", verbCall("pending", "all"), "invalid_option"],
    ["options that are null", verbCall("pending", null), "invalid_option"],
    ["a type that is no text", verbCall("pending", { type: ["note"] }), "invalid_option"],
  ]); // prettier-ignore
});

describe("a page, given a limit that is none, says so as data:", () => {
  const limits = [0, -1, 1.5, 1_001, 1e308, Number.NaN, Number.POSITIVE_INFINITY, "5", 5n, true, "all"];
  const verbs = ["pending", "recurrences", "outbox", "deadLetters"];
  refuses(
    verbs.flatMap((verb) =>
      limits.map((limit): Refused => [`${verb} of ${String(limit)} (${typeof limit})`, verbCall(verb, { limit }), "invalid_option"]),
    ),
  ); // prettier-ignore
});

describe("a page, given a cursor that is none, says so as data:", () => {
  refuses(
    ["pending", "recurrences", "outbox", "deadLetters"].flatMap((verb) =>
      [
        ["no text", 5],
        ["null", null],
        ["nothing", ""],
        ["half an escape", "%E0%A4"],
        ["no JSON", "%7B"],
        ["another verb's", cursor("stats", 0, 0, "")],
        ["without a place", cursor(verb)],
        ["a place of another form", cursor(verb, {}, [], null)],
        ["a place with too many parts", cursor(verb, 0, 0, 0, "", "")],
        ["__proto__", encodeURIComponent('{"__proto__":["pending",0,0,""]}')],
        ["100,000 levels", encodeURIComponent(nested(100_000))],
        ["of 2 MiB", HUGE],
      ].map(([what, given]): Refused => [`${verb}: ${what}`, verbCall(verb, { cursor: given }), "invalid_cursor"]),
    ),
  ); // prettier-ignore

  it("answers a page for one whose numbers are beyond all places", async () => {
    const { box, lives } = target();
    for (const place of ["0,1e999", "0,-1e999", "1e999,0", "-1e308,0.5", "0,-9007199254740993"]) {
      const call = verbCall("pending", { cursor: encodeURIComponent(`["pending",${place},""]`) });
      expect(await answerTo(box, call)).toEqual({ ok: true, value: '{"json":{"items":[]}}' });
    }
    await expectUntouched(box, lives);
  });
});

describe("a filter that is none never means every letter:", () => {
  const filters: readonly (readonly [what: string, filter: unknown, code?: string])[] = [
    ["text", "all"],
    ["null", null],
    ["an unknown reason", { reason: "bored" }],
    ["a reason that is a member of every object", { reason: "constructor" }],
    ["a reason that is a list", { reason: ["exhausted"] }],
    ["a type that is no text", { type: { $ne: "" } }],
    ["an error that is no text", { error: true }],
    ["ids that are text", { ids: "all" }],
    ["ids that are no list", { ids: { length: 1, 0: "id" } }],
    ["ids that are no texts", { ids: ["id", 5] }],
    ["more ids than a page has", { ids: Array.from({ length: 1_001 }, String) }],
    ["a name that is none", { all: true }],
    ["a moment that is text", { diedBefore: "now" }, "invalid_moment"],
    ["a moment that is NaN", { diedBefore: Number.NaN }, "invalid_moment"],
    ["a moment in seconds", { diedBefore: 1_800_000_000 }, "invalid_moment"],
  ];
  refuses(
    ["deadLetters", "redriveAll", "purgeAll"].flatMap((verb) => [
      ...filters.map(([what, filter, code = "invalid_option"]): Refused => [`${verb}: ${what}`, verbCall(verb, filter), code]),
      ...(verb === "deadLetters" ? [] : [[`${verb}: a list`, verbCall(verb, []), "invalid_option"] as const]),
      [`${verb}: __proto__ as a name`, textCall(verb, '{"json":[{"__proto__":{"type":"note"}}]}'), "invalid_option"] as const,
      [`${verb}: constructor as a name`, textCall(verb, '{"json":[{"constructor":{"prototype":{"polluted":1}}}]}'), "invalid_option"] as const,
    ]),
  ); // prettier-ignore
});

describe("what is no id names nothing, and is no error:", () => {
  const ids: readonly (readonly [what: string, id: unknown])[] = [
    ["a number", 5],
    ["NaN", Number.NaN],
    ["null", null],
    ["a list", ["id"]],
    ["an object without type and key", { id: "id" }],
    ["a type and a key that are no texts", { type: 1, key: {} }],
    ["no text", ""],
    ["a member of every object", "__proto__"],
    ["2 MiB", HUGE],
    ["a recurrence of 2 MiB", `every:${HUGE}`],
    ["an occurrence of 2 MiB", `every:${HUGE}@1800000000000`],
    ["an occurrence at no time", "every:note:@NaN"],
    ["a type and a key of 2 MiB", { type: HUGE, key: HUGE }],
    ["a NUL", "\0"],
    ["half a character", "\ud800"],
    ["Infinity as its time", `${"z".repeat(9)}AAAAAAAAAA0000zzzzzzzzzzz`],
  ];

  it.each(ids)("%s", async (_, id) => {
    const { box, lives } = target();
    const at = Date.now();
    const yes = await box.ref.sendIn("1 hour", "note", "stays");
    for (const [verb, args, value] of [
      ["get", [id], undefined],
      ["cancel", [id], false],
      ["reschedule", [id, at], false],
      ["deadLetter", [id], undefined],
      ["redrive", [id, {}], false],
      ["purge", [id], false],
    ] as const) {
      const answer = await answerTo(box, verbCall(verb, ...args));
      expect(answer).toEqual({ ok: true, value: JSON.stringify(value === undefined ? { json: null, meta: { values: ["undefined"], v: 1 } } : { json: value }) });
    }
    expect(await box.ref.cancel(yes)).toBe(true);
    await expectUntouched(box, lives);
  }); // prettier-ignore
});

describe("text that is longer than the database takes is answered as data as well:", () => {
  const huge = "x".repeat(16 * MIB);
  const calls: readonly (readonly [what: string, verb: string, first: unknown])[] = [
    ...["get", "cancel", "reschedule"].map(
      (verb) => [`${verb} by a key`, verb, { type: "note", key: huge }] as const,
    ),
    ["cancel by the id of a recurrence", "cancel", `every:${huge}`],
    ...["deadLetter", "redrive", "purge"].map((verb) => [`${verb} by an id`, verb, huge] as const),
    ["pending by a type", "pending", { type: huge }],
    ["deadLetters by a type", "deadLetters", { type: huge }],
    ["purgeAll by an error", "purgeAll", { error: huge }],
    ["redriveAll by ids", "redriveAll", { ids: [huge] }],
    ["a cursor of pending", "pending", { cursor: cursor("pending", 0, 0, huge) }],
    ["a cursor of recurrences", "recurrences", { cursor: cursor("recurrences", huge) }],
    ["a cursor of outbox", "outbox", { cursor: cursor("outbox", huge, 0) }],
    ["a cursor of deadLetters", "deadLetters", { cursor: cursor("deadLetters", 0, huge) }],
  ];

  it.each(calls)("%s", async (_, verb, first) => {
    const { box, lives } = target();
    const answer = await answerTo(box, verbCall(verb, first, verb === "redrive" ? {} : Date.now()));
    if (!answer.ok) expect(answer.code).toMatch(/^(?:invalid|unsupported)_/);
    await expectUntouched(box, lives);
  });
});

describe("a send is at most 10,000 messages, of which one that is wrong is all:", () => {
  refuses([
    ["no list", JSON.stringify({ v: 1, verb: "accept", messages: message() }), "unsupported_call"],
    ["no messages at all", acceptCall(), "unsupported_call"],
    ["10,001 messages", () => acceptCall(...Array.from({ length: 10_001 }, () => message())), "unsupported_call"],
    ["the last of 1,000 is wrong", () => acceptCall(...Array.from({ length: 999 }, () => message()), {}), "unsupported_call"],
    ["a list that holds itself in no way", acceptCall([message()]), "unsupported_call"],
    ["null among them", acceptCall(message(), null), "unsupported_call"],
    ["a recurrence that is wrong behind a message", acceptCall(message(), declaration({}, { every: 0 })), "invalid_recurrence"],
  ]); // prettier-ignore
});

describe("a batch that no outbox makes is refused whole:", () => {
  const messages = (...numbers: readonly unknown[]): object => ({
    messages: numbers.map((n) => ({ ...message(), n })),
  });
  refuses([
    ["none", '{"v":1,"verb":"deliver"}', "unsupported_call"],
    ["a list", '{"v":1,"verb":"deliver","batch":[]}', "unsupported_call"],
    ["all of it inherited", `{"v":1,"verb":"deliver","batch":{"__proto__":${JSON.stringify(JSON.parse(batchCall()).batch)}}}`, "unsupported_call"],
    ...([["sender", 128], ["epoch", 64]] as const).flatMap(([field, units]): Refused[] =>
      [5, null, "", {}, "x".repeat(units + 1), HUGE].map((value) => [`${field}: ${JSON.stringify(value).slice(0, 20)}`, batchCall({ [field]: value }), "unsupported_call"]),
    ),
    ...[0, -1, "1", null, Number.MAX_VALUE, {}].map((keepMs): Refused => [`keepMs: ${JSON.stringify(keepMs)}`, batchCall({ keepMs }), "unsupported_call"]),
    ...[5, [], {}, { n: 0, id: "x" }, { n: 1.5, id: "x" }, { n: 1, id: 5 }, { n: "1", id: "x" }, { n: 1, id: HUGE }].map(
      (confirmed): Refused => [`confirmed: ${JSON.stringify(confirmed).slice(0, 20)}`, batchCall({ confirmed }), "unsupported_call"],
    ),
    ["messages that are no list", batchCall({ messages: { length: 1 } }), "unsupported_call"],
    ["1,001 messages", () => batchCall(messages(...Array.from({ length: 1_001 }, (_, n) => n + 1))), "unsupported_call"],
    ["a message that is none", batchCall({ messages: [null] }), "unsupported_call"],
    ["a message without an id", batchCall({ messages: [{ n: 1 }] }), "unsupported_call"],
    ["a message with an id of 2 MiB", batchCall({ messages: [{ ...message({ id: HUGE }), n: 1 }] }), "unsupported_call"],
    ...[[0], [-1], [1.5], ["1"], [null], [2 ** 53], [1, 1], [2, 1]].map((n): Refused => [`messages numbered ${JSON.stringify(n)}`, batchCall(messages(...n)), "unsupported_call"]),
    ["more bytes than any outbox sends", () => batchCall({ messages: Array.from({ length: 30 }, (_, n) => ({ ...message({ payload: JSON.stringify({ json: "x".repeat(MIB) }) }), n: n + 1 })) }), "unsupported_call"],
  ]); // prettier-ignore
});
