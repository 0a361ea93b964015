// Storage that fails, as that of an isolate does which a deploy has superseded. It stands under the
// mailbox: the classes of the storage are patched, and one instance of one object is told to fail.

import { actor, type ScriptedActor } from "./scripted.ts";

/** One call of the storage. */
export interface StorageCall {
  readonly method: "exec" | "transactionSync" | "commit" | "sync" | "setAlarm" | "deleteAlarm";
  /** The statement of `exec`. */
  readonly text: string;
}

/** Which calls fail, and what all were that came after the first of them. */
export interface Fault {
  readonly after: StorageCall[];
  hasFailed: boolean;
}

interface Plan extends Fault {
  readonly error: Error;
  readonly fails: (call: StorageCall, hasFailed: boolean) => boolean;
}

const plans = new WeakMap<object, Plan>();
let isInstalled = false;

/** What the platform says when it has put new code in the place of the one that runs. */
export function superseded(): Error {
  return Object.assign(new Error("Durable Object reset because its code was updated."), {
    retryable: true,
    durableObjectReset: true,
  });
}

/**
 * Lets the storage of this instance fail, and of no other, from the first call on that is meant: that
 * one and all that follow, or it alone. A commit that fails takes back what its transaction did.
 */
export function failFrom(
  self: ScriptedActor,
  isMeant: (call: StorageCall) => boolean = () => true,
  error: Error = superseded(),
): Fault {
  return plan(self, error, (call, hasFailed) => hasFailed || isMeant(call));
}

/** @see {@link failFrom} */
export function failOnce(self: ScriptedActor, isMeant: (call: StorageCall) => boolean, error: Error): Fault {
  return plan(self, error, (call, hasFailed) => !hasFailed && isMeant(call));
}

function plan(self: ScriptedActor, error: Error, fails: Plan["fails"]): Fault {
  const made: Plan = { after: [], hasFailed: false, error, fails };
  plans.set(self.realStorage, made);
  plans.set(self.realStorage.sql, made);
  return made;
}

/** The calls that would have written something. */
export function writesOf(calls: readonly StorageCall[]): StorageCall[] {
  return calls.filter(({ method, text }) => method !== "exec" || !/^\s*SELECT\b/i.test(text));
}

function pass(storage: object, method: StorageCall["method"], text = ""): void {
  const made = plans.get(storage);
  if (made === undefined) return;
  const call: StorageCall = { method, text: text.replaceAll(/\s+/g, " ").trim() };
  if (made.hasFailed) made.after.push(call);
  if (!made.fails(call, made.hasFailed)) return;
  made.hasFailed = true;
  throw made.error;
}

/** Patches the classes of the storage; for `beforeAll`. */
export async function installFaults(): Promise<void> {
  if (isInstalled) return;
  isInstalled = true;
  await actor({ receive: {} }).inside(({ realStorage }) => {
    const storage = Object.getPrototypeOf(realStorage) as DurableObjectStorage;
    const sql = Object.getPrototypeOf(realStorage.sql) as SqlStorage;
    const { exec } = sql;
    const { transactionSync, sync, setAlarm, deleteAlarm } = storage;
    Object.assign(sql, {
      exec(this: SqlStorage, text: string, ...bindings: unknown[]): unknown {
        pass(this, "exec", text);
        return Reflect.apply(exec, this, [text, ...bindings]);
      },
    });
    Object.assign(storage, {
      transactionSync(this: DurableObjectStorage, closure: () => unknown): unknown {
        pass(this, "transactionSync");
        const whole = (): unknown => {
          const answer = closure();
          pass(this, "commit");
          return answer;
        };
        return Reflect.apply(transactionSync, this, [whole]);
      },
      async sync(this: DurableObjectStorage): Promise<void> {
        pass(this, "sync");
        await Reflect.apply(sync, this, []);
      },
      setAlarm(this: DurableObjectStorage, at: number): Promise<void> {
        pass(this, "setAlarm");
        return Reflect.apply(setAlarm, this, [at]);
      },
      deleteAlarm(this: DurableObjectStorage): Promise<void> {
        pass(this, "deleteAlarm");
        return Reflect.apply(deleteAlarm, this, []);
      },
    });
  });
}
