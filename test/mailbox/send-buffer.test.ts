import { describe, expect, it } from "vitest";
import { AttemptFullError } from "../../actors/index.ts";
import { type Outgoing, SendBuffer } from "../../mailbox/host/send-buffer.ts";
import { Transactions } from "../../mailbox/host/transactions.ts";

function message(id: string, key?: string, payload = "{}"): Outgoing["message"] {
  return { id, due: 0, type: "note", payload, immediate: false, ...(key === undefined ? {} : { key }) };
}

const own = (id: string, key?: string): Outgoing => ({ to: "self", message: message(id, key) });
const toOther = (id: string, target: string): Outgoing => ({ to: "other", target, message: message(id) });

function filled(sends: readonly Outgoing[], transactions: Transactions = new Transactions()): SendBuffer {
  const buffer = new SendBuffer(transactions);
  for (const each of sends) buffer.add(each);
  return buffer;
}

const idsOf = (buffer: SendBuffer): string[] => buffer.sends.map(({ message: { id } }) => id);
const isId =
  (id: string) =>
  ({ message: { id: own } }: Outgoing): boolean =>
    own === id;

describe("What an attempt has sent", () => {
  it("is counted by targets and found by keys, without a look at each", () => {
    let looks = 0;
    const watched = (send: Outgoing): Outgoing =>
      new Proxy(send, {
        get(target, name) {
          looks += 1;
          return Reflect.get(target, name) as unknown;
        },
      });
    const buffer = new SendBuffer(new Transactions());
    const looksOf = (act: () => unknown): number => {
      const before = looks;
      act();
      return looks - before;
    };
    const ask = (n: number): void => {
      buffer.countTo("a");
      buffer.holderOf("note", "k");
      buffer.add(watched(n % 2 === 0 ? toOther(`${n}`, "a") : own(`${n}`, `${n}`)));
    };
    const first = looksOf(() => ask(1));
    for (let n = 2; n < 1_000; n += 1) ask(n);
    expect(looksOf(() => ask(1_001))).toBe(first);
    expect(buffer.countTo("a")).toBe(499);
  });

  it("is counted and found as it is after sends were dropped, changed and taken back", () => {
    const transactions = new Transactions();
    const buffer = filled([own("1", "k"), toOther("2", "a"), toOther("3", "a"), own("4")], transactions);
    const act = (): void => {
      buffer.add(toOther("5", "b"));
      expect(buffer.change(isId("1"), (sent) => ({ ...sent, due: 7 }))).toBe(true);
      expect(buffer.holderOf("note", "k")?.message.due).toBe(7);
      expect(buffer.drop(isId("2"))).toBe(1);
      expect(buffer.drop(isId("1"))).toBe(1);
      expect(buffer.drop(isId("1"))).toBe(0);
      expect([buffer.countTo("a"), buffer.countTo("b"), buffer.holderOf("note", "k")]).toEqual([
        1,
        1,
        undefined,
      ]);
      expect(idsOf(buffer)).toEqual(["3", "4", "5"]);
    };
    expect(() =>
      transactions.run(() => {
        // One inside of it, that has committed, is rolled back with it.
        transactions.run(act);
        throw new Error("roll back");
      }),
    ).toThrow("roll back");
    expect(idsOf(buffer)).toEqual(["1", "2", "3", "4"]);
    expect([buffer.countTo("a"), buffer.countTo("b")]).toEqual([2, 0]);
    expect(buffer.holderOf("note", "k")?.message).toMatchObject({ id: "1", due: 0 });
    buffer.dropAll();
    expect([idsOf(buffer), buffer.countTo("a"), buffer.holderOf("note", "k")]).toEqual([[], 0, undefined]);
  });

  it("has room again for what was dropped", () => {
    const buffer = filled(Array.from({ length: 10_000 }, (_, n) => own(`${n}`)));
    expect(() => buffer.add(own("more"))).toThrow(AttemptFullError);
    buffer.drop(isId("7"));
    buffer.add(own("more"));
    const large = new SendBuffer(new Transactions());
    const payload = "x".repeat(4 * 1024 * 1024);
    for (let n = 0; n < 4; n += 1) large.add({ to: "self", message: message(`${n}`, undefined, payload) });
    expect(() => large.add(own("more"))).toThrow(AttemptFullError);
    large.drop(isId("0"));
    large.add(own("more"));
  });

  it("keeps types and keys apart that are the same text together", () => {
    const buffer = filled([own("1", "k")]);
    expect(buffer.holderOf("not", "ek")).toBeUndefined();
    expect(buffer.holderOf("note", "k")?.message.id).toBe("1");
  });
});
