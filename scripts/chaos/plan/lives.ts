// The lives of the runtime: how long each lasts, what code it runs, who does not answer in it, and what is
// done to the storage after it.

import { SHAKY } from "../actors.ts";
import { type Code, GOOD, type Life, type Outage } from "../life.ts";
import type { Ingredient } from "./ingredients.ts";
import { Random } from "./random.ts";

const LIFE_MIN_MS = 6_000;
const LIFE_MAX_MS = 15_000;
/** Nothing is done in one that runs code that cannot deliver. */
const BROKEN_MIN_MS = 2_000;
const BROKEN_MAX_MS = 4_000;
/** Of a minute, in which everybody else waits too. */
const BROKEN_MOST = 2;
/** How long a life is that is forgotten. */
const FORGOTTEN_MIN_MS = 1_500;
const FORGOTTEN_MAX_MS = 3_500;
const LOSS_RATE = 0.02;

/** Every life is at most a quarter of the run, so that there are three kills at least. */
export function makeLives(seed: number, ms: number, ingredients: ReadonlySet<Ingredient>): Life[] {
  const random = new Random(seed).fork(2);
  const max = Math.min(LIFE_MAX_MS, ms / 4);
  const min = Math.min(LIFE_MIN_MS, max / 2);
  // Now and then the next kill comes while the runtime has hardly started.
  const life = (): number => (random.chance(0.12) ? random.int(0, 400) : random.int(min, max));
  const lives = Array.from({ length: Math.ceil(ms / min) * 2 }, (): Life => {
    const length = life();
    return { ...GOOD, ms: length, code: random.chance(0.3) ? "old" : "new", surgery: "none" };
  });
  const has = (ingredient: Ingredient): boolean => ingredients.has(ingredient);
  return lives
    .map((life) => (has("losses") ? { ...life, lossRate: LOSS_RATE } : life))
    .map(has("outages") ? outages(new Random(seed).fork(3)) : same)
    .map(has("deploys") ? deploys(new Random(seed).fork(4), ms) : same)
    .map(has("copies") ? copies(new Random(seed).fork(5)) : same);
}

function same(life: Life): Life {
  return life;
}

function outages(random: Random): (life: Life) => Life {
  return (life) => {
    const broken = SHAKY.filter(() => random.chance(0.75)).map((actor): [number, Outage] => [
      actor,
      random.pick(["throws", "throws", "hangs", "deaf"] as const),
    ]);
    return { ...life, outages: Object.fromEntries(broken) };
  };
}

/** Now and then a wrong one, which the next takes back. */
function deploys(random: Random, ms: number): (life: Life) => Life {
  let rest = Math.ceil((ms / 60_000) * BROKEN_MOST);
  let wasBroken = true;
  return (life) => {
    const isBroken = !wasBroken && rest > 0 && random.chance(0.6);
    wasBroken = isBroken;
    if (!isBroken) return life;
    rest -= 1;
    const code: Code = random.pick(["wrong settings", "newer schema"] as const);
    return { ...life, code, ms: random.int(BROKEN_MIN_MS, BROKEN_MAX_MS) };
  };
}

/** A copy of the storage is kept, and put back soon after, so that what was done since is less than what follows. */
function copies(random: Random): (life: Life) => Life {
  let wait = random.int(0, 1);
  let isKept = false;
  return (life) => {
    if (isKept) {
      isKept = false;
      wait = random.int(0, 1);
      const surgery = random.chance(0.8) ? ("put back one" as const) : ("put back all" as const);
      return { ...life, surgery, ms: Math.min(life.ms, random.int(FORGOTTEN_MIN_MS, FORGOTTEN_MAX_MS)) };
    }
    wait -= 1;
    isKept = wait < 0;
    return isKept ? { ...life, surgery: "keep a copy" } : life;
  };
}
