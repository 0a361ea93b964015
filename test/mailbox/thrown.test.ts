// What is kept of what was thrown, and that it is never more than memory holds.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { storedError } from "../../mailbox/message/thrown.ts";

const UNITS = 1_024;

/** What was kept of an object before anything was bounded: the beginning of its whole JSON. */
function whole(thrown: object): string {
  const text = (JSON.stringify(thrown) ?? "").toWellFormed();
  return text.length <= UNITS ? text : `${text.slice(0, UNITS - 1).toWellFormed()}…`;
}

const kept = (thrown: unknown): string => storedError(thrown).message;
const unread = { name: "Error", message: "The thrown value could not be read." };

class Coordinates {
  readonly x = 1;
  readonly #secret = 2;
  get sum(): number {
    return this.x + this.#secret;
  }
}

const small: Readonly<Record<string, () => object>> = {
  "an empty object": () => ({}),
  "an empty list": () => [],
  "an answer of some service": () => ({ status: 429, error: { code: "busy", retry: [1, 2.5, -0] } }),
  "what JSON has no word for": () => ({ a: undefined, b: () => 1, c: Symbol("c"), d: Number.NaN, e: -Infinity }),
  "a list of what JSON has no word for": () => [undefined, () => 1, Symbol("c"), Number.NaN, null],
  "a list with holes": () => [, 1, , 2], // eslint-disable-line no-sparse-arrays
  "a date": () => new Date(0),
  "a date within": () => ({ at: new Date(0), never: null }),
  "a date that is none": () => new Date(Number.NaN),
  "a map and a set": () => ({ map: new Map([[1, 2]]), set: new Set([1]) }),
  "a class": () => new Coordinates(),
  "values in objects of their own": () => [Object(1), Object("text"), Object(true)] as object,
  "a text in an object of its own": () => Object("text") as object,
  "numbers of a typed list": () => new Uint8Array([1, 2, 3]),
  "big numbers of a typed list": () => new Float64Array([0.5, Number.NaN]),
  "a buffer": () => new Uint8Array(4).buffer,
  "a view": () => new DataView(new ArrayBuffer(4)),
  "keys that look like numbers": () => ({ b: 1, 2: 2, a: 3, 1: 4, [Symbol("s")]: 5 }),
  "an object without a prototype": () => Object.assign(Object.create(null) as object, { a: 1 }),
  "what is inherited": () => Object.create({ inherited: 1 }) as object,
  "a toJSON that is told its key": () => ({ a: { toJSON: (key: string) => `of ${key}` }, b: [{ toJSON: (key: string) => key }] }),
  "a toJSON that answers nothing": () => ({ toJSON: () => undefined }),
  "a toJSON within that answers nothing": () => ({ a: { toJSON: () => undefined }, b: [{ toJSON: () => undefined }] }),
  "a toJSON that answers another object with one": () => ({ toJSON: () => ({ a: 1, toJSON: () => 2 }) }),
  "a toJSON that is no function": () => ({ toJSON: 5 }),
  "one object in two places": () => {
    const shared = { a: 1 };
    return { one: shared, two: shared, list: [shared, shared] };
  },
  "texts that are escaped": () => ({ "quoted \" key \n": "\u0000\u001f\\\u2028 \ud83e \u{1f9e8} 字" }),
  "texts of exactly the most that is kept": () => ["x".repeat(UNITS - 4)],
  "texts of one more than is kept": () => ["x".repeat(UNITS - 3)],
  "a character on the edge": () => [`${"x".repeat(UNITS - 4)}🧨`],
}; // prettier-ignore

/** What could not be read before cannot be read now. */
const refusing: Readonly<Record<string, () => object>> = {
  "a cycle": () => {
    const round: Record<string, unknown> = {};
    round["round"] = round;
    return round;
  },
  "a cycle through a list": () => {
    const round: unknown[] = [1];
    round.push({ round });
    return round;
  },
  "a BigInt": () => ({ n: 1n }),
  "a BigInt in an object of its own": () => [Object(1n)] as object,
  "a list of BigInts": () => new BigInt64Array(1),
  "a getter that throws": () =>
    Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    }),
  "a toJSON that throws": () => ({
    toJSON: () => {
      throw new Error("no");
    },
  }),
  "a proxy that was revoked": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};

