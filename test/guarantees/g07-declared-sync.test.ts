// A handler may be declared sync. It is then one of many in one async context, and what is promised of
// it must not depend on that.

import { describe, expect, it } from "vitest";
import { AttemptEndedError, validated } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";
import { z } from "zod";

type Work = (self: ScriptedActor) => unknown;

const BEFORE = 60;

/** An actor whose handler is declared sync, with these works due among many that do nothing. */
async function crowd(works: Record<string, Work>): Promise<Scripted> {
  const box = actor((self) => ({
    policy: { maxAttempts: 1 },
    receive: {
      work: { sync: true, handle: (name) => works[String(name)]?.(self) },
      plain: (name) => works[String(name)]?.(self),
      note: () => {},
    },
  }));
  stopClockAhead();
  const nothing = Array.from({ length: BEFORE }, () => ({ type: "work", payload: "nothing" }));
  const all = Object.keys(works).map((payload) => ({
    type: payload.startsWith("plain") ? "plain" : "work",
    payload,
  }));
  await box.ref.sendAll([...nothing, ...all, ...nothing]);
  return box;
}

const drain = (box: Scripted): Promise<void> => box.drain({ scheduledTime: Date.now() });
const note = (self: ScriptedActor, text: string): string => self.sendIn("1 day", "note", text);

async function notes(box: Scripted): Promise<unknown[]> {
  return (await box.ref.pending({ type: "note" })).items.map(({ payload }) => payload).sort();
}

/** Work that is left behind, and what became of its send. */
function leaving(errors: unknown[]): Work {
  return (self) => {
    self.state.waitUntil(
      scheduler.wait(10).then(() => {
        try {
          note(self, "left over");
        } catch (error) {
          errors.push(error);
        }
      }),
    );
  };
}

describe("G7 A handler that is declared sync", () => {
  startClockAfterEach();

  it("commits its sends with its ack, beside handlers that await", async () => {
    const seen: unknown[] = [];
    const box = await crowd({
      first: (self) => note(self, "first"),
      plainResolves: async (self) => {
        note(self, "before the await");
        await scheduler.wait(1);
        note(self, "after it");
        seen.push(await notes(box));
      },
      second: (self) => note(self, "second"),
      plainRejects: async (self) => {
        note(self, "of one that fails");
        await scheduler.wait(1);
        throw new Error("failed");
      },
      third: (self) => note(self, "third"),
    });
    await drain(box);
    expect(seen).toEqual([["first"]]);
    expect(await notes(box)).toEqual(["after it", "before the await", "first", "second", "third"]);
    expect((await box.ref.deadLetters()).items).toMatchObject([{ payload: "plainRejects" }]);
    expect(box.eventsOf("delivered")).toHaveLength(BEFORE * 2 + 4);
  });

  it("takes back its own sends when it throws, and nothing of its page-mates'", async () => {
    const box = await crowd({
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

  it("has failed when it answers a promise, and nothing of it stays", async () => {
    const box = await crowd({
      promises: (self) => {
        note(self, "thrown away");
        return Promise.reject(new Error("observed by nobody"));
      },
      after: (self) => note(self, "after"),
    });
    await drain(box);
    expect(await notes(box)).toEqual(["after"]);
    const [letter] = (await box.ref.deadLetters()).items;
    expect(letter).toMatchObject({ payload: "promises", reason: "exhausted" });
    expect(letter?.errors[0]).toMatchObject({ name: "RefusedInHandlerError" });
    expect(letter?.errors[0]?.message).toContain("declared sync");
  });

  for (const [when, works] of Object.entries<(errors: unknown[]) => Record<string, Work>>({
    "it has completed": (errors) => ({ leaves: leaving(errors) }),
    "it has failed": (errors) => ({
      leaves: (self) => {
        leaving(errors)(self);
        throw new Error("failed");
      },
    }),
    "another awaits meanwhile": (errors) => ({
      leaves: leaving(errors),
      plainRejects: async () => {
        await scheduler.wait(30);
        throw new Error("failed");
      },
    }),
  })) {
    it(`leaves nothing behind that may send: it is refused when ${when}`, async () => {
      const errors: unknown[] = [];
      const box = await crowd(works(errors));
      await drain(box);
      await until(() => errors.length > 0);
      expect(errors[0]).toBeInstanceOf(AttemptEndedError);
      expect(await notes(box)).toEqual([]);
    });
  }

  it("leaves nothing behind that may send, when it was alone or leased", async () => {
    stopClockAhead();
    const errors: unknown[] = [];
    let runs = 0;
    const box = actor((self) => ({
      policy: { backoff: 1 },
      receive: {
        note: () => {},
        work: {
          sync: true,
          handle: () => {
            leaving(errors)(self);
            runs += 1;
            if (runs === 1) throw new Error("once");
          },
        },
      },
    }));
    await box.ref.send("work", undefined);
    await drain(box);
    moveClock(1);
    await drain(box);
    await until(() => errors.length === 2);
    for (const error of errors) expect(error).toBeInstanceOf(AttemptEndedError);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, delivered: 1 });
  });

  it("disturbs no other object when it kills its own", async () => {
    const killer = await crowd({ kills: (self) => self.state.abort("killed by its handler") });
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

  it("may have a policy and a schema, as any", async () => {
    const seen: unknown[] = [];
    const box = actor({
      receive: {
        work: validated(z.any(), (n) => void seen.push(n), { sync: true, maxAttempts: 2 }),
      },
    });
    await box.ref.sendAll(Array.from({ length: 30 }, (_, n) => ({ type: "work", payload: n })));
    await until(() => seen.length === 30);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  for (const work of [
    { sync: true, handle: async () => {} },
    { sync: "yes", handle: () => {} },
  ]) {
    it(`is refused as ${work.handle.constructor.name} with sync: ${JSON.stringify(work.sync)}`, async () => {
      const box = actor({ receive: { work: work as never } });
      await box.inside((self) => expect(() => self.send("work", undefined)).toThrow(/receive.work.sync is/));
    });
  }
});
