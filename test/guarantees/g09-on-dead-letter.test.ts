import { describe, expect, it } from "vitest";
import { type DeadLetter, type Delivery, InvalidDeliveryError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

/** An actor whose messages die at once, and what its hook does. */
function dying(hook: (letter: DeadLetter, delivery: Delivery, self: ScriptedActor) => unknown): {
  box: Scripted;
  calls: { id: string; attempt: number }[];
} {
  const calls: { id: string; attempt: number }[] = [];
  const box = actor((self) => ({
    receive: {
      note: {
        maxAttempts: 1,
        handle: () => {
          throw new Error("no");
        },
      },
      obituary: () => {},
    },
    onDeadLetter: (letter, delivery) => {
      calls.push({ id: letter.id, attempt: delivery.attempt });
      return hook(letter, delivery, self);
    },
  }));
  return { box, calls };
}

describe("G9 onDeadLetter", () => {
  startClockAfterEach();

  it("runs once, after the letter was written, with all that the letter says", async () => {
    stopClock();
    let found: unknown;
    const { box, calls } = dying((letter, _, self) => {
      found = self.mailbox.deadLetter(letter.id);
      expect(letter).toMatchObject({ type: "note", payload: { n: 1 }, reason: "exhausted", attempts: 1 });
    });
    const id = await box.ref.send("note", { n: 1 });
    await box.drain();
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1, leased: 0 });
    moveClock(3_000);
    await box.drain();
    moveClock(3_000);
    await box.drain();
    expect(calls).toEqual([{ id, attempt: 1 }]);
    expect(found).toMatchObject({ id });
    expect(await box.ref.stats()).toMatchObject({ deadLetters: 1, leased: 0 });
  });

  it("may send, in the commit of its end", async () => {
    stopClock();
    const { box } = dying(async (letter, _, self) => {
      self.sendIn("1 hour", "obituary", letter.id);
      await Promise.resolve();
    });
    const id = await box.ref.send("note", 1);
    await box.drain();
    const { items } = await box.ref.pending();
    expect(items).toMatchObject([{ type: "obituary", payload: id }]);
  });

  it("is told that it cannot be deferred", async () => {
    stopClock();
    let refusal: unknown;
    const { box } = dying((_, delivery) => {
      try {
        delivery.defer("1 hour");
      } catch (error) {
        refusal = error;
      }
    });
    await box.ref.send("note", 1);
    await box.drain();
    expect(refusal).toBeInstanceOf(InvalidDeliveryError);
    expect(String(refusal)).toContain("onDeadLetter cannot be deferred");
  });

  it("sends nothing when it throws, is tried three times, and never changes the letter", async () => {
    stopClock();
    const { box, calls } = dying((letter, _, self) => {
      self.send("obituary", letter.id);
      throw new Error("the hook's own");
    });
    const id = await box.ref.send("note", 1);
    await box.drain();
    const before = await box.ref.deadLetter(id);
    for (let wakes = 0; wakes < 5; wakes += 1) {
      moveClock(10_000);
      await box.drain();
    }
    expect(calls.map((call) => call.attempt)).toEqual([1, 2, 3]);
    expect(box.eventsOf("hookFailed")).toMatchObject([
      { id, attempt: 1, maxAttempts: 3, error: { message: "the hook's own" } },
      { attempt: 2, nextAt: expect.any(Number) as number },
      { attempt: 3, nextAt: undefined },
    ]);
    expect(await box.ref.deadLetter(id)).toEqual(before);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 1, leased: 0 });
  });

  it("is tried again, and bounded, when it kills the object", async () => {
    const { box, calls } = dying((_, __, self) => {
      self.state.abort("the hook's own");
    });
    const id = await box.ref.send("note", 1);
    await until(() => calls.length === 3, "three tries");
    await until(async () => {
      try {
        const { leased, nextWake } = await box.ref.stats();
        return leased === 0 && (nextWake ?? Number.POSITIVE_INFINITY) > Date.now() + 60_000;
      } catch {
        return false;
      }
    }, "peace");
    expect(calls).toHaveLength(3);
    expect(await box.ref.deadLetter(id)).toMatchObject({ reason: "exhausted" });
  });

  it("does not run for a letter that was purged or redriven before its turn", async () => {
    stopClock();
    const { box, calls } = dying((letter, _, self) => {
      for (const other of self.mailbox.deadLetters().items)
        if (other.id !== letter.id) self.mailbox.purge(other.id);
    });
    await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "note", payload: n })));
    await box.drain();
    expect(calls).toHaveLength(1);
  });

  it("lets the messages that are due go first", async () => {
    const order: string[] = [];
    const box = actor({
      receive: {
        note: {
          maxAttempts: 1,
          handle: () => {
            throw new Error("no");
          },
        },
        obituary: () => void order.push("message"),
      },
      onDeadLetter: () => void order.push("hook"),
    });
    await box.ref.pause();
    await box.ref.sendAll([
      { type: "note", payload: 1 },
      { type: "obituary", payload: 2 },
    ]);
    await box.ref.resume();
    await until(() => order.length === 2);
    expect(order).toEqual(["message", "hook"]);
  });
});
