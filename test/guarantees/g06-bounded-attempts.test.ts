import { describe, expect, it } from "vitest";
import { AttemptEndedError, AttemptTimedOutError, NonRetryableError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor whose `work` fails as it is told to, beside a neighbour that is due right after. */
function failing(handle: (self: ScriptedActor, attempt: number) => unknown, maxAttempts = 2): Scripted {
  return actor((self) => ({
    receive: {
      work: { maxAttempts, backoff: 1_000, timeout: 50, handle: (_, { attempt }) => handle(self, attempt) },
      neighbour: () => {},
    },
  }));
}

/** Sends both, and drains until all attempts must have been made; the dead letter of `work`. */
async function letterOf(box: Scripted): ReturnType<Scripted["ref"]["deadLetter"]> {
  stopClock();
  const id = await box.ref.sendIn("1 hour", "work", undefined);
  await box.ref.sendIn("1 hour", "neighbour", undefined);
  moveClock(HOUR);
  await box.drain();
  expect(box.eventsOf("delivered")).toMatchObject([{ type: "neighbour" }]);
  for (let round = 0; round < 4; round += 1) {
    moveClock(1_000);
    await box.drain();
  }
  expect((await box.ref.stats()).pending).toBe(0);
  return box.ref.deadLetter(id);
}

/** Whatever can be thrown. */
const thrown: Record<string, () => unknown> = {
  "an error": () => new Error("plain"),
  "a string": () => "just text",
  undefined: () => undefined,
  null: () => null,
  "a symbol": () => Symbol("thrown"),
  "a bigint": () => 12n,
  "a function": () => () => {},
  "an object without a prototype": () => Object.create(null) as unknown,
  "a frozen error": () => Object.freeze(new Error("frozen")),
  "an error with a message of 1 MB": () => new Error("é".repeat(512 * 1024)),
  "a string of 1 MB": () => "é".repeat(512 * 1024),
  "an error with half a surrogate pair": () => new Error("\ud800"),
  "an error whose message throws": () =>
    Object.defineProperty(new Error("x"), "message", { get: () => raise("message") }),
  "an error whose name throws": () =>
    Object.defineProperty(new Error("x"), "name", { get: () => raise("name") }),
  "an error whose stack throws": () =>
    Object.defineProperty(new Error("x"), "stack", { get: () => raise("stack") }),
  "an error whose retryAfter throws": () =>
    Object.defineProperty(new Error("x"), "retryAfter", { get: () => raise("retryAfter") }),
  "an error whose message is no text": () => Object.assign(new Error("x"), { message: { toString: null } }),
  "an object that refers to itself": () => {
    const loop: Record<string, unknown> = {};
    loop["loop"] = loop;
    return loop;
  },
  "an object whose toJSON throws": () => ({ toJSON: () => raise("toJSON") }),
  "a proxy that throws on every look": () => {
    const trap = (): never => raise("trap");
    return new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap, ownKeys: trap });
  },
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "an error whose cause is itself": () => {
    const error = new Error("loop");
    error.cause = error;
    return error;
  },
  "an AggregateError": () => new AggregateError([new Error("a"), new Error("b")], "both"),
};

function withThen(descriptor: PropertyDescriptor, name = "then"): object {
  return Object.defineProperty({}, name, descriptor);
}

function thenable(
  then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void,
): object {
  return withThen({ value: then });
}

function raise(what: string): never {
  throw new Error(`the ${what} throws`);
}

/** Errors that look like the platform's own. */
const lookalikes: Record<string, () => Error> = {
  "a retryable one": () => Object.assign(new Error("Network connection lost."), { retryable: true }),
  "one of a neighbour that was reset": () =>
    Object.assign(new Error("Durable Object reset because its code was updated."), {
      retryable: true,
      remote: true,
      durableObjectReset: true,
    }),
  "one of a neighbour over its memory": () =>
    new Error("Durable Object's isolate exceeded its memory limit and was reset."),
  "one of an overloaded neighbour": () =>
    Object.assign(new Error("Durable Object is overloaded. Too many requests queued."), { overloaded: true }),
  "one of storage": () => new Error("Internal error in Durable Object storage caused object to be reset."),
  "one of SQLite": () => new Error("database or disk is full: SQLITE_FULL"),
};

