// The command line.

import { parseArgs } from "node:util";
import { INGREDIENTS, type Ingredient } from "./plan/ingredients.ts";

export interface Flags {
  readonly seconds: number;
  readonly seed: number | undefined;
  /** What the plan has beside the common. */
  readonly ingredients: readonly Ingredient[];
}

const USAGE = `Usage: npm run chaos -- [--seconds N] [--seed S] [--with A,B]

Runs actors in the local runtime, kills it with SIGKILL at random moments, and checks that every promise was kept.
  --seconds N   how long it makes load and kills; at least 5, 60 if not given
  --seed S      a whole number from 0 to 4294967295; a random one if not given
  --with A,B    only these kinds of trouble; all if not given: ${INGREDIENTS.join(", ")}

The seed decides what is sent, what befalls each message, and how long each life of the runtime lasts. What a kill
meets is decided by the clock, so the same seed is the same plan and not the same run.`;

/** Reads the flags; answers a sentence when they cannot be, or the usage when it was asked for. */
export function readFlags(args: readonly string[]): Flags | string {
  let values: { seconds?: string; seed?: string; with?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string" },
        seed: { type: "string" },
        with: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    return `chaos: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (values.help === true) return USAGE;
  const seconds = wholeNumber(values.seconds ?? "60", 5, 86_400);
  if (seconds === undefined)
    return `chaos: --seconds is ${JSON.stringify(values.seconds)}; expected a whole number from 5 to 86400.`;
  const named =
    values.with === undefined ? INGREDIENTS : values.with.split(",").filter((name) => name !== "");
  const ingredients = INGREDIENTS.filter((ingredient) => named.includes(ingredient));
  if (ingredients.length < named.length)
    return `chaos: --with is ${JSON.stringify(values.with)}; expected some of ${INGREDIENTS.join(", ")}, with commas between.`;
  if (values.seed === undefined) return { seconds, seed: undefined, ingredients };
  const seed = wholeNumber(values.seed, 0, 2 ** 32 - 1);
  if (seed === undefined)
    return `chaos: --seed is ${JSON.stringify(values.seed)}; expected a whole number from 0 to 4294967295.`;
  return { seconds, seed, ingredients };
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined;
}
