// How much has been missed of recurrences that deliver all of it. The planned times of a cron rule can only
// be counted one by one, in steps of tens of microseconds each, and a backlog has up to a thousand: so it is
// counted once, and not for each occurrence that is taken up.

import type { RecurrenceRow } from "../store/recurrences.ts";
import { missedBetween, mostBetween, type Rule } from "../time/rule.ts";

/** So many missed occurrences are delivered, and so many are counted. */
export const CAUGHT_UP = 1_000;

/** How many planned times had passed at a moment, at most. */
interface Counted {
  readonly until: number;
  readonly count: number;
}

export class Backlogs {
  readonly #counted = new Map<string, Counted>();

  /** Whether more planned times than are delivered have passed at a moment, the present occurrence's included. */
  isTooMany({ id, rule: text, planned }: RecurrenceRow, rule: Rule, until: number): boolean {
    const key = `${id} ${text}`;
    const before = this.#counted.get(key);
    const most =
      before === undefined
        ? mostBetween(rule, planned, until)
        : before.count + mostBetween(rule, before.until, until);
    if (most < CAUGHT_UP) return false;
    const { count } = missedBetween(rule, planned, until, CAUGHT_UP);
    // Of more than that, the oldest are skipped.
    this.#counted.set(key, { until, count: Math.min(count, CAUGHT_UP - 1) });
    return count >= CAUGHT_UP;
  }
}
