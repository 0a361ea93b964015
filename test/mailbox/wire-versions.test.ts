// Old and new code side by side, as they are during every deploy. The newer side is made by hand: calls and answers
// that a later version would make of this one's.

import { describe, expect, it } from "vitest";
import { ref, type Ref, UnsupportedVersionError } from "../../actors/index.ts";
import type { AnyNamespace } from "../../mailbox/outbox/address.ts";
import { batchOf, quiet } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { acceptCall, answerTo, batchCall, declaration, message, target } from "../support/hostile.ts";
import { actor, type AnyMessages, type Scripted, until } from "../support/scripted.ts";

/** A call as a later version makes it: with fields of its own, and what it needs of its receiver. */
function later(call: string, fields: object): string {
  return JSON.stringify({ ...(JSON.parse(call) as object), v: 2, ...fields });
}

/** What is in an actor's mailbox. */
async function idsIn(box: Scripted): Promise<string[]> {
  return (await box.ref.pending()).items.map(({ id }) => id);
}

const soon = (fields: object = {}): Record<string, unknown> =>
  message({ due: Date.now() + 86_400_000, immediate: false, ...fields });

describe("a call of a later version", () => {
  it("that needs no more than this one is answered as one of this version", async () => {
    const { box } = target();
    const [sent, carried] = [soon(), soon()];
    const needs = { min: 1, trace: "a field of a later version" };
    expect(await answerTo(box, later(acceptCall(sent), needs))).toEqual({ ok: true, value: [sent["id"]] });
    const batch = batchCall({ messages: [{ ...carried, n: 1 }], place: "a field of a later version" });
    expect(await answerTo(box, later(batch, needs))).toEqual({
      ok: true,
      value: { kind: "taken", upTo: 1, full: false, refused: [] },
    });
    expect(await idsIn(box)).toEqual([sent["id"], carried["id"]]);
  });

  it("that needs more is refused for now, whatever it is", async () => {
    const { box, lives } = target();
    for (const call of [acceptCall(soon()), batchCall(), JSON.stringify({ verb: "new", args: 5 })]) {
      for (const needs of [{ min: 2 }, {}]) {
        expect(await answerTo(box, later(call, needs))).toEqual({
          ok: false,
          code: "unsupported_version",
          message: expect.stringMatching(/version 1.*version 2.*deploy/) as string,
          notYet: true,
        });
      }
    }
    expect(await idsIn(box)).toEqual([]);
    expect(lives.count).toBe(1);
  });

  it("of a verb that this one does not know is refused for now", async () => {
    const { box } = target();
    const call = JSON.stringify({ v: 2, min: 1, verb: "rename", args: '{"json":[]}' });
    expect(await answerTo(box, call)).toMatchObject({ code: "unsupported_version", notYet: true });
  });

  describe.each([
    ["an option", { lane: "fast" }],
    ["an option that says nothing", { lane: null }],
    ["a word", { ifPending: "merge", key: "k" }],
    ["an option of its options", { options: { weight: 1 } }],
    ["a name in its policy", { options: { policy: { maxAttempts: 5, pace: 3 } } }],
    ["a name in its backoff", { options: { policy: { backoff: { initialMs: 1, factor: 2, maxMs: 9, jitter: 0, cap: 5 } } } }],
    ["a name in its declaration", declaration({}, { season: "summer" })],
    ["a name in its rule", declaration({}, { every: { cron: "0 9 * * *", holidays: "DE" } })],
    ["a way with missed times", declaration({}, { missed: "oldest" })],
  ])("with %s of a later version", (_, fields) => {
    it("is refused for now when a ref sends it: nothing that somebody asked for is dropped in silence", async () => {
      const { box } = target();
      const answer = await answerTo(box, acceptCall(soon(), { ...soon(), ...fields }));
      expect(answer).toMatchObject({ ok: false, code: "unsupported_version", notYet: true });
      expect(await idsIn(box)).toEqual([]);
      expect(await box.ref.recurrences()).toEqual({ items: [] });
    });

    it("is refused for now with the whole of its batch, which keeps its order", async () => {
      const { box } = target();
      const messages = [soon(), { ...soon(), ...fields }, soon()].map((one, n) => ({ ...one, n: n + 1 }));
      const answer = await answerTo(box, batchCall({ messages }));
      expect(answer).toMatchObject({ ok: false, code: "unsupported_version", notYet: true });
      expect(await idsIn(box)).toEqual([]);
    });
  }); // prettier-ignore

  it("is waited for by its sender's outbox, with an event, and taken once the receiver is deployed", async () => {
    const seen: unknown[] = [];
    const old = target().box;
    let isOld = true;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: async (call, next) =>
        batchOf(call) !== undefined && isOld
          ? JSON.stringify(await answerTo(old, later(call, { min: 2 })))
          : next(),
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", "new"));
    await until(() => from.eventsOf("outboxFailed").length > 0);
    expect(from.eventsOf("outboxFailed")[0]).toMatchObject({
      target: `ACTORS/${to.name}`,
      tries: 1,
      error: { name: "UnsupportedVersionError", message: expect.stringContaining("deploy") as string },
    });
    expect((await from.ref.outbox()).items).toMatchObject([
      { error: expect.stringContaining("version 2") as string },
    ]);
    isOld = false;
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["new"]);
    expect(await from.ref.stats()).toMatchObject({ deadLetters: 0 });
  });
});

