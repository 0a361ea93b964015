import { describe, expect, it } from "vitest";
import { startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

const error = Object.assign(new Error("outer", { cause: new Error("inner") }), { name: "OuterError" });

describe("payloads", () => {
  startClockAfterEach();

  it.each<[string, unknown]>([
    ["a Date", new Date("2027-01-01T09:00:00.123Z")],
    [
      "a Map",
      new Map<unknown, unknown>([
        ["a", 1],
        [{ b: 2 }, new Date(3)],
      ]),
    ],
    ["a Set", new Set([1, "two", 3n])],
    ["a BigInt", 2n ** 80n],
    ["a RegExp", /a+b\/c/giu],
    ["a URL", new URL("https://example.org/path?q=1#f")],
    ["undefined, in an object and in an array", { a: undefined, b: [undefined, 1] }],
    ["numbers that JSON has not", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]],
    ["a Uint8Array", new Uint8Array([0, 1, 254, 255])],
    ["a part of a buffer", new Uint8Array(new Uint8Array([9, 1, 2, 3, 9]).buffer, 1, 3)],
    ["a Float64Array", new Float64Array([Math.PI, Number.NaN, -0])],
    ["a BigInt64Array", new BigInt64Array([-1n, 2n ** 62n])],
    ["an ArrayBuffer", new Uint8Array([1, 2, 3]).buffer],
    ["a DataView", new DataView(new Uint8Array([1, 2, 3]).buffer)],
    ["all of it, deep inside", { list: [{ at: new Date(5), by: new Map([["k", new Set([1n])]]) }] }],
    ["text of every plane", { text: 'aé字👩‍👩‍👧\u0000"\\' }],
    ["nothing", undefined],
  ])("carry %s through a delivery", async (_, payload) => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (given) => void seen.push(given) } });
    await box.ref.send("note", payload);
    await box.inside((self) => self.send("note", payload));
    await box.drain();
    expect(seen).toEqual([payload, payload]);
  });

  it("carry an Error with its name, message, stack and cause", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (given) => void seen.push(given) } });
    await box.ref.send("note", { error });
    await box.drain();
    const [given] = seen as [{ error: Error }];
    expect(given.error).toBeInstanceOf(Error);
    expect(given.error).toMatchObject({ name: "OuterError", message: "outer", stack: error.stack });
    expect(given.error.cause).toMatchObject({ message: "inner" });
  });

  it("carry cycles, and objects that are held twice", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (given) => void seen.push(given) } });
    const shared = { n: 1 };
    const cycle: Record<string, unknown> = { a: shared, b: shared };
    cycle["self"] = cycle;
    await box.ref.send("note", cycle);
    await box.drain();
    const [given] = seen as [Record<string, unknown>];
    expect(given["self"]).toBe(given);
    expect(given["a"]).toBe(given["b"]);
  });

  it("may share a sendAll of a thousand, five kilobytes each", async () => {
    stopClock();
    const box = actor({ receive: { note: () => {} } });
    const text = "字".repeat(1_700);
    const entries = Array.from({ length: 1_000 }, (_, n) => ({
      type: "note",
      payload: { n, text },
      in: "1 hour",
    }));
    const ids = await box.ref.sendAll(entries);
    expect(ids).toHaveLength(1_000);
    const inside = await box.inside((self) => self.sendAll(entries));
    expect(inside.toSorted()).toEqual(inside);
    const found: string[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await box.ref.pending({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
      expect(JSON.stringify(page.items).length, "a page is cut by size").toBeLessThan(4 * 1024 * 1024);
      found.push(...page.items.map((item) => item.id));
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    expect(new Set(found).size).toBe(2_000);
  });

  it("arrive in a handler as copies that nobody else holds", async () => {
    const seen: { n: number }[] = [];
    const box = actor({ receive: { note: (given) => void seen.push(given as { n: number }) } });
    const payload = { n: 1 };
    await box.inside((self) => {
      self.send("note", payload);
      payload.n = 2;
    });
    await until(() => seen.length === 1);
    expect(seen[0]).toEqual({ n: 1 });
  });
});
