import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as library from "../../actors/index.ts";
import {
  InvalidCursorError,
  MailboxError,
  ref,
  type Ref,
  UnknownTypeError,
  UnreachableError,
  UnsupportedCallError,
} from "../../actors/index.ts";
import type { AnyNamespace } from "../../mailbox/outbox/address.ts";
import { actor, type AnyMessages } from "../support/scripted.ts";

const SECOND = 1_000;

/** An error as the platform throws it: what it thinks of another try is a property. */
function platformError(message: string, properties: object): Error {
  return Object.assign(new Error(message), properties);
}

const connectionLost = (): Error => platformError("Network connection lost.", { retryable: true });

/** What a test sees of one call. */
interface Seen {
  readonly at: number;
  readonly call: string;
  readonly stub: object;
}

interface Line {
  readonly ref: Ref<AnyMessages>;
  readonly seen: Seen[];
  /** What the namespace was asked for, for each stub. */
  readonly asked: unknown[];
}

/** A ref to an actor that is nowhere: a function answers each call, and knows which it is, from 0. */
function line(answer: (index: number) => unknown): Line {
  const seen: Seen[] = [];
  const asked: unknown[] = [];
  const namespace: AnyNamespace = {
    idFromName: (name) => ({ name, equals: () => false, toString: () => name }),
    idFromString: (name) => ({ name, equals: () => false, toString: () => name }),
    jurisdiction: () => namespace,
    get: (id, options) => {
      asked.push([String(id), options]);
      return {
        async mailboxCall(this: object, call: string) {
          seen.push({ at: Date.now(), call, stub: this });
          return Promise.resolve(answer(seen.length - 1));
        },
      };
    },
  };
  return { ref: ref<AnyMessages>(namespace, "nobody", { locationHint: "weur" }), seen, asked };
}

function fail(error: unknown): never {
  throw error;
}

const ACCEPTED = JSON.stringify({ ok: true, value: ["id"] });
const FALSE = JSON.stringify({ ok: true, value: '{"json":false}' });
const PAGE = JSON.stringify({ ok: true, value: '{"json":{"items":[]}}' });

/** Every verb, with an answer that it understands. */
const verbs: readonly (readonly [verb: string, ask: (box: Ref<AnyMessages>) => Promise<unknown>, answer: string])[] = [
  ["send", (box) => box.send("note", { n: 1 }, { key: "k" }), ACCEPTED],
  ["sendLater", (box) => box.sendLater(new Date(), "note", 1), ACCEPTED],
  ["sendIn", (box) => box.sendIn("1 hour", "note", 1), ACCEPTED],
  ["sendEvery", (box) => box.sendEvery("1 hour", "note", 1), ACCEPTED],
  ["sendAll", (box) => box.sendAll([{ type: "note", payload: 1 }]), ACCEPTED],
  ["cancel", (box) => box.cancel("id"), FALSE],
  ["reschedule", (box) => box.reschedule("id", new Date()), FALSE],
  ["redrive", (box) => box.redrive("id", { payload: new Date() }), FALSE],
  ["purge", (box) => box.purge("id"), FALSE],
  ["pending", (box) => box.pending(), PAGE],
  ["deadLetters", (box) => box.deadLetters(), PAGE],
  ["outbox", (box) => box.outbox(), PAGE],
]; // prettier-ignore

