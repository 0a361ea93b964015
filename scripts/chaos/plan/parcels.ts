// Makes parcels: trees of messages, each with its fate, from a seeded generator.

import { CLERKS, MAX_ATTEMPTS } from "../actors.ts";
import {
  type Fate,
  FOREVER,
  isSync,
  type Kind,
  type Parcel,
  type Payload,
  type Rhythm,
  sendsOf,
} from "../parcel.ts";
import type { Random } from "./random.ts";
import { doing } from "./scenes.ts";

const DEPTH = 3;
/** One for all messages of a type, so that it is often held. */
export const SHARED_KEY = "only";

type Fates = readonly (readonly [weight: number, make: (random: Random) => Fate])[];

/** What befalls any message. */
const anyFates: Fates = [
  [830, () => ({ kind: "complete" })],
  [50, (random) => ({ kind: "throw", times: random.int(1, 2) })],
  [10, (random) => ({ kind: "throw", times: random.int(1, 2), retryAfter: random.int(300, 900) })],
  [20, () => ({ kind: "throw", times: FOREVER })],
  [30, () => ({ kind: "reject" })],
  [6, (random) => ({ kind: "abort", times: random.int(1, 2) })],
];

const syncFates: Fates = [
  ...anyFates,
  [40, (random) => ({ kind: "defer", times: random.int(1, 3), ms: random.int(0, 400) })],
  [8, () => ({ kind: "abort", times: FOREVER })],
];

const asyncFates: Fates = [
  ...anyFates,
  [16, () => ({ kind: "hang", times: 1 })],
  [4, () => ({ kind: "hang", times: FOREVER })],
  [6, () => ({ kind: "abort", times: FOREVER })],
];

/** Rhythms that a handler may declare again, because they are the same whenever they are declared. */
export type Steady = readonly Rhythm[];

/**
 * Makes the parcel of a number, with all that follows from it.
 *
 * @param from the actor that sends it; nobody, when it is sent from outside
 */
export function makeParcel(
  random: Random,
  n: string,
  to: number,
  steady: Steady,
  from?: number,
  depth = 0,
): Parcel {
  // A version of the code that does not know a type refuses it from outside, and from its own handlers.
  const canBeFresh = from !== undefined && from !== to;
  const kind: Kind = random.weighted([
    [60, "note"],
    [canBeFresh ? 8 : 0, "fresh"],
    [20, "chore"],
    [15, "favor"],
  ]);
  const fate = random.weighted(isSync(kind) ? syncFates : asyncFates)(random);
  return {
    n,
    to,
    kind,
    fate,
    ...timing(random),
    ...(random.chance(0.1) ? { maxAttempts: random.int(1, MAX_ATTEMPTS + 1) } : {}),
    ...(isSync(kind)
      ? {}
      : {
          ms: random.weighted([
            [1, 0],
            [2, random.int(1, 20)],
            [1, random.int(20, 150)],
          ]),
        }),
    ...what(random, n, to, isSync(kind), steady, from, depth),
  };
}

function timing(random: Random): Partial<Parcel> {
  if (random.chance(0.08)) {
    const ifPending = random.pick(["keep", "replace"] as const);
    return { key: SHARED_KEY, ifPending, delay: random.int(500, 4_000) };
  }
  if (random.chance(0.03)) return { delay: random.int(100, 600), expires: random.int(0, 60) };
  return random.weighted([
    [60, {}],
    [25, { delay: random.int(0, 1_500) }],
    [12, { delay: random.int(1_500, 5_000) }],
    [3, { delay: -random.int(1, 5_000) }],
  ]);
}

