// What is in a plan, by number and by name.

import { declaresOf, type Parcel, type Rhythm, rhythmName, type Scene } from "../parcel.ts";
import { withDescendants } from "./parcels.ts";
import type { Step } from "./steps.ts";
import { sendsOf } from "../parcel.ts";

/** All messages, by their numbers. */
export function parcelsOf(steps: readonly Step[]): Map<string, Parcel> {
  const roots = steps.flatMap((step) => {
    if (step.do === "send") return step.parcels;
    return step.do === "order" ? step.scenes.flatMap((scene) => sendsOf(scene)) : [];
  });
  return new Map(roots.flatMap((root) => [...withDescendants(root)].map((parcel) => [parcel.n, parcel])));
}

/** All recurrences, by their names. */
export function rhythmsOf(steps: readonly Step[]): Map<string, Rhythm> {
  const scenes = steps.flatMap((step): readonly Scene[] => (step.do === "order" ? step.scenes : []));
  const inHandlers = [...parcelsOf(steps).values()].flatMap((parcel) => parcel.scenes ?? []);
  const declared = [
    ...steps.flatMap((step) => (step.do === "declare" ? [step.rhythm] : [])),
    ...[...scenes, ...inHandlers].flatMap((scene) => declaresOf(scene)),
  ];
  return new Map(declared.map((rhythm) => [rhythmName(rhythm), rhythm]));
}
