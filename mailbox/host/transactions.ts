// The user's open transactions. Whatever is written while one is open is part of it, whoever writes it, and gone
// when it is rolled back. So the mailbox does nothing of its own meanwhile: it begins no message, writes no
// outcome, prepares no batch and tells of nothing.
//
// Other events have to wait while one is open. But a promise that is resolved in it is not: whoever waits for one
// goes on in the transaction's own turn. So after every wait one asks here first.
//
// What is done in memory only, such as a send that waits for its attempt's ack, notes here how it is undone; what
// must not be done before its commit, such as the abort of a run that was cancelled, waits here for it.

import { AsyncLocalStorage } from "node:async_hooks";

/** Which transaction the code belongs to that runs, also after an await. Objects of one isolate share it. */
const contexts = new AsyncLocalStorage<Transaction>();

export class Transaction {
  readonly of: Transactions;
  readonly #parent: Transaction | undefined;
  #isOpen = true;
  #undos: (() => void)[] = [];
  #waiting: (() => void)[] = [];

  constructor(of: Transactions, parent: Transaction | undefined) {
    this.of = of;
    this.#parent = parent;
  }

  /** This one, or the one around it that still is open: after a rollback the rest of a closure belongs to that. */
  get open(): Transaction | undefined {
    return this.#isOpen ? this : this.#parent?.open;
  }

  /** Calls what belongs to it, also what follows its awaits. */
  enter<R>(call: () => R): R {
    return contexts.run(this, call);
  }

  /** Something was done in memory only: how it is undone if this is rolled back. */
  noteUndo(undo: () => void): void {
    this.#undos.push(undo);
  }

  /** Something is to be done once this, and all around it, have committed. */
  wait(act: () => void): void {
    this.#waiting.push(act);
  }

  commit(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const parent = this.#parent?.open;
    for (const undo of this.#undos) parent?.noteUndo(undo);
    for (const act of this.#waiting) {
      if (parent === undefined) act();
      else parent.wait(act);
    }
    this.#forget();
  }

  /** Undoes what was noted, the last first. */
  rollBack(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const undo of this.#undos.toReversed()) undo();
    this.#forget();
  }

  #forget(): void {
    this.#undos = [];
    this.#waiting = [];
  }
}

export class Transactions {
  /** Those whose closure runs, the innermost last. */
  readonly #begun: Transaction[] = [];
  /** Of those, the synchronous one: all that runs belongs to it. */
  #sync: Transaction | undefined;
  readonly #waiting: (() => void)[] = [];

  get areOpen(): boolean {
    return this.#begun.length > 0;
  }

  /** The transaction that the calling code belongs to. */
  get current(): Transaction | undefined {
    const context = contexts.getStore();
    return (this.#sync ?? (context?.of === this ? context : undefined))?.open;
  }

  /** Does it once what was written by now is sure to stay: at once, or when the transaction that it is part of commits. */
  whenCommitted(act: () => void): void {
    // Where its rows are, whoever's code it is.
    const around = this.#begun.findLast(({ open }) => open !== undefined)?.open;
    if (around === undefined) act();
    else around.wait(act);
  }

  /** Runs a synchronous one: what was noted in it is undone if it throws. */
  run<R>(act: () => R): R {
    const outer = this.#sync;
    const transaction = this.begin();
    this.#sync = transaction;
    try {
      const answer = act();
      transaction.commit();
      return answer;
    } catch (error) {
      transaction.rollBack();
      throw error;
    } finally {
      this.#sync = outer;
      this.end(transaction);
    }
  }

  /** One begins, inside of the one that the calling code belongs to. */
  begin(): Transaction {
    const transaction = new Transaction(this, this.current);
    this.#begun.push(transaction);
    return transaction;
  }

  /** It has committed or was rolled back, and others get in again. */
  end(transaction: Transaction): void {
    this.#begun.splice(this.#begun.indexOf(transaction), 1);
    if (this.areOpen) return;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  /** Resolves when none is open. None begins between this and what follows it at once: that takes a turn of its own. */
  async over(): Promise<void> {
    while (this.areOpen) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }
}
