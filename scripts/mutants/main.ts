// Puts faults into a copy of the code, one after another, and looks which of them no test sees.
//
//   npm run mutants                          all of them: it takes long
//   npm run mutants -- --list                which there are
//   npm run mutants -- --only 12             one, by its number or its name; again and again for more
//   npm run mutants -- --shard 2/4           a part of them
//
// A new one goes into scripts/mutants/faults/, with the smallest test file that sees it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitOnSignals } from "../signals.ts";
import { Bench, type Ending } from "./bench.ts";
import { MUTANTS } from "./faults.ts";
import { readFlags } from "./flags.ts";
import { type Mutant, problemsOf } from "./mutant.ts";

const root = join(import.meta.dirname, "../..");
const flags = readFlags(process.argv.slice(2), MUTANTS);
if (typeof flags === "string") {
  console.error(flags);
  process.exit(flags.startsWith("Usage") ? 0 : 1);
}
const { chosen } = flags;
if (flags.list) {
  for (const [number, { name, file, breaks }] of chosen)
    console.log(`${String(number).padStart(3)} ${name} (${file})\n    ${breaks}`);
  process.exit();
}
const problems = problemsOf(
  root,
  chosen.map(([, mutant]) => mutant),
);
if (problems.length > 0) {
  for (const problem of problems) console.error(problem);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), "durable-mailbox-mutants-"));
const bench = new Bench(root, folder);
// Also when it ends in the middle, by an error or by Ctrl-C: no process and no folder stays.
process.on("exit", () => {
  bench.end();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
exitOnSignals();
bench.copy();

/** What a test file does without any fault: one that fails by itself says nothing of a fault. */
const clean = new Map<string, Ending>();
const counts = { dies: 0, lives: 0, unclear: 0 };
for (const [number, mutant] of chosen) {
  const [verdict, why] = await verdictOf(mutant);
  counts[verdict] += 1;
  console.log(`${String(number).padStart(3)} ${verdict.padEnd(7)} ${mutant.name}\n            ${why}`);
}
console.log(`\n${counts.dies} die, ${counts.lives} live, ${counts.unclear} unclear`);
process.exitCode = counts.lives + counts.unclear === 0 ? 0 : 1;

async function verdictOf(mutant: Mutant): Promise<[keyof typeof counts, string]> {
  const deaths: string[] = [];
  for (const test of mutant.tests) {
    const before = clean.get(test) ?? (await bench.run(test));
    clean.set(test, before);
    if (before.kind !== "passed") return ["unclear", `${test} fails without it: ${said(before)}`];
    const ending = await bench.with(mutant, () => bench.run(test));
    if (ending.kind === "passed") return ["lives", `${test} passes. ${mutant.breaks}`];
    if (ending.kind === "broken") return ["unclear", `${test} does not come to a test: ${said(ending)}`];
    deaths.push(said(ending));
  }
  return ["dies", deaths.join("; ")];
}

function said(ending: Ending): string {
  switch (ending.kind) {
    case "passed":
      return "it passes";
    case "failed":
      return ending.by;
    case "broken":
      return ending.output;
  }
}
