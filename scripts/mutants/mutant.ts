// A mutant: a fault that somebody may write into one line, and the tests that must not let it pass.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Mutant {
  /** Says the fault in a few words. */
  readonly name: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Each of these must fail. */
  readonly tests: readonly string[];
  /** One sentence: what becomes of a promise of the library. */
  readonly breaks: string;
}

/** The source with the fault in it; or a sentence on why there is no place for it, or more than one. */
export function mutated({ find, replace }: Mutant, source: string): { text: string } | string {
  const places = source.split(find).length - 1;
  if (places !== 1) return `its pattern occurs ${places} times, and must occur once: ${JSON.stringify(find)}`;
  // By a function: a text would have its dollar signs read.
  return { text: source.replace(find, () => replace) };
}

/** What is wrong with the list itself, without running anything. */
export function problemsOf(root: string, mutants: readonly Mutant[]): string[] {
  const names = new Set<string>();
  return mutants.flatMap((mutant) => {
    const { name, file, find, replace, tests, breaks } = mutant;
    const source = join(root, file);
    const applied = existsSync(source)
      ? mutated(mutant, readFileSync(source, "utf8"))
      : `there is no such file`;
    const problems = [
      ...(typeof applied === "string" ? [applied] : []),
      ...(find === replace ? ["its replacement is the pattern itself"] : []),
      ...(tests.length === 0 ? ["it names no test that must fail"] : []),
      ...tests.filter((test) => !existsSync(join(root, test))).map((test) => `there is no ${test}`),
      ...(breaks === "" ? ["it does not say what it breaks"] : []),
      ...(names.has(name) ? ["another one has its name"] : []),
    ];
    names.add(name);
    return problems.map((problem) => `${file}: the mutant "${name}": ${problem}`);
  });
}
