// Kills the runtime at random, and checks the books.
//
//   npm run chaos                          a minute, a seed of its own
//   npm run chaos -- --seconds 600         longer
//   npm run chaos -- --seed 42             the plan of a run that failed

import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "./books/books.ts";
import { ledger } from "./books/ledger.ts";
import { readFlags } from "./flags.ts";
import { makePlan } from "./plan/plan.ts";
import { Run } from "./run.ts";
import { Runtime } from "./runtime.ts";
import { exitOnSignals } from "../signals.ts";

const SHOWN = 50;

const flags = readFlags(process.argv.slice(2));
if (typeof flags === "string") {
  console.error(flags);
  process.exit(flags.startsWith("Usage") ? 0 : 1);
}
const { seconds, seed = randomInt(2 ** 32), ingredients } = flags;
console.log(`chaos: seed ${seed}, ${seconds} s`);

const folder = mkdtempSync(join(tmpdir(), "durable-mailbox-chaos-"));
let isKept = false;
let runtime: Runtime | undefined;
// Also when it ends in the middle, by an error or by Ctrl-C: no process and no folder stays.
process.on("exit", () => {
  runtime?.killNow();
  if (!isKept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
exitOnSignals();

const started = performance.now();
const say = (text: string): void =>
  console.log(`${((performance.now() - started) / 1_000).toFixed(1).padStart(6)} s  ${text}`);
try {
  runtime = new Runtime(folder);
  const observations = await new Run(
    runtime,
    makePlan(seed, seconds, Date.now(), ingredients),
    seconds,
    say,
  ).observe();
  const books = check(observations);
  console.log(`\n${ledger(observations, books)}\n`);
  const { violations } = books;
  if (violations.length === 0) {
    console.log(`chaos: seed ${seed} passed`);
  } else {
    for (const { name, what, detail } of violations.slice(0, SHOWN))
      console.log(`${name}: ${what}: ${detail}`);
    if (violations.length > SHOWN) console.log(`… and ${violations.length - SHOWN} more`);
    isKept = true;
    writeFileSync(join(folder, "observations.json"), JSON.stringify(observations));
    console.log(`chaos: seed ${seed} failed with ${violations.length} violations; all of it is in ${folder}`);
    process.exitCode = 1;
  }
} catch (error) {
  isKept = true;
  console.error(error);
  console.log(`chaos: seed ${seed} could not be checked; what there is is in ${folder}`);
  // Whatever of the run is still under way ends here.
  process.exit(1);
}
