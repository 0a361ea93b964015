// Proves that every mutant still has its place in the code, without running a test: whoever rewrites a
// line carries its mutant along.

import { join } from "node:path";
import { MUTANTS } from "./faults.ts";
import { problemsOf } from "./mutant.ts";

const problems = problemsOf(join(import.meta.dirname, "../.."), MUTANTS);
for (const problem of problems) console.error(problem);
console.log(`mutants: ${MUTANTS.length}, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
