// Faults of mailbox/delivery: one wake.

import type { Mutant } from "../mutant.ts";

export const DELIVERY: readonly Mutant[] = [
  {
    name: "a lease that is given back stays on disk",
    file: "mailbox/delivery/deliver.ts",
    find: `    this.#core.meta.clear("lease");\n`,
    replace: "",
    tests: ["test/mailbox/pause.test.ts"],
    breaks: "An attempt that never began is charged as one that the object did not survive.",
  },
  {
    name: "a hook that has ended keeps its lease",
    file: "mailbox/delivery/deliver.ts",
    find: `        clearLease(core, attempt);\n        core.letters.setHook(letter, null, number);`,
    replace: `        core.letters.setHook(letter, null, number);`,
    tests: ["test/guarantees/g09-on-dead-letter.test.ts"],
    breaks: "The hook of a dead letter runs again although it has ended well.",
  },
];
