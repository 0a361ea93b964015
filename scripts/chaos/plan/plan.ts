// The plan of a run: a function of the seed and the length, so that a seed that failed can be run again.
// When each step meets which kill is not: that is the wall clock's, and differs from run to run.

import type { Life } from "../life.ts";
import { commonSteps } from "./common.ts";
import { INGREDIENTS, type Ingredient, stepsOf } from "./ingredients.ts";
import { makeLives } from "./lives.ts";
import { Random } from "./random.ts";
import type { Step } from "./steps.ts";

export interface Plan {
  readonly steps: readonly Step[];
  readonly lives: readonly Life[];
  /** What becomes of the dead letters that are left at the end, one after the other. */
  readonly lastRites: readonly ("repaired" | "as it was" | "purged" | "left")[];
}

/**
 * @param startAt when the run begins: the recurrences' planned times are counted from there
 * @param ingredients what there is beside the common; each part is the same whatever the others are
 */
export function makePlan(
  seed: number,
  seconds: number,
  startAt: number,
  ingredients: readonly Ingredient[] = INGREDIENTS,
): Plan {
  const random = new Random(seed);
  const ms = seconds * 1_000;
  const steps = [
    ...commonSteps({ random: random.fork(1), ms, startAt }),
    ...ingredients.flatMap((ingredient) =>
      stepsOf(ingredient, { random: random.fork(10 + INGREDIENTS.indexOf(ingredient)), ms, startAt }),
    ),
  ];
  return {
    steps: steps.toSorted((a, b) => a.at - b.at),
    lives: makeLives(seed, ms, new Set(ingredients)),
    lastRites: Array.from({ length: 997 }, () =>
      random.weighted([
        [4, "repaired" as const],
        [2, "as it was" as const],
        [2, "purged" as const],
        [2, "left" as const],
      ]),
    ),
  };
}
