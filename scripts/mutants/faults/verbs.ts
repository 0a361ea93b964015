// Faults of mailbox/verbs: what can be asked of an actor.

import type { Mutant } from "../mutant.ts";

export const VERBS: readonly Mutant[] = [
  {
    name: "a redriven letter is counted still",
    file: "mailbox/verbs/redrive.ts",
    find: `  if (core.letterCount !== undefined) core.letterCount -= 1;\n  const history`,
    replace: `  const history`,
    tests: ["test/guarantees/g09-dead-letters-keep-everything.test.ts"],
    breaks: "Retention by count deletes letters that there is room for.",
  },
  {
    name: "a redriven message of the outbox keeps its expiry",
    file: "mailbox/verbs/redrive.ts",
    find: `const { expiresAt: _expiresAt, ...kept } = options ?? {};`,
    replace: `const { ...kept } = options ?? {};`,
    tests: ["test/guarantees/g08-in-doubt.test.ts"],
    breaks: "A message that was redriven after an outage expires on arrival.",
  },
];
