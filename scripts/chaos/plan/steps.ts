// What the harness does from outside, one step after the other.

import type { Order, Parcel, Rhythm, Scene } from "../parcel.ts";
import type { Random } from "./random.ts";

/** One thing that the harness does, at `at` milliseconds of the run. */
export type Step = { readonly at: number } & (
  | { readonly do: "send"; readonly parcels: readonly Parcel[] }
  | ({ readonly do: "order" } & Order)
  | { readonly do: "cancel"; readonly n: string }
  | { readonly do: "cancel by key"; readonly actor: number; readonly kind: "note"; readonly key: string }
  | { readonly do: "reschedule"; readonly n: string; readonly delay: number }
  | {
      readonly do: "redrive";
      readonly actor: number;
      readonly count: number;
      readonly way: "repaired" | "as it was" | "all";
    }
  | { readonly do: "purge"; readonly actor: number; readonly count: number; readonly way: "one" | "all" }
  | { readonly do: "declare"; readonly rhythm: Rhythm }
  | { readonly do: "end"; readonly name: string }
  | { readonly do: "pause"; readonly actor: number; readonly ms: number }
  /** Calls it, so that it looks at itself. */
  | { readonly do: "touch"; readonly actor: number }
  /** Looks at occurrences that wait; perhaps one of them is cancelled or rescheduled. */
  | { readonly do: "look"; readonly actor: number; readonly act: "cancel" | "reschedule" | "none" }
  | { readonly do: "startAlarm"; readonly actor: number; readonly rounds: number; readonly everyMs: number }
);

/** What a part of the plan is made from. */
export interface Kitchen {
  readonly random: Random;
  /** How long the run is. */
  readonly ms: number;
  /** When it begins: the planned times of recurrences are counted from there. */
  readonly startAt: number;
}

/** So many times a second, at moments that are nearly even. */
export function repeatedly(
  { random, ms }: Kitchen,
  aSecond: number,
  make: (at: number, index: number) => readonly Step[],
): Step[] {
  const count = Math.floor((ms / 1_000) * aSecond);
  return Array.from({ length: count }, (_, index) =>
    make(Math.floor((index * 1_000) / aSecond) + random.int(0, 200), index),
  ).flat();
}

export function order(at: number, actor: number, ...scenes: readonly Scene[]): Step {
  return { at, do: "order", actor, scenes };
}
