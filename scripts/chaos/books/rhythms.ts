// G10: recurrences do not drift, pile up, fork or die.

import { isEndless, type Rhythm, rhythmName } from "../parcel.ts";
import type { Evidence } from "./evidence.ts";
import { groupBy } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkRhythms(evidence: Evidence): Generator<Violation> {
  const { register, audits } = evidence.observations;
  for (const { occurrences } of register.looks) yield* forkedIn(occurrences);
  for (const { pending } of audits) yield* forkedIn(pending);
  yield* sequence(evidence);
  for (const rhythm of evidence.rhythms.values()) {
    yield* drift(evidence, rhythm);
    yield* times(evidence, rhythm);
    yield* died(evidence, rhythm);
  }
}

/** At most one occurrence of a recurrence waits or runs. */
function* forkedIn(
  rows: readonly { readonly id: string; readonly recurrence?: string }[],
): Generator<Violation> {
  for (const [recurrence, occurrences] of groupBy(rows, (row) => row.recurrence)) {
    if (occurrences.length < 2) continue;
    yield {
      name: "forked",
      what: recurrence,
      detail: `Expected one occurrence to wait; saw ${occurrences.map(({ id }) => id).join(", ")}.`,
    };
  }
}

/** The next is planned only when this one has ended, so no attempt of an earlier one follows a later one's. */
function* sequence({ observations }: Evidence): Generator<Violation> {
  for (const [recurrence, entries] of groupBy(observations.entries, (entry) => entry.recurrence)) {
    let latest = Number.NEGATIVE_INFINITY;
    for (const { id, at } of entries) {
      const planned = plannedOf(id);
      if (planned < latest) {
        yield {
          name: "forked",
          what: recurrence,
          detail: `Expected the occurrence of ${latest} to follow the end of all before; saw ${planned} again at ${at}.`,
        };
      }
      latest = Math.max(latest, planned);
    }
  }
}

/** Planned times are the anchor plus n times the interval. */
function* drift({ observations, intervals }: Evidence, rhythm: Rhythm): Generator<Violation> {
  const { startAt, until } = rhythm;
  const name = rhythmName(rhythm);
  const recurrence = recurrenceId(name);
  const ended = Math.min(
    ...observations.register.ends.filter(({ id }) => id === recurrence).map(({ askedAt }) => askedAt),
  );
  // Without a start the anchor is the moment of the first declaration, and a new one after its end.
  const own = observations.entries.filter(
    (entry) => entry.recurrence === recurrence && (startAt !== undefined || entry.at < ended),
  );
  const anchor = startAt ?? plannedOf(own[0]?.id ?? "");
  const every = [...(intervals.get(name) ?? [])];
  for (const { id, n } of own) {
    const planned = plannedOf(id);
    if (until !== undefined && planned > until)
      yield { name: "drifted", what: n, detail: `Expected nothing after ${until}; saw ${planned}.` };
    if (every.some((ms) => (planned - anchor) % ms === 0)) continue;
    yield {
      name: "drifted",
      what: n,
      detail: `Expected ${anchor} plus n × ${every.join(" or ")} ms; saw ${planned}.`,
    };
  }
}

/** `times` counts what was delivered or has died; with `missed: "all"` nothing is skipped. */
function* times(evidence: Evidence, rhythm: Rhythm): Generator<Violation> {
  const { to, times: asked, until, missed } = rhythm;
  const name = rhythmName(rhythm);
  const { audits, letters, told, register } = evidence.observations;
  const row = audits
    .find(({ actor }) => actor === to)
    ?.recurrences.find(({ id }) => id === recurrenceId(name));
  if (row === undefined) return;
  const fail = (detail: string): Violation => ({ name: "wrong times", what: name, detail });
  const { delivered, dead, skipped, ended } = row;
  if (!ended) yield fail("Expected it to have ended; it goes on.");
  // One with both bounds ends at the first.
  if (asked !== undefined && until === undefined && delivered + dead !== asked) {
    yield fail(`Expected it to end after ${asked}; saw ${delivered} delivered and ${dead} dead.`);
  }
  const cancelled = register.ends.filter(
    ({ id, outcome }) => outcome !== "no" && id.startsWith(`${recurrenceId(name)}@`),
  ).length;
  if (missed === "all" && skipped > cancelled)
    yield fail(`Expected ${cancelled} occurrences to be skipped, those that were cancelled; saw ${skipped}.`);
  const isOwn = (n: string): boolean => n.startsWith(`${name}@`) && !n.endsWith(".0");
  const over = new Set<string>();
  for (const audit of audits)
    for (const { n } of [...audit.done, ...audit.letters]) if (isOwn(n)) over.add(n);
  for (const { n } of letters) if (isOwn(n)) over.add(n);
  for (const { event, id = "" } of told)
    if (event === "deadLettered" && id.startsWith(`${recurrenceId(name)}@`))
      over.add(id.slice("every:tick:".length));
  if (over.size === delivered + dead) return;
  yield fail(`Expected ${delivered + dead} occurrences to have completed or died; saw ${over.size}.`);
}

/** One that never ends is there until somebody ends it. */
function* died({ observations }: Evidence, rhythm: Rhythm): Generator<Violation> {
  if (!isEndless(rhythm)) return;
  const name = rhythmName(rhythm);
  const { declares, ends } = observations.register;
  const end = ends.find(({ id }) => id === recurrenceId(name));
  const declared = declares.find(({ rhythm, outcome }) => rhythmName(rhythm) === name && outcome === "yes");
  if (end?.outcome !== "no" || declared === undefined || declared.answeredAt > end.askedAt) return;
  yield {
    name: "lost",
    what: name,
    detail: `Expected the recurrence to be there when it was ended at ${end.askedAt}; it was gone.`,
  };
}

/** As the books have it. */
function recurrenceId(name: string): string {
  return `every:tick:${name}`;
}

function plannedOf(id: string): number {
  return Number(id.slice(id.indexOf("@") + 1));
}
