import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePayload, encodePayload } from "../../mailbox/payload/codec.ts";
import { difference, graph } from "../support/graph.ts";

describe("shared and cyclic references", () => {
  it("survive inside Maps and Sets, in their order", () => {
    const a = { name: "a" };
    const b = { name: "b" };
    const back = decodePayload(encodePayload([a, b, new Set([a, b]), new Map([[a, b], [b, a]])])) as [
      typeof a,
      typeof b,
      Set<object>,
      Map<object, object>,
    ]; // prettier-ignore
    expect([...back[2]]).toEqual([a, b]);
    expect([...back[2]][0]).toBe(back[0]);
    expect(back[3].get(back[0])).toBe(back[1]);
    expect(back[3].get(back[1])).toBe(back[0]);
  });

  it("survive where two objects refer to each other and both to the outside", () => {
    const x: Record<string, unknown> = {};
    const y = { x };
    x["y"] = y;
    const back = decodePayload(encodePayload({ x, y })) as { x: typeof x; y: typeof y };
    expect(back.x["y"]).toBe(back.y);
    expect(back.y.x).toBe(back.x);
  });

  it("survive for a root that holds itself", () => {
    const set = new Set<unknown>();
    set.add(set).add(1);
    const back = decodePayload(encodePayload(set)) as Set<unknown>;
    expect(back.has(back)).toBe(true);
    expect(back.size).toBe(2);
  });

  it("survive in any graph", () => {
    fc.assert(
      fc.property(graph, (root) => {
        const back = decodePayload(encodePayload(root));
        expect(difference(root, back)).toBe(undefined);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("reading text that is not our own", () => {
  const unreadable: readonly [what: string, text: string][] = [
    ["nothing", ""],
    ["cut JSON", '{"json":{"a":1'],
    ["no json", "{}"],
    ["null", "null"],
    ["meta that is no object", '{"json":1,"meta":5}'],
    ["an unknown conversion", '{"json":1,"meta":{"values":["nope"],"v":1}}'],
    ["a conversion named like an Object's member", '{"json":1,"meta":{"values":["constructor"],"v":1}}'],
    ["a class", '{"json":{},"meta":{"values":[["class","Money"]],"v":1}}'],
    ["binary data of an unknown class", '{"json":["Money",""],"meta":{"values":[["custom","binary"]],"v":1}}'],
    ["binary data of a wrong size", '{"json":["Float64Array","AAA="],"meta":{"values":[["custom","binary"]],"v":1}}'],
    ["a Map without entries", '{"json":[1],"meta":{"values":["map"],"v":1}}'],
    ["a reference to nothing", '{"json":{"a":null},"meta":{"referentialEqualities":{"b":["a"]},"v":1}}'],
    ["a reference to what comes later", '{"json":{"a":null,"b":{}},"meta":{"referentialEqualities":{"b":["a"]},"v":1}}'],
    ["a reference that is no path", '{"json":{"a":null,"b":{}},"meta":{"referentialEqualities":{"b":[5]},"v":1}}'],
    ["__proto__ in values", '{"json":{},"meta":{"values":{"a.__proto__.polluted":["Date"]},"v":1}}'],
    ["__proto__ in values, escaped", '{"json":{},"meta":{"values":{"__pr\\\\oto__.polluted":["Date"]},"v":1}}'],
    ["constructor in values", '{"json":{},"meta":{"values":{"constructor.prototype.polluted":["Date"]},"v":1}}'],
    ["a prototype as the target", '{"json":{"a":{}},"meta":{"referentialEqualities":{"a":["__proto__.polluted"]},"v":1}}'],
    ["a prototype as the source", '{"json":{"a":{}},"meta":{"referentialEqualities":{"constructor.prototype":["a"]},"v":1}}'],
  ]; // prettier-ignore
  it.each(unreadable)("throws: %s", (_, text) => {
    expect(() => decodePayload(text)).toThrow(Error);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });

  it("touches no inherited member that meta names", () => {
    const text =
      '{"json":{"a":{}},"meta":{"values":{"toString.polluted":["undefined"],"a.valueOf":["Date"]},"v":1}}';
    expect(decodePayload(text)).toEqual({ a: {} });
    expect("polluted" in Object.prototype.toString).toBe(false);
  });

  it("makes ordinary own properties of keys that look dangerous", () => {
    const text = '{"json":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}';
    const value = decodePayload(text) as object;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });

  it("survives any nesting, by a value or an error", () => {
    const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    for (const text of [
      `{"json":${deep(200_000)}}`,
      `{"json":${deep(200_000)},"meta":{"values":{"${"0.".repeat(100_000)}0":["Date"]},"v":1}}`,
    ]) {
      try {
        decodePayload(text);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  });
});
