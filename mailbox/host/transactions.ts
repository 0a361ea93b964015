// The user's open transactions. Whatever is written while one is open is part of it, whoever writes it, and gone
// when it is rolled back. So the mailbox does nothing of its own meanwhile: it begins no message, writes no
// outcome, prepares no batch and tells of nothing.
//
// Other events have to wait while one is open. But a promise that is resolved in it is not: whoever waits for one
// goes on in the transaction's own turn. So after every wait one asks here first.

export class Transactions {
  #open = 0;
  readonly #waiting: (() => void)[] = [];

  get areOpen(): boolean {
    return this.#open > 0;
  }

  begin(): void {
    this.#open += 1;
  }

  end(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  /** Resolves when none is open. None begins between this and what follows it at once: that takes a turn of its own. */
  async over(): Promise<void> {
    while (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }
}
