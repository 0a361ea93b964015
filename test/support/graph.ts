// Graphs for tests of what a payload keeps: values of every kind in which anything may refer to
// anything, itself included, and a comparison that sees sharing and order, which `toEqual` does not.

import fc from "fast-check";

const leaf: fc.Arbitrary<unknown> = fc.oneof(
  fc.string(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, 7n),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 5 }),
  fc.constant(/a/u),
);
const key = fc.oneof(
  fc.constantFrom("a", "b", "0", "10", "", ".", "\\", "a.b", "\\.", "é"),
  fc.string({ maxLength: 4 }).filter((text) => !["__proto__", "constructor", "prototype"].includes(text)),
);

/** A value of up to ten objects, arrays, Maps, Sets and errors that refer to each other at will. */
export const graph: fc.Arbitrary<unknown> = fc
  .array(
    fc.record({
      kind: fc.constantFrom("object", "array", "map", "set", "error"),
      parts: fc.array(fc.record({ key, leaf, to: fc.nat(9), toKey: fc.nat(9), isLeaf: fc.boolean() }), {
        maxLength: 4,
      }),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((specs) => {
    const nodes = specs.map(({ kind }): unknown => {
      switch (kind) {
        case "object":
          return {};
        case "array":
          return [];
        case "map":
          return new Map();
        case "set":
          return new Set();
        case "error":
          return Object.assign(new Error("e"), { stack: "e" });
      }
    });
    for (const [index, { parts }] of specs.entries()) {
      const node = nodes[index];
      for (const part of parts) {
        const value = part.isLeaf ? part.leaf : nodes[part.to % nodes.length];
        if (Array.isArray(node)) node.push(value);
        else if (node instanceof Map)
          node.set(part.isLeaf ? part.key : nodes[part.toKey % nodes.length], value);
        else if (node instanceof Set) node.add(value);
        else if (node instanceof Error) node.cause = value;
        else (node as Record<string, unknown>)[part.key] = value;
      }
    }
    return nodes[0];
  });

/** Where two graphs differ in value, order or sharing; undefined when they do not. */
export function difference(
  a: unknown,
  b: unknown,
  met: Map<unknown, unknown> = new Map(),
  path = "root",
): string | undefined {
  if (typeof a !== "object" || a === null) return Object.is(a, b) ? undefined : path;
  if (met.has(a)) return met.get(a) === b ? undefined : `${path} (shared)`;
  if (typeof b !== "object" || b === null || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))
    return path;
  met.set(a, b);
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime()) ? undefined : path;
  if (a instanceof RegExp) return a.toString() === (b as RegExp).toString() ? undefined : path;
  const [left, right] = [a, b].map((value): unknown[] => {
    if (value instanceof Map) return [...value].flat(1);
    if (value instanceof Set) return [...value];
    if (value instanceof Error) return [value.name, value.message, value.stack, value.cause];
    return Object.entries(value).flat(1);
  }) as [unknown[], unknown[]];
  if (left.length !== right.length) return `${path} (size)`;
  for (const [index, part] of left.entries()) {
    const found = difference(part, right[index], met, `${path}.${index}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
