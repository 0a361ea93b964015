import fc from "fast-check";
import { SuperJSON } from "superjson";
import { describe, expect, it } from "vitest";
import { byteLength, decodePayload, encodePayload, VOID_PAYLOAD } from "../../mailbox/payload/codec.ts";
import { InvalidPayloadError } from "../../mailbox/errors.ts";
import { difference } from "../support/graph.ts";

class Money {
  readonly cents = 5;
}

class Tags extends Set<string> {}

describe("the text of a payload", () => {
  const plain: readonly [what: string, value: unknown][] = [
    ["a string", "naïve 日本 \u2028 \ud83d\ude00"],
    ["a lone surrogate", "\ud800"],
    ["numbers", [0, -1, 1.5, 1e300, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER]],
    ["null and booleans", [null, true, false]],
    ["nested objects and arrays", { a: { b: [{ c: [] }, {}] } }],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["keys that look like indices", { b: 1, 2: "two", 1: "one", "": "empty", "a.b": 1, "a\\b": 2 }],
    ["twenty different objects", Array.from({ length: 20 }, (_, index) => ({ index }))],
    ["a property named toJSON that is data", { toJSON: "no" }],
    ["a getter", { get a() { return 1; } }], // prettier-ignore
  ];
  it.each(plain)("is superjson's for %s", (_, value) => {
    expect(encodePayload(value)).toBe(new SuperJSON().stringify(value));
    expect(decodePayload(encodePayload(value))).toEqual(value);
  });

  const rich: readonly [what: string, value: unknown][] = [
    ["undefined", { a: undefined, b: [undefined] }],
    ["a Date", { at: new Date(0) }],
    ["a Map and a Set", [new Map([["a", new Set([1])]]), new Set([new Map()])]],
    ["a bigint, a RegExp and a URL", [12n, /a\/b/giu, new URL("https://example.org/a?b#c")]],
    ["numbers that JSON has not", [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]],
    ["keys with dots and backslashes", { "a.b": { "c\\d": new Date(1), "": 1n } }],
  ];
  it.each(rich)("is superjson's for %s", (_, value) => {
    expect(encodePayload(value)).toBe(new SuperJSON().stringify(value));
    expect(decodePayload(encodePayload(value))).toEqual(value);
  });

  it("is superjson's for any JSON, or refused with it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.jsonValue({ maxDepth: 5 })), (value) => {
        let expected: string | undefined;
        try {
          expected = new SuperJSON().stringify(value);
        } catch {
          expect(() => encodePayload(value)).toThrow(InvalidPayloadError);
          return;
        }
        expect(encodePayload(value)).toBe(expected);
        expect(decodePayload(expected)).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("of undefined is one constant", () => {
    expect(VOID_PAYLOAD).toBe(new SuperJSON().stringify(undefined));
    expect(encodePayload(undefined)).toBe(VOID_PAYLOAD);
    expect(decodePayload(VOID_PAYLOAD)).toBe(undefined);
  });

  it("is no sign of what is registered on superjson's shared instance", () => {
    SuperJSON.registerClass(Money);
    expect(() => encodePayload(new Money())).toThrow(InvalidPayloadError);
    expect(new SuperJSON().customTransformerRegistry.findByName("binary")).toBe(undefined);
  });
});

describe("binary data", () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => index % 256);
  const views: readonly [name: string, value: ArrayBufferView | ArrayBuffer][] = [
    ["Int8Array", new Int8Array([-128, 127])],
    ["Uint8Array", bytes],
    ["Uint8ClampedArray", new Uint8ClampedArray([0, 255])],
    ["Int16Array", new Int16Array([-32768])],
    ["Uint16Array", new Uint16Array([65535])],
    ["Int32Array", new Int32Array([-(2 ** 31)])],
    ["Uint32Array", new Uint32Array([2 ** 32 - 1])],
    ["Float16Array", new Float16Array([0.5, Number.NaN])],
    ["Float32Array", new Float32Array([0.5, Number.NaN, -0])],
    ["Float64Array", new Float64Array([Number.NaN, -0, Number.POSITIVE_INFINITY, 0.1])],
    ["BigInt64Array", new BigInt64Array([-(2n ** 63n)])],
    ["BigUint64Array", new BigUint64Array([2n ** 64n - 1n])],
    ["DataView", new DataView(bytes.buffer, 3, 5)],
    ["ArrayBuffer", bytes.slice().buffer],
    ["an empty ArrayBuffer", new ArrayBuffer(0)],
  ];
  it.each(views)("comes back as it was: %s", (_, value) => {
    const back = decodePayload(encodePayload({ value, other: new Date(0) })) as { value: typeof value };
    expect(back.value).toStrictEqual(value);
    expect(back.value.constructor).toBe(value.constructor);
  });

  it("keeps only the part that is viewed", () => {
    const back = decodePayload(encodePayload(new Uint16Array(bytes.buffer, 4, 2))) as Uint16Array;
    expect([...back]).toEqual([...new Uint16Array(bytes.buffer, 4, 2)]);
    expect(back.buffer.byteLength).toBe(4);
  });

  it("is refused once detached", () => {
    const { buffer } = new Uint8Array(4);
    structuredClone(buffer, { transfer: [buffer] });
    expect(() => encodePayload({ buffer })).toThrow("payload.buffer: a detached ArrayBuffer cannot be sent");
  });
});

