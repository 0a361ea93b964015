// The one place where time enters the library. Everything else is given `now`, or asks here, so that
// a test that moves `Date` moves the mailbox, and nothing else has to be faked.

/** The present, in epoch milliseconds. In production it stands still between two I/O operations. */
export function now(): number {
  return Date.now();
}

/** Runs `callback` once after `ms` milliseconds unless the answered function is called before. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

/** A moment as a Date, for libraries that take no numbers. */
export function dateOf(at: number): Date {
  return new Date(at);
}

/** The moment that a date in an HTTP header names; undefined for text that is none. */
export function timeOf(text: string): number | undefined {
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

const TURNS = 24;

/**
 * Gives what is over at once the turns of the microtask queue to be so: no time passes, nobody else gets
 * in, and whoever would wait with timers need not. Answers whether it is over.
 */
export async function overAtOnce(isOver: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < TURNS && !isOver(); turn += 1) await Promise.resolve();
  return isOver();
}

/** A moment for a person to read, in UTC. */
export function isoTime(at: number): string {
  return dateOf(at).toISOString();
}

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
