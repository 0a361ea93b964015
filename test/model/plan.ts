// What a random test of the mailbox can ask for: messages, what their handlers do at each entry, and
// what those handlers send and cancel on the way. Everything is data, so that a counter-example prints.

import fc from "fast-check";

/** The three kinds of handler: sync, an async function, a plain function that answers a promise. */
export type Kind = "sync" | "async" | "lazy";

/** How one entry of a handler ends. `hang` never settles; in a sync handler it throws. */
export type Step =
  | { readonly do: "ok" | "fail" | "reject" | "hang" }
  | { readonly do: "retryAfter" | "defer"; readonly ms: number }
  /** The object dies: at once, or after all that was written is on disk. */
  | { readonly do: "crash"; readonly synced: boolean };

/** What a handler does before its entry ends. `pick` chooses among all messages sent so far. */
export type Act =
  | { readonly act: "send"; readonly spec: Spec }
  | { readonly act: "cancel"; readonly pick: number }
  | { readonly act: "reschedule"; readonly pick: number; readonly by: number }
  | { readonly act: "pause" };

export type When =
  | { readonly at: "now" }
  | { readonly at: "later"; readonly by: number }
  | { readonly at: "in"; readonly by: number };

/** A message, and all that becomes of it. */
export interface Spec {
  readonly kind: Kind;
  readonly when: When;
  readonly key?: string;
  readonly ifPending?: "keep" | "replace";
  readonly maxAttempts: number;
  /** Constant, so that the model needs no jitter. */
  readonly backoff: number;
  /** Counted from the due time. */
  readonly expires?: number;
  /** One for each entry; then it completes. */
  readonly steps: readonly Step[];
  /** At every entry that does not crash. */
  readonly acts: readonly Act[];
}

/** A recurrence of fixed times: known by its key, and with a rule that differs between keys only. */
export interface EverySpec {
  readonly kind: "sync" | "async";
  readonly key: string;
  readonly every: number;
  /** From the moment of the declaration. */
  readonly startIn?: number;
  readonly times?: number;
  readonly missed: "latest" | "skip" | "all";
  readonly maxAttempts: number;
  readonly backoff: number;
  readonly steps: readonly Step[];
}

export const pick: fc.Arbitrary<number> = fc.nat(1_000);
const ms = fc.integer({ min: 1, max: 4_000 });
const kind = fc.constantFrom<Kind>("sync", "async", "lazy");

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: "ok" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "fail" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "reject" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "hang" }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("retryAfter", "defer"), ms }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("crash"), synced: fc.boolean() }) },
);
const steps = fc.array(step, { maxLength: 4 });

const when: fc.Arbitrary<When> = fc.oneof(
  fc.constant<When>({ at: "now" }),
  fc.record({ at: fc.constant("later"), by: fc.integer({ min: -3_000, max: 3_000 }) }),
  fc.record({ at: fc.constant("in"), by: fc.integer({ min: 0, max: 3_000 }) }),
);

const optional = { key: fc.constantFrom("a", "b"), ifPending: fc.constantFrom("keep", "replace") } as const;

function specOf(acts: fc.Arbitrary<readonly Act[]>): fc.Arbitrary<Spec> {
  return fc.record(
    {
      kind,
      when,
      ...optional,
      maxAttempts: fc.integer({ min: 1, max: 3 }),
      backoff: ms,
      expires: fc.integer({ min: 0, max: 4_000 }),
      steps,
      acts,
    },
    { requiredKeys: ["kind", "when", "maxAttempts", "backoff", "steps", "acts"] },
  );
}

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant("send"), spec: specOf(fc.constant([])) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("cancel"), pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("reschedule"),
      pick,
      by: fc.integer({ min: -2_000, max: 3_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Act>({ act: "pause" }) },
);

export const spec: fc.Arbitrary<Spec> = specOf(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(act, { maxLength: 3 }) },
  ),
);

export const everySpec: fc.Arbitrary<EverySpec> = fc.record(
  {
    kind: fc.constantFrom<"sync" | "async">("sync", "async"),
    key: fc.constantFrom("x", "y", "z"),
    every: fc.constantFrom(100, 700, 3_000),
    startIn: fc.integer({ min: -2_000, max: 2_000 }),
    times: fc.integer({ min: 1, max: 4 }),
    missed: fc.constantFrom("latest", "skip", "all"),
    maxAttempts: fc.integer({ min: 1, max: 2 }),
    backoff: ms,
    steps,
  },
  { requiredKeys: ["kind", "key", "every", "missed", "maxAttempts", "backoff", "steps"] },
);
