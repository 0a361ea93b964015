// Counts every use of storage in this isolate, by whatever handle. While a savepoint is open nothing runs
// but its handlers, so what is counted meanwhile is theirs, and no handle has to be known.
//
// That takes the methods of the platform's classes. They are called as they were, with all they were
// called with, so whoever instruments storage, before or after, by a proxy or by patches of its own, is
// not in the way of this, nor this in theirs. What is not seen is a method that was bound before the
// isolate's first mailbox was made.

let uses = 0;

const watched = new WeakSet<object>();

/** The classes by whose methods anything can be read or written. */
const CLASSES: ReadonlySet<unknown> = new Set([
  "DurableObjectStorage",
  "DurableObjectTransaction",
  "SqlStorage",
  "SyncKvStorage",
]);

/** How often storage has been used in this isolate. */
export function storageUses(): number {
  return uses;
}

/** Has the uses of this handle's class counted; whether they are, which they are not of an unknown class. */
export function watchStorage(handle: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(handle);
  if (prototype === null || !CLASSES.has(prototype.constructor.name)) return false;
  if (watched.has(prototype)) return true;
  watched.add(prototype);
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const method: unknown = property.value;
    // Accessors (`sql`, `kv`, `databaseSize`) write nothing; names in capitals are classes.
    if (!isFunction(method) || !/^[a-z]/.test(name) || name === "constructor") continue;
    Object.defineProperty(prototype, name, { ...property, value: counting(method) });
  }
  return true;
}

function counting(method: (...args: unknown[]) => unknown): unknown {
  return function (this: unknown, ...args: unknown[]): unknown {
    uses += 1;
    return method.apply(this, args);
  };
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function";
}
