// The transaction of sync handlers: one savepoint for all that follow each other and leave storage
// alone, up to and including the first that uses it.
//
// A savepoint costs as much as everything else of a small message together. A rollback takes back what
// was written since it was opened: nothing, but for the handler that has used storage last. So handlers
// that share one are as atomic as if each had its own.

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
  #isOpen = false;
  #isUsed = false;
  #closing: Closing | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether another handler may follow in the same savepoint. */
  get isShared(): boolean {
    return this.#isOpen && !this.#isUsed && this.#closing === undefined;
  }

  /** Something was read or written. */
  used(): void {
    this.#isUsed = true;
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
    try {
      this.#storage.transactionSync(() => {
        this.#isUsed = false;
        call();
        if (this.#isUsed && this.#closing?.isThrown === true) throw ROLLBACK;
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

/**
 * Has every use of storage told, by whatever handle and since whenever somebody holds it. A function
 * that was bound before, as in `const exec = ctx.storage.sql.exec.bind(ctx.storage.sql)`, is not seen.
 */
export function tellOfUse(handle: object, used: () => void): void {
  const prototype: object = Object.getPrototypeOf(handle);
  for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    // Getters (`sql`, `kv`, `databaseSize`) write nothing; names in capitals are classes.
    if (!isFunction(method) || !/^[a-z]/.test(name) || name === "constructor") continue;
    Object.defineProperty(handle, name, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]): unknown => {
        used();
        return method.call(handle, ...args);
      },
    });
  }
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function";
}