describe("an error", () => {
  it("arrives with name, message, stack, cause and own fields", () => {
    const error = Object.assign(new TypeError("broken", { cause: new Date(3) }), { code: "E_1", at: [1n] });
    const back = decodePayload(encodePayload({ error })) as {
      error: TypeError & { code: string; at: bigint[] };
    };
    expect(back.error).toBeInstanceOf(Error);
    expect(back.error.name).toBe("TypeError");
    expect(back.error.message).toBe("broken");
    expect(back.error.stack).toBe(error.stack);
    expect(back.error.cause).toEqual(new Date(3));
    expect(Object.keys(back.error)).toEqual(["code", "at"]);
    expect(back.error.at).toEqual([1n]);
  });

  it("arrives with the errors of an AggregateError", () => {
    const back = decodePayload(encodePayload(new AggregateError([new Error("a")], "many"))) as AggregateError;
    expect(back.message).toBe("many");
    expect((back.errors[0] as Error).message).toBe("a");
  });

  it("may be its own cause", () => {
    const error = new Error("loop");
    error.cause = error;
    const back = decodePayload(encodePayload(error)) as Error;
    expect(back.cause).toBe(back);
  });
});

describe("a payload that would lose something", () => {
  const hole: unknown[] = [1];
  hole[2] = 3;
  const refused: readonly [what: string, value: unknown, message: string][] = [
    ["a function", { items: [0, { run: () => 1 }] }, "payload.items[1].run: a function cannot be sent"],
    ["a symbol", { a: Symbol("s") }, "payload.a: a symbol cannot be sent"],
    ["a class instance", [new Money()], "payload[0]: an instance of Money cannot be sent"],
    ["a subclass of a Set", new Tags(), "payload: an instance of Tags cannot be sent"],
    ["a Promise", { p: Promise.resolve(1) }, "payload.p: a Promise (await it first) cannot be sent"],
    ["a WeakMap", new Map([["w", new WeakMap()]]), 'payload.get("w"): an instance of WeakMap cannot be sent'],
    ["a Request", { r: new Request("https://example.org") }, "payload.r: an instance of Request cannot be sent"],
    ["a boxed number", { n: Object(1) }, "payload.n: an instance of Number cannot be sent"],
    ["an invalid Date", { "due at": new Date(Number.NaN) }, 'payload["due at"]: an invalid Date cannot be sent'],
    ["a hole in an array", { a: hole }, "payload.a[1]: a hole in an array cannot be sent"],
    ["a match", "abc".match(/b/), "payload.index: a property beside the elements of an array cannot be sent"],
    ["a property named by a symbol", { [Symbol("k")]: 1 }, "payload: an object with a property named by a symbol (Symbol(k))"],
    ["an own property of a Map", Object.assign(new Map(), { a: 1 }), "payload.a: a property of one's own on a Map"],
    ["a key of a Map", new Map([[() => 1, 1]]), "payload.keys()[0]: a function cannot be sent"],
    ["an item of a Set", new Set([1, () => 1]), "payload.values()[1]: a function cannot be sent"],
    ["a cause", new Error("a", { cause: () => 1 }), "payload.cause: a function cannot be sent"],
    ["__proto__", JSON.parse('{"__proto__":1}'), "payload.__proto__: a property of this name cannot be sent"],
    ["constructor", { constructor: 1 }, "payload.constructor: a property of this name cannot be sent"],
    ["a Date in name only", Object.create(Date.prototype), "payload: it cannot be read: "],
    ["a getter that throws", { a: { get b() { throw new Error("no b"); } } }, "payload.a.b: it cannot be read: no b"],
  ]; // prettier-ignore
  it.each(refused)("is refused: %s", (_, value, message) => {
    expect(() => encodePayload(value)).toThrow(InvalidPayloadError);
    expect(() => encodePayload(value)).toThrow(message);
  });

  it("is refused when it is nested too deep, and taken just before", () => {
    const nest = (levels: number): unknown => {
      let value: unknown = "core";
      for (let level = 0; level < levels; level += 1)
        value = level % 2 === 0 ? { in: value } : new Map([["in", value]]);
      return value;
    };
    expect(difference(nest(500), decodePayload(encodePayload(nest(500))))).toBe(undefined);
    expect(() => encodePayload(nest(502))).toThrow("more than 500 levels deep cannot be sent");
    expect(() => encodePayload(nest(100_000))).toThrow(InvalidPayloadError);
  });

  it("is refused with a short message, however long the path", () => {
    let value: unknown = () => 1;
    for (let level = 0; level < 50; level += 1) value = { ["k".repeat(1000)]: value };
    expect(() => encodePayload(value)).toThrow(/^payload.{100,1200}$/su);
  });
});

describe("the length in bytes", () => {
  it("is that of the text in UTF-8", () => {
    const encoder = new TextEncoder();
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.nat(300), (text, times) => {
        const long = text.repeat(times);
        expect(byteLength(long)).toBe(encoder.encode(long).length);
      }),
      { numRuns: 200 },
    );
    for (const text of [
      "",
      "a",
      "é".repeat(10),
      "x".repeat(65),
      "日".repeat(40_000),
      "😀".repeat(9_000),
      "\ud800",
    ]) {
      expect(byteLength(text)).toBe(encoder.encode(text).length);
    }
  });
});
