// Transactions, above all those that wait and are rolled back: nothing of them may be seen, and what they had
// cancelled or moved is as it was.

import { CLERKS } from "../actors.ts";
import type { Act, Parcel, Scene, Transaction } from "../parcel.ts";
import { other, simple } from "./parcels.ts";
import type { Random } from "./random.ts";
import { doing, sending } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

/** How long they wait: in a handler, so that it ends before its timeout. */
const WAIT_MS = { request: 900, handler: 250 };

export function transactions(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 2, (at, index) => {
    const actor = random.int(0, CLERKS - 1);
    const n = `t${index}`;
    return random.weighted<() => readonly Step[]>([
      [1, () => [order(at, actor, ...inTransaction(random, n, actor, WAIT_MS.request))]],
      [3, () => besideHandler(random, at, n, actor)],
      [3, () => [inHandler(random, at, n, actor)]],
      [2, () => cancelledInVain(random, at, n, actor)],
    ])();
  });
}

/** A request's transaction, while the mailbox waits for a handler and sends on what others have sent. */
function besideHandler(random: Random, at: number, n: string, actor: number): Step[] {
  const sends = [simple(`${n}.m.0`, other(random, actor))];
  const parcel = simple(`${n}.m`, actor, { kind: "chore", ms: random.int(200, 700), sends });
  return [
    { at, do: "send", parcels: [parcel] },
    order(at + random.int(20, 400), actor, ...inTransaction(random, n, actor, WAIT_MS.request)),
  ];
}

function inHandler(random: Random, at: number, n: string, actor: number): Step {
  const scenes = inTransaction(random, n, actor, WAIT_MS.handler);
  const kind = random.pick(["chore", "favor"] as const);
  return { at, do: "send", parcels: [simple(n, actor, { kind, ms: random.int(0, 50), scenes })] };
}

/** A message that is cancelled while it runs, by a request that then changes its mind. */
function cancelledInVain(random: Random, at: number, n: string, actor: number): Step[] {
  const kind = random.pick(["chore", "favor"] as const);
  const parcel = simple(n, actor, { kind, ms: random.int(300, 700), maxAttempts: random.int(1, 2) });
  const acts: Act[] = [{ do: "cancel own", n }];
  return [
    { at, do: "send", parcels: [parcel] },
    order(at + random.int(100, 400), actor, { within: "transactionSync", isTakenBack: true, acts }),
  ];
}

/** Messages before it, and a transaction in which more are sent and those before it are cancelled and moved. */
export function inTransaction(
  random: Random,
  n: string,
  self: number,
  waitMs: number,
  kinds: readonly Transaction[] = ["transaction", "transaction", "transactionSync"],
): Scene[] {
  const within = random.pick(kinds);
  const waits: Act[] =
    within === "transaction" || within === "captured transaction"
      ? [{ do: "wait", ms: random.int(waitMs / 10, waitMs) }]
      : [];
  const inside = (part: number): Parcel =>
    simple(`${n}.i${part}`, random.chance(0.5) ? self : other(random, self), maybeLater(random));
  const sends = (...parts: readonly number[]): readonly Act[] => sending(parts.map(inside)).acts;
  if (random.chance(0.3)) return [{ within, isTakenBack: false, acts: [...sends(0), ...waits, ...sends(1)] }];
  const before = [0, 1].map((part) => simple(`${n}.b${part}`, self, { delay: random.int(1_500, 3_000) }));
  const others = simple(`${n}.b2`, other(random, self), maybeLater(random));
  const later = simple(`${n}.i2`, self, { delay: random.int(1_500, 3_000) });
  const acts: Act[] = [
    ...sends(0),
    ...sending([later]).acts,
    ...waits,
    { do: "reschedule own", n: later.n, delay: random.int(0, 500) },
    { do: "cancel own", n: `${n}.b0` },
    { do: "reschedule own", n: `${n}.b1`, delay: random.int(0, 100) },
    ...sends(1),
    ...waits,
  ];
  // So that the mailbox is at work for what was sent before when the transaction begins.
  const pause: Act = { do: "wait", ms: random.int(1, 150) };
  const outside = doing(...sending([...before, others]).acts, pause);
  return [outside, { within, isTakenBack: true, acts }];
}

function maybeLater(random: Random): Partial<Parcel> {
  return random.chance(0.4) ? { delay: random.int(100, 1_500) } : {};
}
