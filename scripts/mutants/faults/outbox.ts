// Faults of mailbox/outbox: between actors.

import type { Mutant } from "../mutant.ts";

export const OUTBOX: readonly Mutant[] = [
  {
    name: "the last message in doubt may be changed",
    file: "mailbox/outbox/outbox.ts",
    find: `.filter(({ n }) => n > tried)`,
    replace: `.filter(({ n }) => n >= tried)`,
    tests: ["test/guarantees/g11-cancel-between-actors.test.ts"],
    breaks: "Cancel answers true, and the message is delivered.",
  },
  {
    name: "a refused message at the end of its batch is not heard of",
    file: "mailbox/outbox/batch.ts",
    find: `rows.slice(taken.length)`,
    replace: `rows.slice(taken.length, -1)`,
    tests: ["test/guarantees/g08-in-doubt.test.ts"],
    breaks: "A refused message with nothing behind it holds up its route.",
  },
  {
    name: "what a full receiver did not take counts as confirmed",
    file: "mailbox/outbox/batch.ts",
    find: `confirmed_id: confirmed.id`,
    replace: `confirmed_id: rows.at(-1)?.id ?? null`,
    tests: ["test/guarantees/g08-receivers.test.ts"],
    breaks: "Each batch that was taken in part is followed by a false fork.",
  },
  {
    name: "a sender is remembered for too short a time",
    file: "mailbox/outbox/inbox.ts",
    find: `now + batch.keepMs`,
    replace: `now + batch.keepMs / 4`,
    tests: ["test/guarantees/g08-in-doubt.test.ts"],
    breaks: "A batch that is repeated late is taken twice.",
  },
  {
    name: "the name that a sender gives itself is believed",
    file: "mailbox/outbox/address.ts",
    find: `name !== undefined && namespace.idFromName(name).toString() === id ? name : undefined`,
    replace: `id === "" ? undefined : name`,
    tests: ["test/guarantees/g08-in-doubt.test.ts"],
    breaks: "A reply goes to whomever the sender names.",
  },
  {
    name: "a batch in flight is asked about too early",
    file: "mailbox/outbox/relay.ts",
    find: `const HOLD_MS = 20_000;`,
    replace: `const HOLD_MS = 2_000;`,
    tests: ["test/guarantees/g08-in-doubt.test.ts"],
    breaks: "A batch is repeated while its call may still be answered.",
  },
];
