import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidDurationError, InvalidPolicyError } from "../../mailbox/errors.ts";
import {
  backoffMs,
  DEFAULT_POLICY,
  parsePolicy,
  type Policy,
  resolvePolicy,
  type StoredPolicy,
} from "../../mailbox/message/policy.ts";

describe("a policy", () => {
  const stored: readonly [policy: Policy, stored: StoredPolicy | undefined][] = [
    [{}, undefined],
    [{ maxAttempts: 1 }, { maxAttempts: 1 }],
    [{ maxAttempts: 1_000_000 }, { maxAttempts: 1_000_000 }],
    [{ maxAttempts: Number.POSITIVE_INFINITY }, { maxAttempts: "Infinity" }],
    [{ timeout: "20 seconds" }, { timeoutMs: 20_000 }],
    [{ timeout: 600_000 }, { timeoutMs: 600_000 }],
    [{ backoff: "5 minutes" }, { backoff: [300_000] }],
    [{ backoff: 0 }, { backoff: [0] }],
    [{ backoff: ["1 day", "3 days", 7.5] }, { backoff: [86_400_000, 259_200_000, 8] }],
    [{ backoff: {} }, { backoff: DEFAULT_POLICY.backoff }],
    [{ backoff: { factor: 3 } }, { backoff: { initialMs: 1000, factor: 3, maxMs: 3_600_000, jitter: 0.2 } }],
    [
      { backoff: { initial: "2 h" } },
      { backoff: { initialMs: 7_200_000, factor: 2, maxMs: 7_200_000, jitter: 0.2 } },
    ],
    [{ backoff: { max: 10 } }, { backoff: { initialMs: 10, factor: 2, maxMs: 10, jitter: 0.2 } }],
    [
      { backoff: { initial: 5, factor: 1, max: 5, jitter: 1 } },
      { backoff: { initialMs: 5, factor: 1, maxMs: 5, jitter: 1 } },
    ],
  ];
  it.each(stored)("is stored whole, and JSON carries it: %j", (policy, expected) => {
    const parsed = parsePolicy(policy, "policy");
    expect(parsed).toEqual(expected);
    if (parsed !== undefined) expect(JSON.parse(JSON.stringify(parsed))).toEqual(parsed);
  });

  it("does not store what it does not know, and takes undefined for not set", () => {
    const policy = { maxAttempts: undefined, timeout: 1, key: "k", handle: () => 1 } as unknown as Policy;
    expect(parsePolicy(policy, "policy")).toEqual({ timeoutMs: 1 });
  });

  const refused: readonly [policy: unknown, message: string][] = [
    [
      { maxAttempts: 0 },
      "policy.maxAttempts: expected a whole number from 1 to 1,000,000, or Infinity; got 0",
    ],
    [{ maxAttempts: 1.5 }, "got 1.5"],
    [{ maxAttempts: 1_000_001 }, "got 1000001"],
    [{ maxAttempts: Number.NaN }, "got NaN"],
    [{ maxAttempts: "5" }, 'got "5"'],
    [{ maxAttempts: null }, "got null"],
    [{ timeout: 0 }, "policy.timeout: expected more than 0 and at most 10 minutes; got 0 ms"],
    [{ timeout: "11 minutes" }, "got 660000 ms"],
    [
      { backoff: null },
      "policy.backoff: expected a duration, a list of durations, or { initial, factor, max, jitter }; got null",
    ],
    [{ backoff: [] }, "policy.backoff: expected a list of 1 to 100 durations; got 0"],
    [{ backoff: Array.from({ length: 101 }, () => 1) }, "got 101"],
    [{ backoff: true }, "got true"],
    [{ backoff: { factor: 0.5 } }, "policy.backoff.factor: expected a finite number of 1 or more; got 0.5"],
    [{ backoff: { factor: Number.POSITIVE_INFINITY } }, "got Infinity"],
    [{ backoff: { jitter: 1.1 } }, "policy.backoff.jitter: expected a number from 0 to 1; got 1.1"],
    [{ backoff: { jitter: Number.NaN } }, "got NaN"],
    [
      { backoff: { initial: 10, max: 5 } },
      "policy.backoff.max: expected at least `initial`, 10 ms; got 5 ms",
    ],
  ];
  it.each(refused)("is refused out of its range: %j", (policy, message) => {
    expect(() => parsePolicy(policy as Policy, "policy")).toThrow(InvalidPolicyError);
    expect(() => parsePolicy(policy as Policy, "policy")).toThrow(message);
  });

  it("is refused where a duration is none, naming the field", () => {
    expect(() => parsePolicy({ backoff: ["1 day", "1 month"] }, "policy")).toThrow(InvalidDurationError);
    expect(() => parsePolicy({ backoff: ["1 day", "1 month"] }, "policy")).toThrow("policy.backoff[1]: ");
    // A hole is no duration either.
    expect(() => parsePolicy({ backoff: Array<string>(2) }, "policy")).toThrow(
      "policy.backoff[0]: undefined",
    );
    expect(() => parsePolicy({ backoff: { initial: "1 month" } }, "policy")).toThrow(InvalidDurationError);
    expect(() => parsePolicy({ backoff: { initial: "1 month" } }, "policy")).toThrow(
      "policy.backoff.initial: ",
    );
    expect(() => parsePolicy({ timeout: -1 }, "send")).toThrow("send.timeout: ");
  });

  it("is laid over wider ones field by field, with the defaults below all", () => {
    expect(resolvePolicy()).toEqual(DEFAULT_POLICY);
    expect(resolvePolicy(undefined, {})).toEqual(DEFAULT_POLICY);
    const constant = { initialMs: 1, factor: 1, maxMs: 1, jitter: 0 };
    expect(
      resolvePolicy(
        { maxAttempts: 2, timeoutMs: 1 },
        undefined,
        { maxAttempts: "Infinity" },
        { backoff: constant },
      ),
    ).toEqual({ maxAttempts: Number.POSITIVE_INFINITY, timeoutMs: 1, backoff: constant });
  });
});

