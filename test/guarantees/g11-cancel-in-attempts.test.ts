import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { expectNoMore } from "../support/no-more.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

describe("G11 Cancel is exact, from inside a handler", () => {
  startClockAfterEach();

  /** A first message that acts, and one more that must not run, due with it in the same page. */
  async function pageMates(
    act: (self: ScriptedActor, victim: string) => unknown,
    isAsync: boolean,
  ): Promise<{ box: Scripted; ran: string[] }> {
    stopClockAhead();
    const ran: string[] = [];
    const box = actor((self) => {
      const handle = (victim: unknown): unknown => {
        ran.push("first");
        return act(self, String(victim));
      };
      return {
        receive: {
          warm: () => void ran.push("warm"),
          first: isAsync ? async (victim: unknown) => handle(victim) : handle,
          mate: (n) => void ran.push(`mate ${String(n)}`),
        },
      };
    });
    await box.inside((self) => {
      // Enough of them that a page holds more than one message.
      for (let n = 0; n < 11; n += 1) self.send("warm", undefined);
      const victim = self.sendIn(1, "mate", 1);
      self.send("first", victim);
      self.send("mate", 2);
    });
    moveClock(1);
    await box.drain();
    return { box, ran: ran.filter((name) => name !== "warm") };
  }

  for (const isAsync of [false, true]) {
    const kind = isAsync ? "async" : "sync";

    it(`a page-mate that a ${kind} handler cancels does not begin`, async () => {
      const { box, ran } = await pageMates((self, victim) => expect(self.cancel(victim)).toBe(true), isAsync);
      expect(ran).toEqual(["first", "mate 2"]);
      expect((await box.ref.stats()).pending).toBe(0);
    });

    it(`a page-mate that a ${kind} handler puts off is not taken up now`, async () => {
      const { box, ran } = await pageMates(
        (self, victim) => expect(self.mailbox.reschedule(victim, Date.now() + HOUR)).toBe(true),
        isAsync,
      );
      expect(ran).toEqual(["first", "mate 2"]);
      expect((await box.ref.stats()).pending).toBe(1);
    });
  }

  for (const isPromise of [false, true]) {
    const end = isPromise ? "answers a promise that rejects" : "completes";

    it(`a message that sends its own key and cancels itself does not come again when its plain handler ${end}`, async () => {
      stopClockAhead();
      const answers: boolean[] = [];
      const box = actor((self) => ({
        receive: {
          again: (_, { id }) => {
            self.sendIn(HOUR, "again", undefined, { key: "own", ifPending: "replace" });
            answers.push(self.cancel(id));
            return isPromise ? Promise.reject(new Error("no")) : undefined;
          },
        },
        policy: { backoff: 1 },
      }));
      await box.ref.send("again", undefined, { key: "own" });
      await box.drain();
      moveClock(1_000);
      await box.drain();
      expect(answers).toEqual([true]);
      // What a failed attempt has sent is discarded.
      expect((await box.ref.stats()).pending).toBe(isPromise ? 0 : 1);
    });
  }

  it("a page-mate lives when the sync handler that cancelled it throws", async () => {
    let attempts = 0;
    const { box, ran } = await pageMates((self, victim) => {
      attempts += 1;
      if (attempts > 1) return;
      expect(self.cancel(victim)).toBe(true);
      throw new Error("no");
    }, false);
    expect(ran).toEqual(["first", "mate 2", "mate 1"]);
    expect(box.eventsOf("cancelled")).toEqual([]);
  });

  it("a send of the same attempt, sync or async, is not sent", async () => {
    stopClockAhead();
    const ran: unknown[] = [];
    const ids: string[] = [];
    const run = (self: ScriptedActor): void => {
      const now = self.send("note", "now");
      const later = self.sendIn("1 hour", "note", "later");
      const [a, b] = self.sendAll([
        { type: "note", payload: "a" },
        { type: "note", payload: "b" },
      ]);
      ids.push(now, later, a ?? "", b ?? "");
      for (const id of [now, later, a ?? ""]) expect(self.cancel(id)).toBe(true);
      for (const id of [now, later, a ?? ""]) expect(self.cancel(id)).toBe(false);
    };
    const box = actor((self) => ({
      receive: {
        sync: () => run(self),
        async: async () => run(self),
        promising: () => {
          run(self);
          return Promise.resolve();
        },
        note: (payload) => void ran.push(payload),
      },
    }));
    for (const type of ["sync", "async", "promising"]) await box.ref.send(type, undefined);
    for (let n = 0; n < 3; n += 1) {
      await box.drain();
      moveClock(HOUR);
    }
    expect(ran).toEqual(["b", "b", "b"]);
    expect(new Set(ids).size).toBe(12);
  });

  it("a recurrence that the same attempt declared is not declared", async () => {
    stopClockAhead();
    const box = actor((self) => ({
      receive: {
        begin: async () => {
          expect(self.cancel(self.sendEvery("1 hour", "note", 1))).toBe(true);
        },
        note: () => {},
      },
    }));
    await box.ref.send("begin", undefined);
    await box.drain();
    expect(await box.ref.recurrences()).toEqual({ items: [] });
  });

  for (const what of ["its own message", "its own recurrence", "the mailbox"]) {
    it(`${what}: that neither aborts it nor drops what it sends after`, async () => {
      stopClockAhead();
      const signals: boolean[] = [];
      const box = actor((self) => ({
        receive: {
          work: async (_, { id, recurrence, signal }) => {
            if (what === "the mailbox") await self.mailbox.destroy();
            else expect(self.cancel(what === "its own message" ? id : (recurrence ?? ""))).toBe(true);
            signals.push(signal.aborted);
            self.sendIn("1 hour", "note", "sent");
          },
          note: () => {},
        },
      }));
      if (what === "its own recurrence") await box.ref.sendEvery("1 minute", "work", undefined);
      else await box.ref.sendIn("1 minute", "work", undefined);
      moveClock(60_000);
      await box.drain();
      expect(signals).toEqual([false]);
      expect((await box.ref.pending()).items).toMatchObject([{ payload: "sent" }]);
      expect(box.eventsOf("delivered")).toMatchObject([{ type: "work" }]);
    });
  }

  it("its own message: it ends, and nothing follows", async () => {
    stopClockAhead();
    let runs = 0;
    const box = actor((self) => ({
      receive: {
        work: (_, { id }) => {
          runs += 1;
          expect(self.cancel(id)).toBe(true);
          self.send("note", "still sent");
        },
        failing: (_, { id }) => {
          runs += 1;
          self.cancel(id);
          throw new Error("no");
        },
        asynchronous: async (_, { id }) => {
          runs += 1;
          self.cancel(id);
          await Promise.reject(new Error("no"));
        },
        note: () => {},
      },
    }));
    await box.ref.send("work", undefined);
    await box.ref.send("asynchronous", undefined);
    await box.drain();
    expect(box.eventsOf("delivered").map(({ type }) => type)).toEqual(["work", "note"]);
    await expectNoMore(box, () => runs);
    // What a failed sync attempt did is rolled back, its cancel included.
    await box.ref.send("failing", undefined);
    await box.drain();
    expect((await box.ref.stats()).pending).toBe(1);
  });
});

