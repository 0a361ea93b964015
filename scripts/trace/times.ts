// When what is traced is due: late enough for one trip to be over before the next begins.

export const DELAY_MS = 2_000;
export const BACKOFF_MS = 2_000;
/** The second is the last. */
export const MAX_ATTEMPTS = 2;
