// Faults of mailbox/lifecycle: the state diagram.

import type { Mutant } from "../mutant.ts";

export const LIFECYCLE: readonly Mutant[] = [
  {
    name: "a replaced message is counted still",
    file: "mailbox/lifecycle/accept.ts",
    find: `  core.changed(1);\n  core.raise({ event: "replaced"`,
    replace: `  core.changed(0);\n  core.raise({ event: "replaced"`,
    tests: ["test/guarantees/g12-memory-after-rollbacks.test.ts"],
    breaks: "A mailbox that has room by settings.maxPending refuses messages.",
  },
  {
    name: "an outbox brings a message that is here already",
    file: "mailbox/lifecycle/accept.ts",
    find: `if (!isKnown(core, message.id)) accept(core, message, true);`,
    replace: `accept(core, message, true);`,
    tests: ["test/guarantees/g08-in-doubt.test.ts"],
    breaks: "A redriven message that its receiver had is there twice, or its route is held up for good.",
  },
];