describe("G11 Cancel is exact, while the message runs", () => {
  startClockAfterEach();

  /** Cancels a message in the middle of its attempt, then lets it end. */
  async function cancelled(end: "resolve" | "throw" | "defer"): Promise<{
    box: Scripted;
    runs: () => number;
    aborted: unknown[];
    id: string;
  }> {
    stopClockAhead();
    let runs = 0;
    const aborted: unknown[] = [];
    // Looked at again and again: a promise that one object makes and a request settles can take workerd down.
    let hasBegun = false;
    let mayEnd = false;
    const box = actor((self) => ({
      receive: {
        work: async (_, { signal, defer }) => {
          runs += 1;
          signal.addEventListener("abort", () => void aborted.push(signal.reason));
          self.send("note", "of the attempt");
          hasBegun = true;
          while (!mayEnd) await scheduler.wait(5);
          if (end === "throw") throw new Error("no");
          if (end === "defer") defer(HOUR);
        },
        note: () => {},
      },
    }));
    const id = await box.ref.send("work", undefined);
    const drained = box.drain();
    await until(() => hasBegun);
    expect(await box.ref.get(id)).toMatchObject({ state: "running" });
    expect(await box.ref.reschedule(id, Date.now() + HOUR)).toBe(false);
    expect(await box.ref.cancel(id)).toBe(true);
    expect(await box.ref.cancel(id)).toBe(false);
    mayEnd = true;
    await drained;
    return { box, runs: () => runs, aborted, id };
  }

  it("aborts its signal, and what it sends is dropped, also when it resolves", async () => {
    const { box, runs, aborted } = await cancelled("resolve");
    expect(aborted).toMatchObject([{ message: "The message was cancelled." }]);
    await box.drain();
    // It has ended once, by the cancel.
    expect(box.events.map(({ event }) => event)).toEqual(["accepted", "cancelled"]);
    await expectNoMore(box, runs);
    expect(runs()).toBe(1);
  });

  it("drops what it sends when its recurrence is cancelled, or the mailbox destroyed", async () => {
    for (const end of ["cancel", "destroy"]) {
      stopClockAhead();
      let aborted: unknown;
      let mayEnd = false;
      const box = actor((self) => ({
        receive: {
          work: async (_, { signal }) => {
            self.send("note", "of the attempt");
            while (!mayEnd) await scheduler.wait(5);
            aborted = signal.reason;
          },
          note: () => {},
        },
      }));
      const id = await box.ref.sendEvery("1 hour", "work", undefined);
      moveClock(HOUR);
      const drained = box.drain();
      await until(() => box.inside((self) => self.mailbox.pending().items[0]?.state === "running"));
      if (end === "cancel") expect(await box.ref.cancel(id)).toBe(true);
      else await box.inside((self) => self.mailbox.destroy());
      mayEnd = true;
      await drained;
      expect(aborted).toBeInstanceOf(Error);
      await expectNoMore(box, () => box.eventsOf("delivered").length);
      expect(box.eventsOf("delivered")).toEqual([]);
    }
  });

  it("leads to no redelivery, no dead letter and no send when it fails", async () => {
    const { box, runs } = await cancelled("throw");
    await expectNoMore(box, runs);
    expect(runs()).toBe(1);
    expect(box.eventsOf("attemptFailed")).toEqual([]);
    expect(box.eventsOf("deadLettered")).toEqual([]);
    expect(box.eventsOf("delivered")).toEqual([]);
  });

  it("leads to no later attempt when it defers itself", async () => {
    const { box, runs, id } = await cancelled("defer");
    expect(await box.ref.get(id)).toBeUndefined();
    expect(box.eventsOf("deferred")).toEqual([]);
    await expectNoMore(box, runs);
    expect(runs()).toBe(1);
  });
});
