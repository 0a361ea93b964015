// The books: from what was observed of a run, every promise that was broken. A pure function.

import { Accounts } from "./accounts.ts";
import { checkAwake, checkEvents } from "./alarms.ts";
import { checkCancels } from "./cancels.ts";
import { checkDeaths } from "./deaths.ts";
import { checkDeclarations } from "./declarations.ts";
import { checkEnds } from "./ends.ts";
import { Evidence } from "./evidence.ts";
import type { Observations, Violation } from "./observations.ts";
import { checkLetters } from "./letters.ts";
import { checkOrder } from "./order.ts";
import { withoutTakenBack } from "./putbacks.ts";
import { checkQuiet } from "./quiet.ts";
import { checkRhythms } from "./rhythms.ts";
import { checkState } from "./state.ts";
import { checkTimes } from "./times.ts";

export interface Books {
  readonly violations: readonly Violation[];
  readonly accounts: Accounts;
}

export function check(seen: Observations): Books {
  const observations = withoutTakenBack(seen);
  const evidence = new Evidence(observations);
  const accounts = new Accounts(evidence);
  return {
    accounts,
    violations: [
      ...checkEnds(accounts),
      ...checkTimes(evidence),
      ...checkCancels(accounts),
      ...checkOrder(evidence),
      ...checkState(accounts),
      ...checkDeaths(accounts),
      ...checkLetters(accounts),
      ...checkRhythms(evidence),
      ...checkDeclarations(evidence),
      ...checkAwake(observations),
      ...checkEvents(observations),
      ...checkQuiet(observations),
    ],
  };
}
