// Who there is, and what is special about some of them.

/** How many actors send to one another, whatever else is in the plan. */
export const CLERKS = 16;
/** The policy of all actors, unless a message has its own number of attempts. */
export const MAX_ATTEMPTS = 4;
export const BACKOFF_MS = 200;
export const TIMEOUT_MS = 1_000;
export const MIN_INTERVAL_MS = 100;

/** This clerk takes only so many from outside: what does not get in is refused, or waits in an outbox. */
export const SMALL_CLERK = CLERKS - 1;

// Behind the clerks come actors that have a weakness each, and only a part of the plan sends to them.

/** They take no large payloads and no quick recurrences. */
export const NARROW: readonly number[] = [16, 17];
/** Takes even less than the small clerk. */
export const FULL = 18;
/** They do not answer other actors and refs in some lives of the runtime. */
export const SHAKY: readonly number[] = [19, 20];
/** Gives up soon on what its targets do not take. */
export const IMPATIENT = 21;
/** Uses a handle on storage that its mailbox knows nothing of. */
export const BYPASSER = 22;
/** Its storage is put back to an earlier copy. */
export const FORGETFUL = 23;
/** Of a class that has no name, in a namespace of its own. */
export const NAMELESS: readonly number[] = [24, 25];

export const ACTORS = 26;

export const NARROW_BYTES = 32 * 1024;
export const NARROW_INTERVAL_MS = 1_000;
export const IMPATIENT_AGE_MS = 3_000;

/** What an actor takes from outside; undefined for all of it. */
export function maxPendingOf(actor: number): number | undefined {
  if (actor === SMALL_CLERK) return 30;
  return actor === FULL ? 10 : undefined;
}

/** How often an answer is lost on its way from an actor, whatever the life of the runtime. */
export function lossRateOf(actor: number): number {
  return actor === FULL || NARROW.includes(actor) ? 0.3 : 0;
}

export function actorName(index: number): string {
  return `clerk-${index}`;
}
