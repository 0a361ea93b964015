// What a run was, as a table to read.

import { isSync } from "../parcel.ts";
import type { Outcome } from "../register.ts";
import { isBroken } from "./alarms.ts";
import type { Books } from "./books.ts";
import { type Observations, VIOLATIONS } from "./observations.ts";

type Row = readonly [what: string, count: number | string];

export function ledger(observations: Observations, { accounts, violations }: Books): string {
  const { register, audits, kills, lives, putBacks, entries, told } = observations;
  const cases = [...accounts.evidence.cases.values()];
  const messages = cases.filter(({ kind }) => kind !== "tick");
  const ticks = cases.filter(({ kind }) => kind === "tick");
  const accepted = messages.filter((one) => accounts.accepted(one) === "yes" || accounts.isSeen(one));
  const tally = <T>(items: readonly T[], keyOf: (item: T) => string): Row[] => {
    const counts = new Map<string, number>();
    for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
    return [...counts].toSorted(([a], [b]) => a.localeCompare(b));
  };
  const answers = (items: readonly { readonly outcome: Outcome }[]): string => {
    const of = (outcome: Outcome): number => items.filter((item) => item.outcome === outcome).length;
    return `${of("yes")} yes, ${of("no")} no, ${of("unknown")} unknown`;
  };
  const ended = (verb: string): string => answers(register.ends.filter((end) => end.verb === verb));
  const toldOf = (name: string): number => told.filter(({ event }) => event === name).length;
  const letters = audits.flatMap((audit) => audit.letters);
  const sections: readonly (readonly [string, readonly Row[]])[] = [
    [
      "runtime",
      [
        ["kills", kills.length],
        ["starts", kills.length + 1],
        ["starts of code that cannot deliver", lives.filter(isBroken).length],
        ["storage of one actor put back", putBacks.filter(({ actor }) => actor !== undefined).length],
        ["storage of all put back", putBacks.filter(({ actor }) => actor === undefined).length],
        ["instances of actors", observations.births.length],
        ["calls that have brought messages", observations.calls.length],
        ["attempts", entries.length],
        ["healed alarms", toldOf("healed")],
        ["parked by an older version of the code", toldOf("parked")],
        ["batches of an outbox that were not answered", toldOf("outboxFailed")],
        ["messages given up by their senders", accounts.evidence.undeliverable.size],
        ["runs of actors' own alarms", observations.alarms.length],
      ],
    ],
    ["asked from outside", tally(register.sends, ({ way, outcome }) => `sends, ${way}: ${outcome}`)],
    [
      "verbs",
      [
        ["cancel", ended("cancel")],
        ["cancel by key", answers(register.keyCancels)],
        ["cancel in a handler", audits.reduce((sum, { cancels }) => sum + cancels.length, 0)],
        ["kept out by a key", cases.filter((one) => accounts.isKeptOut(one)).length],
        ["reschedule", answers(register.reschedules)],
        ["redrive", answers(register.redrives)],
        ["purge", ended("purge")],
        ["sendEvery", answers(register.declares)],
        ["end of a recurrence", ended("end")],
      ],
    ],
    ["accepted", [...tally(accepted, ({ kind }) => kind), ["in all", accepted.length]]],
    ["ends", tally(accepted, (one) => accounts.end(one))],
    ["dead at the end", tally(letters, ({ reason }) => reason)],
    [
      "recurrences",
      [
        ["recurrences", accounts.evidence.rhythms.size],
        ["occurrences completed", ticks.filter(({ done }) => done.length > 0).length],
        ["occurrences dead", ticks.filter(({ letter }) => letter !== undefined).length],
        ["occurrences skipped", told.reduce((sum, { count = 0 }) => sum + count, 0)],
      ],
    ],
    [
      "at least once, as promised",
      [
        [
          "async handlers that ran to their end again",
          cases.filter((one) => !isSync(one.kind) && one.done.length > 1).length,
        ],
        [
          "sends by a ref that may have been repeated",
          cases.filter((one) => one.root !== undefined && accounts.isRepeatable(one)).length,
        ],
      ],
    ],
    [
      "violations",
      VIOLATIONS.map((name): Row => [name, violations.filter((found) => found.name === name).length]),
    ],
  ];
  return sections
    .map(([title, rows]) =>
      [title, ...rows.map(([what, count]) => `  ${what.padEnd(56)} ${count}`)].join("\n"),
    )
    .join("\n");
}