describe("the backoff", () => {
  const policy = (backoff: Policy["backoff"]) =>
    resolvePolicy(parsePolicy(backoff === undefined ? {} : { backoff }, "policy"));

  it("doubles from 1 s up to 1 h by default, spread by a fifth", () => {
    const bases = [
      1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 1_024_000, 2_048_000,
    ];
    for (const [index, base] of [...bases, 3_600_000, 3_600_000].entries()) {
      const wait = backoffMs(DEFAULT_POLICY, "some-id", index + 1);
      expect(wait).toBeGreaterThanOrEqual(base * 0.8);
      expect(wait).toBeLessThanOrEqual(base * 1.2);
    }
  });

  it("is constant and exact for a duration", () => {
    for (const attempt of [1, 2, 50, 1_000_000])
      expect(backoffMs(policy("7 seconds"), "id", attempt)).toBe(7000);
  });

  it("is each of a list in turn, exactly, and the last for ever", () => {
    const days = policy(["1 day", "3 days", "7 days"]);
    const waits = [1, 2, 3, 4, 50, 1_000_000].map((attempt) => backoffMs(days, "id", attempt) / 86_400_000);
    expect(waits).toEqual([1, 3, 7, 7, 7, 7]);
  });

  it("waits at least 1 ms", () => {
    for (const attempt of [1, 2, 1_000_000]) expect(backoffMs(policy(0), "id", attempt)).toBe(1);
    expect(backoffMs(policy({ initial: 0 }), "id", 1_000_000)).toBe(1);
    expect(backoffMs(policy({ initial: 1, jitter: 1 }), "id", 1)).toBeGreaterThanOrEqual(1);
  });

  it("is a whole number within its bounds, and the same each time", () => {
    const backoff = fc.record({
      initial: fc.integer({ min: 1, max: 1e7 }),
      factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
      max: fc.integer({ min: 1e7 + 1, max: 1e9 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(backoff, fc.string(), fc.integer({ min: 1, max: 1_000_000 }), (values, id, attempt) => {
        const resolved = policy(values);
        const { initial, factor, max, jitter } = values;
        const base = Math.min(max, initial * factor ** (attempt - 1));
        const wait = backoffMs(resolved, id, attempt);
        expect(Number.isInteger(wait) && wait >= 1).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(base * (1 - jitter)));
        expect(wait).toBeLessThanOrEqual(Math.max(1, Math.ceil(base * (1 + jitter))));
        expect(backoffMs(resolved, id, attempt)).toBe(wait);
      }),
    );
  });

  it("spreads ids that differ by little evenly over its range", () => {
    const constant = policy({ initial: 1000, factor: 1, jitter: 1 });
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < 10_000; index += 1) {
      const tenth = Math.min(9, Math.floor(backoffMs(constant, `lz3k9a0b1x${index}`, 1 + (index % 3)) / 200));
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
