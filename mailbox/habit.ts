// What is known of how a handler works: whether it is calm enough to share its context with others.

/** So many runs show how a handler works: more than its first two pages. */
const PROOF = 16;

/** What is known of how a handler works. */
export class Habit {
  #calmRuns = 0;

  /** It has always been synchronous, and has left nothing behind that uses a verb. */
  get isCalm(): boolean {
    return this.#calmRuns >= PROOF;
  }

  /** A synchronous run has completed. */
  ranCalmly(): void {
    this.#calmRuns += 1;
  }

  /** It answered a promise, or left work behind: from now on every run has a context of its own. */
  broke(): void {
    this.#calmRuns = Number.NEGATIVE_INFINITY;
  }
}