describe("G6 Bounded attempts, whatever the handler does", () => {
  startClockAfterEach();

  it.for(Object.entries(thrown))("counts %s that is thrown as an attempt", async ([, make]) => {
    for (const handle of [
      () => {
        throw make();
      },
      async () => {
        await Promise.resolve();
        throw make();
      },
      () => Promise.reject(make()),
    ]) {
      const letter = await letterOf(failing(handle));
      expect(letter).toMatchObject({ reason: "exhausted", attempts: 2 });
      expect(letter?.errors.map(({ outcome }) => outcome)).toEqual(["threw", "threw"]);
      for (const { name, message, stack = "" } of letter?.errors ?? []) {
        expect(new TextEncoder().encode(name + message + stack).length).toBeLessThanOrEqual(4096);
        expect((name + message + stack).isWellFormed()).toBe(true);
      }
    }
  });

  it.for(Object.entries(lookalikes))("counts %s like any other error", async ([, make]) => {
    for (const handle of [
      () => {
        throw make();
      },
      async () => {
        await scheduler.wait(1);
        throw make();
      },
    ]) {
      const box = failing(handle);
      expect(await letterOf(box)).toMatchObject({ reason: "exhausted", attempts: 2 });
      // The object was not reset for it.
      expect((await box.ref.stats()).delivered).toBe(1);
    }
  });

  it("counts the real error of storage that a handler's own statement throws", async () => {
    const box = failing((self) => self.state.storage.sql.exec("SELECT * FROM nowhere"));
    const letter = await letterOf(box);
    expect(letter).toMatchObject({ reason: "exhausted", attempts: 2 });
    expect(letter?.errors[0]?.message).toContain("no such table: nowhere");
  });

  it("counts the real error of a neighbour that was reset", async () => {
    const neighbour = actor({ receive: {}, construct: (self) => self.state.abort("reset by a test") });
    const box = failing(() => neighbour.stub().mailboxCall("anything"));
    const letter = await letterOf(box);
    expect(letter).toMatchObject({ reason: "exhausted", attempts: 2 });
    expect(letter?.errors[0]?.message).toContain("reset by a test");
  });

  describe("when what it returns misbehaves:", () => {
    const returned: Record<string, () => unknown> = {
      "an object whose then throws on a look": () => withThen({ get: () => raise("then") }),
      "a proxy that throws on every look": () =>
        new Proxy({}, { get: () => raise("get"), has: () => raise("has") }),
      "a thenable that throws": () => thenable(() => raise("then")),
      "a thenable that rejects": () => thenable((_, reject) => reject("no")),
      "a promise whose constructor throws on a look": () =>
        Object.defineProperty(Promise.resolve(), "constructor", { get: () => raise("constructor") }),
    };

    it.for(Object.entries(returned))("%s has failed", async ([, make]) => {
      expect(await letterOf(failing(make))).toMatchObject({ reason: "exhausted", attempts: 2 });
    });

    it("a thenable that resolves has completed, and so has an object whose then is no function", async () => {
      stopClock();
      const box = actor({
        receive: {
          thenable: () => thenable((resolve) => resolve(undefined)),
          plain: () => withThen({ value: "not a function" }),
          fn: () => () => raise("never called"),
        },
      });
      await box.ref.sendAll(
        ["thenable", "plain", "fn"].map((type) => ({ type, payload: undefined, in: "1 hour" })),
      );
      moveClock(HOUR);
      await box.drain();
      expect(box.eventsOf("delivered")).toHaveLength(3);
    });

    it("an async function behind a proxy that throws before it answers has failed", async () => {
      const traced = new Proxy(async () => {}, { apply: () => raise("apply") });
      const box = actor({ receive: { work: traced, neighbour: () => {} }, policy: { maxAttempts: 1 } });
      expect(await letterOf(box)).toMatchObject({ reason: "exhausted", attempts: 1 });
    });
  });

  it("counts a handler that never settles, and tells it by its signal", async () => {
    const reasons: unknown[] = [];
    const box = actor({
      receive: {
        work: {
          maxAttempts: 2,
          backoff: 1_000,
          timeout: 30,
          handle: async (_, { signal }) => {
            signal.addEventListener("abort", () => void reasons.push(signal.reason));
            await new Promise(() => {});
          },
        },
        neighbour: () => {},
      },
    });
    const letter = await letterOf(box);
    expect(letter).toMatchObject({ reason: "timedOut", attempts: 2 });
    expect(letter?.errors.map(({ outcome, name }) => [outcome, name])).toEqual([
      ["timedOut", "AttemptTimedOutError"],
      ["timedOut", "AttemptTimedOutError"],
    ]);
    expect(reasons.every((reason) => reason instanceof AttemptTimedOutError)).toBe(true);
    expect(reasons).toHaveLength(2);
  });

  it("counts a thenable and a plain function's promise that never settle", async () => {
    for (const handle of [() => thenable(() => {}), () => new Promise(() => {})]) {
      expect(await letterOf(failing(handle))).toMatchObject({ reason: "timedOut", attempts: 2 });
    }
  });

  it("goes on when a listener of the signal throws, and refuses what such a listener sends", async () => {
    const refusals: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        work: {
          maxAttempts: 1,
          timeout: 30,
          handle: async (_, { signal }) => {
            signal.addEventListener("abort", () => {
              try {
                self.send("neighbour", "from a listener");
              } catch (error) {
                refusals.push(error);
              }
              throw new Error("a listener throws");
            });
            await new Promise(() => {});
          },
        },
        neighbour: () => {},
      },
    }));
    expect(await letterOf(box)).toMatchObject({ reason: "timedOut", attempts: 1 });
    expect(refusals).toMatchObject([{ name: "AttemptEndedError" }]);
    expect(refusals[0]).toBeInstanceOf(AttemptEndedError);
  });

  it("ends at once with NonRetryableError, also one that has lost its class, and says so", async () => {
    for (const error of [
      new NonRetryableError("no use"),
      Object.assign(new Error("no use"), { name: "NonRetryableError" }),
    ]) {
      for (const handle of [
        () => {
          throw error;
        },
        async () => Promise.reject(error),
      ]) {
        const letter = await letterOf(failing(handle, 100));
        expect(letter).toMatchObject({ reason: "rejected", attempts: 1 });
        expect(letter?.errors).toMatchObject([{ outcome: "rejected", message: "no use" }]);
      }
    }
  });

  it("makes exactly maxAttempts attempts, from 1 on", async () => {
    for (const maxAttempts of [1, 2, 5]) {
      const attempts: number[] = [];
      const box = failing((_, attempt) => {
        attempts.push(attempt);
        raise("handler");
      }, maxAttempts);
      expect(await letterOf(box)).toMatchObject({ attempts: maxAttempts });
      expect(attempts).toEqual(Array.from({ length: maxAttempts }, (__, n) => n + 1));
    }
  });

  describe("a defer", () => {
    it("costs no attempt, and the last call wins", async () => {
      const now = stopClock();
      const attempts: number[] = [];
      const box = actor({
        receive: {
          work: (_, { attempt, defer }) => {
            attempts.push(attempt);
            if (attempts.length > 3) return;
            defer("1 day");
            defer("1 minute");
          },
        },
        policy: { maxAttempts: 1 },
      });
      const id = await box.ref.sendLater(now, "work", undefined);
      await box.drain();
      expect(await box.ref.get(id)).toMatchObject({ dueAt: now + 60_000, attempts: 0 });
      for (let round = 0; round < 4; round += 1) {
        moveClock(60_000);
        await box.drain();
      }
      expect(attempts).toEqual([1, 1, 1, 1]);
      expect(box.eventsOf("delivered").length + box.eventsOf("deferred").length).toBeGreaterThan(3);
    });

    it("is outweighed by a throw", async () => {
      const letter = await letterOf(
        actor({
          receive: {
            work: {
              maxAttempts: 2,
              backoff: 1_000,
              handle: (_, { defer }) => {
                defer("1 minute");
                raise("handler");
              },
            },
            neighbour: () => {},
          },
        }),
      );
      expect(letter).toMatchObject({ reason: "exhausted", attempts: 2 });
    });

    it("is given 1,000 times; asked for again it throws, which is an attempt", async () => {
      stopClock();
      let runs = 0;
      const box = actor({
        receive: {
          work: {
            maxAttempts: 1,
            handle: (_, { defer }) => {
              runs += 1;
              defer(0);
            },
          },
          neighbour: () => {},
        },
      });
      const id = await box.ref.sendIn("1 hour", "work", undefined);
      moveClock(HOUR);
      await until(async () => {
        await box.drain();
        return (await box.ref.deadLetter(id)) !== undefined;
      });
      expect(runs).toBe(1_001);
      expect(await box.ref.deadLetter(id)).toMatchObject({
        attempts: 1,
        errors: [{ name: "InvalidDeliveryError" }],
      });
    });
  });
});
