// What is sent, the same for all contestants.

/** `small`: 50 bytes. `medium`: a real webhook of 5 KB. `nested`: 5 KB in 191 objects. `rich`: what JSON has not. */
export type PayloadKind = "small" | "medium" | "nested" | "rich" | "4KB";

/** One payload. The object is the same each time, so that making it is not measured. */
export function payloadOf(kind: PayloadKind, webhook: unknown): unknown {
  switch (kind) {
    case "small":
      return { user: "u-10042", sku: "teapot-7", qty: 3, n: 42 };
    case "medium":
      return webhook;
    case "nested":
      return { items: Array.from({ length: 189 }, (_, index) => ({ sku: `sku-${1000 + index}`, n: index })) };
    case "rich":
      return {
        at: new Date(1_790_000_000_000),
        tags: new Set(["new", "paid", "gift"]),
        scores: new Map([
          ["a", 1],
          ["b", 2],
          ["c", 3],
        ]),
        total: 12_345_678_901_234_567_890n,
        note: "for Ada",
      };
    case "4KB":
      return { text: "x".repeat(4_080) };
  }
}

/** Due times before `last`: `asc`ending by a millisecond, or at `random` within twelve days. */
export function dueTimes(order: "asc" | "random", n: number, last: number): number[] {
  let state = 42;
  return Array.from({ length: n }, (_, index) => {
    if (order === "asc") return last - n + index;
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return last - (state % 1_000_000_000);
  });
}
