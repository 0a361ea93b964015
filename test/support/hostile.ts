// Calls that no ref makes: what a test sends to `mailboxCall` by hand, and what it may come back with.

import { expect, it } from "vitest";
import { z } from "zod";
import { validated } from "../../actors/index.ts";
import { encodePayload } from "../../mailbox/payload/codec.ts";
import { newId } from "../../mailbox/message/id.ts";
import { actor, type Scripted } from "./scripted.ts";

/** A call, and the code of the error that answers it. */
export type Refused = readonly [what: string, call: string | (() => unknown), code: string];

/** An answer of `mailboxCall`. */
export type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly notYet?: true };

/** Makes a call as it is, whatever it is. Rejects with what came instead of an answer. */
export async function answerTo(box: Scripted, call: unknown): Promise<Answer> {
  return JSON.parse(await box.stub().mailboxCall(call as string)) as Answer;
}

/** A call of a verb with arguments that the codec carries, so of any type. */
export function verbCall(verb: string, ...args: readonly unknown[]): string {
  return JSON.stringify({ v: 1, verb, args: encodePayload(args) });
}

/** A call of a verb with the text of its arguments. */
export function textCall(verb: unknown, args: unknown): string {
  return JSON.stringify({ v: 1, verb, args });
}

/** A message as a ref makes it, with some fields in place of its own. */
export function message(fields: object = {}): Record<string, unknown> {
  const now = Date.now();
  return { id: newId(now, now), due: now, type: "note", payload: '{"json":1}', immediate: true, ...fields };
}

/** A recurrence as a ref declares it, with some fields in place of its own. */
export function declaration(fields: object = {}, made: object = {}): Record<string, unknown> {
  const declared = { key: "k", every: 60_000, missed: "latest", ...made };
  return message({ id: `every:note:k`, declaration: declared, ...fields });
}

/** A send. */
export function acceptCall(...messages: readonly unknown[]): string {
  return JSON.stringify({ v: 1, verb: "accept", messages });
}

/** A batch as an outbox makes it, with some fields in place of its own. */
export function batchCall(fields: object = {}): string {
  const batch = {
    sender: "5e".repeat(32),
    epoch: "epoch-1",
    confirmed: null,
    keepMs: 1_000_000,
    from: { id: "5e".repeat(32), className: "Sender" },
    messages: [{ ...message(), n: 1 }],
    ...fields,
  };
  return JSON.stringify({ v: 1, verb: "deliver", batch });
}

/** Brackets in brackets. */
export function nested(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

/** Checks that nothing that any text could have reached has changed. */
export function expectClean(): void {
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(([] as { polluted?: unknown }).polluted).toBeUndefined();
  expect((expectClean as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
}

/** Checks that a mailbox has nothing in it, and that its object has answered all calls so far in one life. */
export async function expectUntouched(box: Scripted, lives: { readonly count: number }): Promise<void> {
  expectClean();
  expect(await box.ref.stats()).toMatchObject({ pending: 0, outbox: 0, deadLetters: 0, failed: 0 });
  expect(await box.ref.recurrences()).toEqual({ items: [] });
  expect(lives.count).toBe(1);
  // And it takes what is in order.
  const id = await box.ref.sendIn("1 hour", "note", "in order");
  expect(await box.ref.get(id)).toMatchObject({ payload: "in order" });
  expect(await box.ref.cancel(id)).toBe(true);
}

/** An actor that counts its lives, so that a test sees when a call has ended one. */
export function target(): { box: Scripted; lives: { count: number } } {
  const lives = { count: 0 };
  const box = actor({
    receive: { note: () => {}, checked: validated(z.object({ n: z.number() }), () => {}) as never },
    construct: () => {
      lives.count += 1;
    },
  });
  return { box, lives };
}

/** Tests that each call is answered by a refusal, in a text of bounded length, and leaves nothing behind. */
export function refuses(calls: readonly Refused[]): void {
  it.each(calls)("%s", async (_, call, code) => {
    const { box, lives } = target();
    const answer = await answerTo(box, typeof call === "function" ? call() : call);
    // What may be of a later version is refused for now, and everything else for good.
    const notYet = code === "unsupported_version" ? { notYet: true } : {};
    expect(answer).toEqual({ ok: false, code, message: expect.any(String) as string, ...notYet });
    expect(JSON.stringify(answer).length).toBeLessThan(8_192);
    await expectUntouched(box, lives);
  });
}

/** What the meta of a text says in order to reach a prototype, as text: in an object, `__proto__` would be one. */
export const INTO_PROTOTYPES: readonly (readonly [what: string, meta: string])[] = [
  ["__proto__ among the values", '{"values":{"0.__proto__.polluted":["Date"]}}'],
  ["an escaped __proto__ among the values", '{"values":{"0.__pr\\\\oto__.polluted":["Date"]}}'],
  ["a tree under __proto__", '{"values":{"0":{"__proto__":{"polluted":["Date"]}}}}'],
  ["a conversion with a tree under __proto__", '{"values":{"0":["set",{"__proto__":{"polluted":["Date"]}}]}}'],
  ["constructor among the values", '{"values":{"0.constructor.prototype.polluted":["Date"]}}'],
  ["prototype among the values", '{"values":{"prototype.polluted":["Date"]}}'],
  ["__proto__ as a place to write to", '{"referentialEqualities":{"0":["__proto__.polluted"]}}'],
  ["__proto__ as a place to read from", '{"referentialEqualities":{"__proto__":["0.polluted"]}}'],
  ["constructor.prototype as a place to write to", '{"referentialEqualities":{"0":["0.constructor.prototype.polluted"]}}'],
  ["constructor.prototype as a place to read from", '{"referentialEqualities":{"0.constructor.prototype":["0.polluted"]}}'],
  ["the root's __proto__", '{"referentialEqualities":[["__proto__.polluted"],{}]}'],
]; // prettier-ignore
