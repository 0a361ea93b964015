// Cancels of what has not left yet: in the handler or the request that has sent it, and while it is on its way.
// Once one is answered true, the message never comes, nor does a recurrence that was declared twice.

import { CLERKS, NARROW, NARROW_INTERVAL_MS } from "../actors.ts";
import type { Act, Parcel, Rhythm } from "../parcel.ts";
import { other, simple } from "./parcels.ts";
import type { Random } from "./random.ts";
import { doing } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

export function cancels(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 2, (at, index) => {
    const actor = random.int(0, CLERKS - 1);
    const n = `c${index}`;
    const acts = random.weighted<() => readonly Act[]>([
      [3, () => sentAndCancelled(random, simple(`${n}.0`, other(random, actor), maybeLater(random)), actor)],
      [2, () => sentAndCancelled(random, simple(`${n}.0`, actor, maybeLater(random)), actor)],
      [3, () => declaredAndEnded(random, `twice-${index}`, random.pick([other(random, actor), ...NARROW]))],
    ])();
    if (random.chance(0.5)) return [order(at, actor, doing(...acts))];
    const kind = random.pick(["chore", "favor"] as const);
    return [{ at, do: "send", parcels: [simple(n, actor, { kind, scenes: [doing(...acts)] })] }];
  });
}

function sentAndCancelled(random: Random, parcel: Parcel, self: number): Act[] {
  const { n, to } = parcel;
  return [
    { do: "send", parcel },
    ...maybeWait(random),
    to === self ? { do: "cancel own", n } : { do: "cancel there", n, to },
  ];
}

/** Declared once or twice, and ended by the same actor. */
function declaredAndEnded(random: Random, key: string, to: number): Act[] {
  const rhythm: Rhythm = {
    key,
    to,
    everyMs: NARROW.includes(to) ? NARROW_INTERVAL_MS : random.int(2, 5) * 100,
    times: 5,
    missed: "latest",
    throwEvery: 0,
    rejectEvery: 0,
    tells: to,
  };
  const declare: Act = { do: "declare", rhythm };
  const again = random.chance(0.7) ? [...maybeWait(random), declare] : [];
  // Where the answer to what went before is lost, as it often is there, what follows waits in the outbox.
  const before: Act[] = NARROW.includes(to)
    ? [
        { do: "send", parcel: simple(`${key}.0`, to) },
        { do: "wait", ms: random.int(30, 150) },
      ]
    : [];
  return [...before, declare, ...again, ...maybeWait(random), { do: "end there", rhythm }];
}

function maybeWait(random: Random): Act[] {
  return random.chance(0.4) ? [{ do: "wait", ms: random.int(1, 250) }] : [];
}

function maybeLater(random: Random): Partial<Parcel> {
  return random.chance(0.5) ? { delay: random.int(100, 1_000) } : {};
}
