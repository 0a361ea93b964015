// All mutants, room by room. Most are faults that reviews found no test to see.

import { DELIVERY } from "./faults/delivery.ts";
import { HOST } from "./faults/host.ts";
import { LIFECYCLE } from "./faults/lifecycle.ts";
import { OUTBOX } from "./faults/outbox.ts";
import { VERBS } from "./faults/verbs.ts";
import type { Mutant } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [...HOST, ...LIFECYCLE, ...OUTBOX, ...DELIVERY, ...VERBS];