describe("A ref, when the platform could not carry a call and says that another try may,", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Lets the stopped clock run until the promise has ended. */
  async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
    let result: PromiseSettledResult<T> | undefined;
    void Promise.allSettled([promise]).then(([ended]) => {
      result = ended;
    });
    while (result === undefined) await vi.advanceTimersToNextTimerAsync();
    return result;
  }

  it.each(verbs)("makes it again with the same text, and so the same ids: %s", async (_, ask, answer) => {
    const { ref: box, seen } = line((index) => (index < 3 ? fail(connectionLost()) : answer));
    expect(await settled(ask(box))).toMatchObject({ status: "fulfilled" });
    expect(seen).toHaveLength(4);
    // A verb says beside that it is a repeat: whoever has done it before answers as it did.
    const calls = seen.map(({ call }) => call.replace('"isRepeat":true', '"isRepeat":false'));
    expect(new Set(calls).size).toBe(1);
  });

  it("takes a fresh stub for each try, at the same place: the one before is broken", async () => {
    const { ref: box, seen, asked } = line((index) => (index < 3 ? fail(connectionLost()) : ACCEPTED));
    await settled(box.send("note", 1));
    expect(new Set(seen.map(({ stub }) => stub)).size).toBe(4);
    expect(asked).toEqual(Array.from({ length: 4 }, () => ["nobody", { locationHint: "weur" }]));
  });

  it("takes a fresh stub for each call too", async () => {
    const { ref: box, seen } = line(() => ACCEPTED);
    await settled(box.send("note", 1));
    await settled(box.send("note", 1));
    expect(seen[0]?.stub).not.toBe(seen[1]?.stub);
    expect(seen[0]?.call).not.toBe(seen[1]?.call);
  });

  it("waits before each try, longer and longer, and not for so long that it would miss an actor that is back", async () => {
    const { ref: box, seen } = line((index) => (index < 9 ? fail(connectionLost()) : ACCEPTED));
    await settled(box.send("note", 1));
    const waits = seen.slice(1).map(({ at }, index) => at - (seen[index]?.at ?? 0));
    expect(waits).toHaveLength(9);
    for (const [index, wait] of waits.entries()) {
      // Its jitter is up to a half.
      const longest = Math.min(5 * SECOND, 100 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(longest / 2));
      expect(wait).toBeLessThanOrEqual(Math.ceil(longest));
    }
  });

  it("does not come together with all others that it failed with", async () => {
    const lines = Array.from({ length: 20 }, () =>
      line((index) => (index === 0 ? fail(connectionLost()) : ACCEPTED)),
    );
    await settled(Promise.all(lines.map(({ ref: box }) => box.send("note", 1))));
    expect(new Set(lines.map(({ seen }) => (seen[1]?.at ?? 0) - (seen[0]?.at ?? 0))).size).toBeGreaterThan(1);
  });

  it("gives up after 30 seconds, with the last of the platform's errors as the cause", async () => {
    const errors: Error[] = [];
    const { ref: box, seen } = line(() => {
      errors.push(platformError(`lost for the ${errors.length + 1}th time`, { retryable: true }));
      return fail(errors.at(-1));
    });
    const startedAt = Date.now();
    const ended = await settled(box.send("note", 1));
    const error: unknown = ended.status === "rejected" ? ended.reason : undefined;
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toBeInstanceOf(MailboxError);
    expect(error).toMatchObject({ code: "unreachable", cause: errors.at(-1) });
    expect(String(error)).toContain(`after ${seen.length} tries`);
    expect(String(error)).toContain(errors.at(-1)?.message);
    const lastAt = (seen.at(-1)?.at ?? 0) - startedAt;
    expect(lastAt).toBeLessThanOrEqual(30 * SECOND);
    // No try would have been in time any more.
    expect(lastAt).toBeGreaterThan(25 * SECOND - 1);
    await vi.advanceTimersByTimeAsync(60 * SECOND);
    expect(seen).toHaveLength(errors.length);
  });

  it("counts the time that the calls themselves take", async () => {
    const { ref: box, seen } = line(() => {
      vi.setSystemTime(Date.now() + 40 * SECOND);
      return fail(connectionLost());
    });
    expect(await settled(box.send("note", 1))).toMatchObject({ reason: { code: "unreachable" } });
    expect(seen).toHaveLength(1);
  });

  it("lets no other call wait for its own", async () => {
    const { ref: box, seen } = line((index) => (index === 0 ? fail(connectionLost()) : ACCEPTED));
    const first = box.send("note", 1);
    await box.send("note", 2);
    expect(seen).toHaveLength(2);
    await settled(first);
    expect(seen).toHaveLength(3);
    expect(seen[2]?.call).toBe(seen[0]?.call);
  });

  const overloaded: readonly (readonly [what: string, properties: object])[] = [
    ["overloaded", { overloaded: true }],
    ["overloaded, and retryable as well", { overloaded: true, retryable: true }],
  ];

  it.each(overloaded)("does not add to the load of an actor that is %s", async (_, properties) => {
    const error = platformError("Durable Object is overloaded. Too many requests queued.", properties);
    const { ref: box, seen } = line(() => fail(error));
    expect(await settled(box.send("note", 1))).toMatchObject({
      reason: { code: "unreachable", cause: error },
    });
    await vi.advanceTimersByTimeAsync(60 * SECOND);
    expect(seen).toHaveLength(1);
  });

  const final: readonly (readonly [what: string, thrown: unknown])[] = [
    ["an error that says nothing about it", new Error("Network connection lost.")],
    ["an error that says no", platformError("no", { retryable: false })],
    ["an error that says something else", platformError("maybe", { retryable: "true" })],
    ["an error that says yes in its cause only", new Error("no", { cause: connectionLost() })],
    ["an error of the other side's code", platformError("boom", { remote: true })],
    ["a stub without some method", new TypeError('The RPC receiver does not implement the method "fetchAll".')],
    ["a text", "Network connection lost."],
    ["null", null],
    ["undefined", undefined],
  ]; // prettier-ignore

  it.each(final)("does not make a call again for %s", async (_, thrown) => {
    const { ref: box, seen } = line(() => fail(thrown));
    const ended = await settled(box.stats());
    const error: unknown = ended.status === "rejected" ? ended.reason : undefined;
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code: "unreachable", cause: thrown });
    expect(String(error)).toContain("after 1 try");
    expect(seen).toHaveLength(1);
  });

  it("gives up at once when what fails it turns into what no other try helps", async () => {
    const { ref: box, seen } = line((index) => fail(index < 2 ? connectionLost() : new Error("no more")));
    expect(await settled(box.send("note", 1))).toMatchObject({ reason: { cause: { message: "no more" } } });
    expect(seen).toHaveLength(3);
  });

  it("throws the namespace's own error as it is, because nobody was called", async () => {
    const error = platformError("no such jurisdiction", { retryable: true });
    const nowhere = { idFromName: () => fail(error) } as unknown as AnyNamespace;
    expect(await settled(ref<AnyMessages>(nowhere, "nobody").send("note", 1))).toEqual({
      status: "rejected",
      reason: error,
    });
  });
});

