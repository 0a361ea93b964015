// A handler that has always been synchronous shares its async context with its page-mates. What is
// promised of it must not depend on that: not when it answers a promise for the first time, not when it
// fails, and not when it leaves work behind.

import { describe, expect, it } from "vitest";
import { AttemptEndedError } from "../../actors/index.ts";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

type Work = (self: ScriptedActor) => unknown;

const BEFORE = 60;

/** An actor whose plain handler has completed many times at once, and then meets this work, among others. */
async function used(works: Record<string, Work>): Promise<Scripted> {
  const box = actor((self) => ({
    policy: { maxAttempts: 1 },
    receive: {
      work: (name) => works[String(name)]?.(self),
      note: () => {},
    },
  }));
  stopClockAhead();
  const nothing = Array.from({ length: BEFORE }, () => ({ type: "work", payload: "nothing" }));
  await box.ref.sendAll(nothing);
  await box.drain({ scheduledTime: Date.now() });
  expect(box.eventsOf("delivered")).toHaveLength(BEFORE);
  await box.ref.sendAll(
    [...nothing, ...Object.keys(works), ...nothing].map((work) =>
      typeof work === "string" ? { type: "work", payload: work } : work,
    ),
  );
  return box;
}

const drain = (box: Scripted): Promise<void> => box.drain({ scheduledTime: Date.now() });

const note = (self: ScriptedActor, text: string): string => self.sendIn("1 day", "note", text);

async function notes(box: Scripted): Promise<unknown[]> {
  return (await box.ref.pending({ type: "note" })).items.map(({ payload }) => payload).sort();
}

describe("G7 A handler that was always synchronous", () => {
  startClockAfterEach();

  it("commits its sends with its ack when it answers a promise for once", async () => {
    const seen: unknown[] = [];
    const box = await used({
      first: (self) => note(self, "sync, before"),
      resolves: async (self) => {
        note(self, "before the await");
        await scheduler.wait(1);
        note(self, "after it");
        seen.push(await notes(box));
      },
      second: (self) => note(self, "sync, between"),
      rejects: async (self) => {
        note(self, "before the await of one that fails");
        await scheduler.wait(1);
        note(self, "after it, of one that fails");
        throw new Error("failed");
      },
      third: (self) => note(self, "sync, after"),
    });
    await drain(box);
    expect(seen).toEqual([["sync, before"]]);
    expect(await notes(box)).toEqual(
      ["after it", "before the await", "sync, after", "sync, before", "sync, between"].sort(),
    );
    expect(box.eventsOf("delivered")).toHaveLength(BEFORE * 3 + 4);
    expect((await box.ref.deadLetters()).items).toMatchObject([{ payload: "rejects", attempts: 1 }]);
  });

  it("takes back its own sends when it throws, and nothing of its page-mates'", async () => {
    const box = await used({
      first: (self) => note(self, "first"),
      throws: (self) => {
        note(self, "thrown away");
        throw new Error("failed");
      },
      second: (self) => note(self, "second"),
    });
    await drain(box);
    expect(await notes(box)).toEqual(["first", "second"]);
    expect((await box.ref.deadLetters()).items).toMatchObject([{ payload: "throws" }]);
  });

  it("disturbs no other object when it kills its own", async () => {
    const killer = await used({ kills: (self) => self.state.abort("killed by its handler") });
    await drain(killer).catch(() => {});
    const other = actor((self) => ({
      policy: { maxAttempts: 1 },
      receive: {
        note: () => {},
        fails: async () => {
          note(self, "sent by an attempt that fails");
          await scheduler.wait(1);
          throw new Error("failed");
        },
      },
    }));
    await other.ref.send("fails", undefined);
    await drain(other);
    expect(await other.ref.stats()).toMatchObject({ deadLetters: 1, pending: 0 });
  });

  it("leaves work behind whose sends are their own, also beside one that fails", async () => {
    const box = await used({
      leaves: (self) => {
        self.state.waitUntil(scheduler.wait(20).then(() => note(self, "left over")));
      },
      throws: () => {
        throw new Error("failed");
      },
    });
    await drain(box);
    await until(async () => (await notes(box)).length === 1);
    expect(await notes(box)).toEqual(["left over"]);
  });

  it("leaves work behind that is refused once it failed, as soon as it is known to leave any", async () => {
    const refusals: unknown[] = [];
    const left = (self: ScriptedActor): void =>
      self.state.waitUntil(
        scheduler.wait(10).then(() => {
          try {
            note(self, "zombie");
          } catch (error) {
            refusals.push(error);
          }
        }),
      );
    const box = await used({
      leaves: left,
      leavesAndThrows: (self) => {
        left(self);
        throw new Error("failed");
      },
    });
    await box.ref.cancel(
      (await box.ref.pending()).items.find((item) => item.payload === "leavesAndThrows")?.id ?? "",
    );
    await drain(box);
    await until(async () => (await notes(box)).length === 1);
    await box.ref.sendAll(
      ["nothing", "leavesAndThrows", "nothing"].map((payload) => ({ type: "work", payload })),
    );
    await drain(box);
    await until(() => refusals.length > 0);
    expect(refusals[0]).toBeInstanceOf(AttemptEndedError);
    expect(await notes(box)).toEqual(["zombie"]);
  });
});
