// Writes of callers that come at once are one commit. A commit takes a hundred times as long as a
// write, and the platform begins one for each call; so a call that comes while one is under way waits
// for its end, and then writes together with all that have waited, in one turn.
//
// What is promised does not change: the platform holds an answer back until what its call has written
// is on disk, however many calls share the commit. A crash before leaves none of them, and none answered.

export class GroupCommit {
  readonly #commit: () => Promise<void>;
  #running: Promise<void> | undefined;

  /** @param commit resolves when what was written is on disk */
  constructor(commit: () => Promise<void>) {
    this.#commit = commit;
  }

  /** Writes at once, or with the others that wait. Calls write in the order in which they came. */
  run<T>(write: () => T): T | Promise<T> {
    if (this.#running === undefined) return this.#write(write);
    // Its own look at the commit too: one that waits inside blockConcurrencyWhile is let in by no other's.
    return Promise.race([this.#running, this.#look()]).then(() => this.#write(write));
  }

  #write<T>(write: () => T): T {
    try {
      return write();
    } finally {
      this.#running ??= this.#ended();
    }
  }

  #ended(): Promise<void> {
    const over = this.#look().then(() => {
      if (this.#running === over) this.#running = undefined;
    });
    return over;
  }

  /** A failure is no concern of who waits: the object is being reset, and they meet it when they write. */
  async #look(): Promise<void> {
    try {
      await this.#commit();
    } catch {
      // It is over all the same.
    }
  }
}