describe("A ref, when the actor refuses,", () => {
  type ErrorClass = new (message: string) => MailboxError;
  const isErrorClass = (value: unknown): value is ErrorClass =>
    typeof value === "function" && value.prototype instanceof MailboxError;
  const classes = Object.values<unknown>(library).filter(isErrorClass);

  it("knows all that there are", () => {
    expect(classes.length).toBeGreaterThan(20);
  });

  it.each(classes.map((Class) => [Class.name, Class] as const))(
    "throws %s itself, with its code",
    async (_, Class) => {
      const { code } = new Class("");
      const { ref: box, seen } = line(() => JSON.stringify({ ok: false, code, message: "what and why" }));
      for (const ask of [() => box.send("note", 1), () => box.stats()]) {
        const error: unknown = await ask().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(Class);
        expect(error).toBeInstanceOf(MailboxError);
        expect(error).toMatchObject({ code, name: Class.name, message: "what and why" });
      }
      // A refusal is an answer: it is not asked for again.
      expect(seen).toHaveLength(2);
    },
  );

  const nonsense: readonly (readonly [what: string, answer: unknown])[] = [
    ["a code of a later version", '{"ok":false,"code":"too_tired","message":"zzz"}'],
    ["a code that is a member of every object", '{"ok":false,"code":"constructor","message":"x"}'],
    ["a code that is the prototype", '{"ok":false,"code":"__proto__","message":"x"}'],
    ["a code that is no text", '{"ok":false,"code":["unreachable"],"message":{}}'],
    ["neither yes nor no", '{"ok":"yes","value":["id"]}'],
    ["no JSON", "<html>"],
    ["null", "null"],
    ["an answer of another form", { ok: true, value: ["id"] }],
    ["nothing", undefined],
  ];

  it.each(nonsense)("or answers %s, says that it did not understand", async (_, answer) => {
    const { ref: box, seen } = line(() => answer);
    await expect(box.send("note", 1)).rejects.toBeInstanceOf(UnsupportedCallError);
    await expect(box.stats()).rejects.toBeInstanceOf(UnsupportedCallError);
    expect(seen).toHaveLength(2);
  });

  it("throws what a real one has refused", async () => {
    const box = actor({ receive: { note: () => {} } });
    await expect(box.ref.send("nope", 1)).rejects.toBeInstanceOf(UnknownTypeError);
    await expect(box.ref.pending({ cursor: "x" })).rejects.toBeInstanceOf(InvalidCursorError);
  });
});
