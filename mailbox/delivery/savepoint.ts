// The transaction of sync handlers: one savepoint for all that follow each other and leave storage
// alone, up to and including the first that uses it.
//
// A savepoint costs as much as everything else of a small message together. A rollback takes back what
// was written since it was opened: nothing, but for the handler that has used storage last. So handlers
// that share one are as atomic as if each had its own.

import { storageUses, watchStorage } from "../host/storage-uses.ts";

/** How the last handler of a savepoint has ended, and what is to be done when the savepoint is closed. */
export interface Closing {
  /** It has thrown: what it has written is rolled back. */
  readonly isThrown: boolean;
  /** Called when it has thrown, or what it did cannot be committed: nothing of it is there any more. */
  undone(): void;
  /** Called when the savepoint is closed. Answers a promise while more is to be waited for. */
  closed(): Promise<void> | undefined;
}

const ROLLBACK = Symbol("rollback");

export class Savepoint {
  readonly #storage: DurableObjectStorage;
  /** Whether uses of this storage are seen. Where they are not, each handler has a savepoint of its own. */
  readonly #isWatched: boolean;
  #isOpen = false;
  /** How often storage had been used when it was opened. */
  #usesBefore = 0;
  /** How many handlers have begun in it. */
  #begun = 0;
  #closing: Closing | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#isWatched = [storage, storage.sql, storage.kv].every((handle) => watchStorage(handle));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether another handler may follow in the same savepoint. */
  get isShared(): boolean {
    return this.#isOpen && !this.#isUsed && this.#closing === undefined;
  }

  /** Whether anything may have been read or written since it was opened. */
  get #isUsed(): boolean {
    return !this.#isWatched || storageUses() !== this.#usesBefore;
  }

  /** A handler begins in it. */
  begin(): void {
    this.#begun += 1;
  }

  /** The handler that runs is the last of its savepoint. */
  close(closing: Closing): void {
    this.#closing = closing;
  }

  /**
   * Calls what runs sync handlers, one or many. What it throws is no handler's: it is our own.
   *
   * A crash before this has committed leaves nothing of the handlers in it. They run again, also those
   * that have ended well, because acks are not on disk before the page ends.
   */
  around(call: () => void): Promise<void> | undefined {
    this.#isOpen = true;
    this.#closing = undefined;
    this.#begun = 0;
    try {
      this.#storage.transactionSync(() => {
        this.#usesBefore = storageUses();
        call();
        // One that is alone in it is rolled back also when no use was seen: there is nobody else's to lose.
        if (this.#closing?.isThrown === true && (this.#isUsed || this.#begun === 1)) throw ROLLBACK;
      });
    } catch (error) {
      if (error !== ROLLBACK) {
        this.#close()?.undone();
        throw error;
      }
    }
    const closing = this.#close();
    if (closing?.isThrown === true) closing.undone();
    return closing?.closed();
  }

  #close(): Closing | undefined {
    const closing = this.#closing;
    this.#closing = undefined;
    this.#isOpen = false;
    return closing;
  }
}
