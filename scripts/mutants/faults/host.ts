// Faults of mailbox/host: what one Durable Object knows and does.

import type { Mutant } from "../mutant.ts";

export const HOST: readonly Mutant[] = [
  {
    name: "recurrences are not forgotten at a rollback",
    file: "mailbox/host/context.ts",
    find: `    this.recurrences.forget();\n`,
    replace: "",
    tests: ["test/guarantees/g12-memory-after-rollbacks.test.ts"],
    breaks: "A recurrence whose cancel was rolled back never runs again in this instance.",
  },
  {
    name: "letters are not forgotten at a rollback",
    file: "mailbox/host/context.ts",
    find: `    this.letters.forget();\n`,
    replace: "",
    tests: ["test/guarantees/g12-memory-after-rollbacks.test.ts"],
    breaks: "A dead letter whose purge was rolled back is kept past its retention.",
  },
  {
    name: "a message put to the very due time that was selected is not seen",
    file: "mailbox/host/context.ts",
    find: `if (due <= this.selectedUntil)`,
    replace: `if (due < this.selectedUntil)`,
    tests: ["test/guarantees/g04-order.test.ts"],
    breaks: "Of two messages that are due at the same time, the later one begins first.",
  },
  {
    name: "an alarm set anew to the same moment is taken for the old one",
    file: "mailbox/host/user-alarm.ts",
    find: `alarm.anew === taken.anew`,
    replace: `true`,
    tests: ["test/guarantees/g14-the-users-own-alarm.test.ts"],
    breaks: "The user's alarm is lost that its handler sets to the present, where the clock stands still.",
  },
];
