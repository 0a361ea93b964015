// What a plan can have beside the common: each a kind of trouble, with the messages that meet it.

import { bulk } from "./bulk.ts";
import { bypass } from "./bypass.ts";
import { cancels } from "./cancels.ts";
import { copies } from "./copies.ts";
import { losses } from "./losses.ts";
import { nameless } from "./nameless.ts";
import { outages } from "./outages.ts";
import { refusals } from "./refusals.ts";
import { schedules } from "./schedules.ts";
import type { Kitchen, Step } from "./steps.ts";
import { transactions } from "./transactions.ts";

/** In this order, which decides what each draws from the seed. */
export const INGREDIENTS = [
  /** Transactions that wait, and that are rolled back, in requests and in handlers. */
  "transactions",
  /** Cancels of what has not left yet, and of recurrences that were declared again. */
  "cancels",
  /** Receivers that refuse what they are given, or have no room for it. */
  "refusals",
  /** Receivers that do not answer, for longer than some senders wait. */
  "outages",
  /** One recurrence, declared to several actors. */
  "schedules",
  /** Answers that are lost on their way, so that calls are made again. */
  "losses",
  /** Versions of the code that cannot deliver, and are taken back. */
  "deploys",
  /** Storage that is put back to an earlier copy. */
  "copies",
  /** Transactions by a handle that the mailbox knows nothing of. */
  "bypass",
  /** Actors of a class without a name. */
  "nameless",
  /** Large payloads. */
  "bulk",
] as const;

export type Ingredient = (typeof INGREDIENTS)[number];

const makers: Readonly<Record<Ingredient, (kitchen: Kitchen) => Step[]>> = {
  transactions,
  cancels,
  refusals,
  outages,
  schedules,
  losses,
  // All of it is in the lives of the runtime.
  deploys: () => [],
  copies,
  bypass,
  nameless,
  bulk,
};

export function stepsOf(ingredient: Ingredient, kitchen: Kitchen): Step[] {
  return makers[ingredient](kitchen);
}