/** What a handler does beside its own books. */
function what(
  random: Random,
  n: string,
  self: number,
  canWrite: boolean,
  steady: Steady,
  from: number | undefined,
  depth: number,
): Pick<Parcel, "sends" | "scenes"> {
  if (depth >= DEPTH) return { sends: [] };
  // Only a sync handler writes down in its own commit what it has sent, and declares what is there for sure.
  if (canWrite) {
    if (random.chance(0.06)) return { sends: lines(random, n, other(random, self), random.int(2, 5)) };
    if (random.chance(0.06)) return { sends: cancelling(random, n, self) };
  }
  const count = random.weighted([
    [50, 0],
    [30, 1],
    [14, 2],
    [6, 4],
  ]);
  const sends = Array.from({ length: count }, (_, index): Parcel => {
    const number = `${n}.${index}`;
    // A message to oneself does not go through the outbox, and has no sender to reply to.
    if (from !== undefined && from !== self && random.chance(0.15)) {
      const { delay: _delay, ...reply } = makeParcel(random, number, from, steady, self, depth + 1);
      return { ...reply, isReply: true };
    }
    const to = random.chance(0.25) ? self : random.int(0, CLERKS - 1);
    return makeParcel(random, number, to, steady, self, depth + 1);
  });
  return canWrite && steady.length > 0 && random.chance(0.04)
    ? { sends, scenes: [doing({ do: "declare", rhythm: random.pick(steady) })] }
    : { sends };
}

/** Messages in a row to one target, which never fail: their order is looked at. */
export function lines(random: Random, n: string, to: number, count: number): Parcel[] {
  return Array.from({ length: count }, (_, index) => ({
    n: `${n}.${index}`,
    to,
    kind: "line",
    fate: { kind: "complete" },
    // A line can send on, so that the target is busy while more arrive.
    sends: random.chance(0.2)
      ? [{ n: `${n}.${index}.0`, to: other(random, to), kind: "note", fate: { kind: "complete" }, sends: [] }]
      : [],
  }));
}

/** A message, and another to oneself that cancels it: before its time, about then, or too late. */
function cancelling(random: Random, n: string, self: number): Parcel[] {
  const delay = random.int(300, 2_000);
  const isOwn = random.chance(0.6);
  const victim: Parcel = {
    n: `${n}.0`,
    to: isOwn ? self : other(random, self),
    kind: "note",
    delay,
    fate: random.weighted<Fate>([
      [2, { kind: "complete" }],
      [1, { kind: "throw", times: FOREVER }],
    ]),
    sends: [],
  };
  return [
    victim,
    {
      n: `${n}.1`,
      to: self,
      // Another actor can be asked only by a handler that waits for the answer.
      kind: isOwn ? "note" : random.pick(["chore", "favor"] as const),
      delay: Math.max(0, delay + random.int(-2_000, 500)),
      fate: random.weighted<Fate>([
        [3, { kind: "complete" }],
        // The cancel of a sync handler is rolled back with the rest of the attempt.
        [1, { kind: "throw", times: 1 }],
      ]),
      sends: [],
      scenes: [
        doing(isOwn ? { do: "cancel own", n: victim.n } : { do: "cancel there", n: victim.n, to: victim.to }),
      ],
    },
  ];
}

/** A message that nothing befalls, unless it is said. */
export function simple(n: string, to: number, more: Partial<Parcel> = {}): Parcel {
  return { n, to, kind: "note", fate: { kind: "complete" }, sends: [], ...more };
}

export function other(random: Random, self: number): number {
  return self < CLERKS ? (self + random.int(1, CLERKS - 1)) % CLERKS : random.int(0, CLERKS - 1);
}

/** A parcel and all that follows from it. */
export function* withDescendants(parcel: Parcel): Generator<Parcel> {
  yield parcel;
  for (const child of childrenOf(parcel)) yield* withDescendants(child);
}

/** What a handler sends, in its scenes too. */
export function childrenOf({ sends, scenes = [] }: Parcel): Parcel[] {
  return [...sends, ...scenes.flatMap((scene) => sendsOf(scene))];
}

/** The payload of the same parcel, repaired: nothing befalls it any more, and it is small. */
export function repaired({ bulk: _bulk, ...parcel }: Parcel): Payload {
  return { parcel: { ...parcel, fate: { kind: "complete" } }, notBefore: 0 };
}