describe("what is kept of a thrown object", () => {
  it.each(Object.entries(small))("is its JSON, to the letter: %s", (_, make) => {
    expect(kept(make())).toBe(whole(make()));
  });

  it.each(Object.entries(refusing))("is that it could not be read: %s", (_, make) => {
    expect(() => JSON.stringify(make())).toThrow();
    expect(storedError(make())).toEqual(unread);
  });

  it("is what a toJSON of BigInts makes of one, where a program has that", () => {
    const prototype = BigInt.prototype as { toJSON?: (this: bigint) => string };
    prototype.toJSON = function toJSON(this: bigint) {
      return this.toString();
    };
    try {
      const thrown = { n: 1n, list: [2n, Object(3n)] as unknown[] };
      expect(kept(thrown)).toBe('{"n":"1","list":["2","3"]}');
      expect(kept(thrown)).toBe(whole(thrown));
    } finally {
      delete prototype.toJSON;
    }
  });

  it("is the beginning of its JSON, to the letter, whatever JSON it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.object({ maxDepth: 5 }), fc.array(fc.jsonValue())), (thrown) => {
        let text: string;
        try {
          text = whole(thrown);
        } catch {
          // A BigInt, or what looks like one: its end may be too far away to be met.
          return;
        }
        expect(kept(thrown)).toBe(text);
      }),
    );
  });

  it("is the beginning of the JSON of texts in any characters", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary", maxLength: 2_000 })), (thrown) => {
        expect(kept(thrown)).toBe(whole(thrown));
      }),
    );
  }); // prettier-ignore
});

describe("of a thrown object that is too large no JSON is made, and its class is kept:", () => {
  const isKept = (thrown: object, className: string): void =>
    expect(storedError(thrown)).toEqual({
      name: "Thrown",
      message: `${className}, whose JSON is too large to be made.`,
    });

  it("a list of a million, of which the beginning alone is looked at", () => {
    let asked = 0;
    const list = new Proxy(
      Array.from({ length: 1_000_000 }, (_, n) => n),
      {
        get: (of, key) => {
          asked += 1;
          return Reflect.get(of, key) as unknown;
        },
      },
    );
    isKept(list, "Array");
    expect(asked).toBeLessThan(70_000);
  });

  it("an object of 100,000 fields", () => {
    isKept(Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`field${n}`, n])), "Object");
  });

  it("wide lists in wide lists", () => {
    const wide = (level: number): unknown[] =>
      new Proxy([] as unknown[], {
        get: (target, key) => {
          if (key === "length") return 1_000_000;
          if (key === "constructor") return target.constructor;
          return key === "0" && level < 100 ? wide(level + 1) : undefined;
        },
      });
    isKept(wide(0), "Array");
  });

  it("a list whose JSON is longer than any text can be", () => isKept(Array<number>(4_294_967_295), "Array"));

  it("lists in lists in lists", () => {
    let deep: unknown = 1;
    for (let n = 0; n < 100_000; n += 1) deep = [deep];
    isKept(deep as object, "Array");
  });

  it("a typed list of 100 million", () => {
    isKept(new Uint8Array(100_000_000), "Uint8Array");
    isKept({ deep: [new Uint8Array(100_000_000)] }, "Object");
  });

  it("a text of 100 million, as a value, as a key and as what a toJSON answers", () => {
    const long = "x".repeat(100_000_000);
    isKept({ long }, "Object");
    isKept({ [long]: 1 }, "Object");
    isKept(new Answer(long), "Answer");
  });

  it("but not of one that is larger than what is kept, and not than that", () => {
    const thrown = { long: "x".repeat(60_000) };
    expect(kept(thrown)).toBe(whole(thrown));
  });
});

class Answer {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toJSON(): string {
    return this.#text;
  }
}