const laterAnswers: readonly (readonly [what: string, answer: object])[] = [
  ["a reason that this version does not know", { ok: false, code: "moved_away", message: "Not here yet.", notYet: true }],
  ["a kind that this version does not know", { ok: true, value: { kind: "redirected", to: "elsewhere" } }],
  ["a number that is none", { ok: true, value: { kind: "taken", upTo: -1, full: false, refused: [] } }],
  ["a part of a number", { ok: true, value: { kind: "taken", upTo: 1.5, full: false, refused: [] } }],
]; // prettier-ignore

describe("an answer of a later version", () => {
  it("that says more than this one asks for is understood", async () => {
    const to = actor({
      receive: { note: () => {} },
      onCall: async (call, next) => {
        const { ok, value } = JSON.parse(await next()) as { ok: boolean; value: object };
        const more = batchOf(call) === undefined ? value : { ...value, credit: 5 };
        return JSON.stringify({ ok, v: 2, value: more });
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", 1));
    await quiet(from);
    expect(from.eventsOf("outboxFailed")).toEqual([]);
    expect(await to.ref.cancel("nothing")).toBe(false);
  });

  it.each(laterAnswers)("to a batch, with %s, is no answer: the batch goes again", async (_, answer) => {
    const seen: unknown[] = [];
    let batches = 0;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: (call, next) =>
        batchOf(call) !== undefined && (batches += 1) === 1
          ? Promise.resolve(JSON.stringify(answer))
          : next(),
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", 1));
    await until(() => from.eventsOf("outboxFailed").length === 1);
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual([1]);
    expect(await from.ref.stats()).toMatchObject({ deadLetters: 0 });
  });
});

describe("a ref", () => {
  startClockAfterEach();

  /** A ref to an actor that refuses for now, so often. */
  function refused(times: number, box: Scripted): { to: Ref<AnyMessages>; calls: string[] } {
    const calls: string[] = [];
    const namespace = {
      idFromName: (name: string) => name,
      get: () => ({
        mailboxCall: async (call: string) => {
          calls.push(call);
          if (calls.length > times) return box.stub().mailboxCall(call);
          moveClock(4_000);
          return JSON.stringify(await answerTo(box, later(call, { min: 2 })));
        },
      }),
    } as unknown as AnyNamespace;
    return { to: ref<AnyMessages>(namespace, box.name), calls };
  }

  it("asks again for half a minute while its receiver is refusing for now, and is then answered", async () => {
    stopClockAhead();
    const { box } = target();
    const { to, calls } = refused(3, box);
    const id = await to.sendIn("1 hour", "note", "in the end");
    expect(calls).toHaveLength(4);
    expect(new Set(calls).size).toBe(1);
    expect(await idsIn(box)).toEqual([id]);
  });

  it("says what it was refused for when half a minute was not enough: nothing took effect", async () => {
    stopClockAhead();
    const { box } = target();
    const { to, calls } = refused(100, box);
    await expect(to.send("note", "never")).rejects.toThrow(UnsupportedVersionError);
    expect(calls.length).toBeGreaterThan(5);
    expect(calls.length).toBeLessThan(10);
    expect(await idsIn(box)).toEqual([]);
  });
});

describe("what a sender says of itself", () => {
  const wrongFrom: readonly unknown[] = [
    null, "me", [], {}, { id: "x" }, { id: 5, className: "C" }, { id: "x".repeat(129), className: "C" },
    { id: "x", className: "" }, { id: "x", className: "C".repeat(257) }, { id: "x", className: "C", name: "" },
    { id: "x", className: "C", name: "n".repeat(1_025) }, { id: "x", className: "C", name: 5, more: 1 },
  ]; // prettier-ignore

  it.each(wrongFrom.map((from) => [JSON.stringify(from).slice(0, 40), from] as const))(
    "is no reason to refuse its messages: %s",
    async (_, from) => {
      const froms: unknown[] = [];
      const box = actor({ receive: { note: (_payload, delivery) => void froms.push(delivery.from) } });
      expect(await answerTo(box, batchCall({ from }))).toMatchObject({ ok: true, value: { upTo: 1 } });
      expect(await answerTo(box, acceptCall(message({ options: { from } })))).toMatchObject({ ok: true });
      await until(() => froms.length === 2);
      const [carried, sent] = froms as ({ id: string; className: string } | undefined)[];
      // The batch names its sender beside.
      expect(carried).toEqual({
        id: carried?.id === "x" ? "x" : "5e".repeat(32),
        className: expect.stringMatching(/^(C|DurableObject)$/) as string,
      });
      if (sent !== undefined) expect(sent).toEqual(carried);
    },
  );
});
