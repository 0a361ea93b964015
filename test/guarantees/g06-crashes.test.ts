import { describe, expect, it } from "vitest";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** Waits for a message to be a dead letter; asks now and then, as a busy object would be asked. */
function dead(box: Scripted, id: string, isAsked = true): ReturnType<Scripted["ref"]["deadLetter"]> {
  return until(async () => {
    if (isAsked) return box.ref.deadLetter(id).catch(() => undefined);
    return box.eventsOf("deadLettered").length > 0 ? box.ref.deadLetter(id) : undefined;
  }, "the dead letter");
}

// Real kills, and the platform's own re-runs, which come two seconds after each.
describe("G6 Bounded attempts, when the handler kills its object", () => {
  for (const kind of ["sync", "async"] as const) {
    it(`counts the attempts that a lease was written for, of a ${kind} handler, and delivers all others`, async () => {
      let runs = 0;
      const seen: unknown[] = [];
      const box = actor((self) => ({
        receive: {
          killer: {
            maxAttempts: 3,
            backoff: 10,
            handle:
              kind === "sync"
                ? () => {
                    runs += 1;
                    self.state.abort("killed by its handler");
                  }
                : async () => {
                    runs += 1;
                    await scheduler.wait(1);
                    self.state.abort("killed by its handler");
                  },
          },
          note: (payload) => void seen.push(payload),
        },
      }));
      await box.ref.pause();
      await box.ref.send("note", "before");
      const id = await box.ref.send("killer", undefined);
      await box.ref.send("note", "after");
      await box.ref.resume();
      const letter = await dead(box, id);
      expect(letter).toMatchObject({ reason: "crashed", attempts: 3 });
      expect(letter?.errors.map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
        ["crashed", 1],
        ["crashed", 2],
        ["crashed", 3],
      ]);
      expect(runs).toBeGreaterThanOrEqual(3);
      // The first run, in a healthy wake, had no lease.
      expect(runs).toBeLessThanOrEqual(3 + 2);
      await until(async () => (await box.ref.stats()).pending === 0);
      expect(new Set(seen)).toEqual(new Set(["before", "after"]));
      expect((await box.ref.stats()).leased).toBe(0);
    });
  }

  it("needs nobody to ask: the platform's clock is enough", async () => {
    let runs = 0;
    const box = actor((self) => ({
      receive: {
        killer: {
          maxAttempts: 2,
          backoff: 10,
          handle: () => {
            runs += 1;
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const id = await box.ref.send("killer", undefined);
    expect(await dead(box, id, false)).toMatchObject({ reason: "crashed", attempts: 2 });
    expect(runs).toBeLessThanOrEqual(2 + 2);
  });

  it("bounds a message that came due only after its wake had begun, in the middle of a page", async () => {
    let runs = 0;
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        slow: async () => scheduler.wait(60),
        note: (payload) => void seen.push(payload),
        killer: {
          maxAttempts: 2,
          backoff: 10,
          handle: () => {
            runs += 1;
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const now = Date.now();
    // The alarm is that of the first; the others come due while it runs, and are one page after it.
    await box.ref.sendAll([
      { type: "slow", payload: undefined, at: now + 50 },
      ...Array.from({ length: 40 }, (_, n) => ({ type: "note", payload: n, at: now + 60 + n })),
    ]);
    const id = await box.ref.sendLater(now + 80.5, "killer", undefined);
    expect(await dead(box, id)).toMatchObject({ reason: "crashed", attempts: 2 });
    expect(runs).toBeLessThanOrEqual(2 + 2);
    await until(async () => (await box.ref.stats()).pending === 0);
    expect(new Set(seen).size).toBe(40);
  });

  it("bounds a message that runs behind one that fails, and so was leased, in each wake", async () => {
    let runs = 0;
    const box = actor((self) => ({
      receive: {
        failing: {
          maxAttempts: Number.POSITIVE_INFINITY,
          backoff: 1,
          handle: () => {
            throw new Error("again and again");
          },
        },
        killer: {
          maxAttempts: 2,
          backoff: 3_000,
          handle: async () => {
            runs += 1;
            await scheduler.wait(1);
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const now = Date.now();
    const failing = await box.ref.sendLater(now + 50, "failing", undefined);
    const id = await box.ref.sendLater(now + 150, "killer", undefined);
    expect(await dead(box, id, false)).toMatchObject({ reason: "crashed", attempts: 2 });
    expect(runs).toBeLessThanOrEqual(2 + 2);
    await box.ref.cancel(failing);
  });

  it("bounds many killers at once, and delivers the many between them", async () => {
    const runs = new Map<unknown, number>();
    const seen = new Set<unknown>();
    const box = actor((self) => ({
      receive: {
        note: (payload) => void seen.add(payload),
        killer: {
          maxAttempts: 1,
          handle: (payload) => {
            runs.set(payload, (runs.get(payload) ?? 0) + 1);
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    await box.ref.pause();
    await box.ref.sendAll(
      Array.from({ length: 60 }, (_, n) => ({ type: n % 20 === 10 ? "killer" : "note", payload: n })),
    );
    await box.ref.resume();
    await until(
      () =>
        box.ref.stats().then(
          ({ pending, deadLetters }) => pending === 0 && deadLetters === 3,
          () => false,
        ),
      "three dead letters and an empty mailbox",
    );
    expect(seen.size).toBe(57);
    expect(runs.size).toBe(3);
    for (const count of runs.values()) expect(count).toBeLessThanOrEqual(1 + 2);
  });

  it("counts every run of one that was redriven after it had crashed", async () => {
    let runs = 0;
    const box = actor((self) => ({
      receive: {
        killer: {
          maxAttempts: 1,
          handle: () => {
            runs += 1;
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const id = await box.ref.send("killer", undefined);
    await dead(box, id);
    const before = runs;
    await until(() => box.ref.redrive(id).catch(() => false));
    await until(() => runs > before);
    expect(await dead(box, id)).toMatchObject({ reason: "crashed", attempts: 2 });
    expect(runs).toBe(before + 1);
  });

  it("does not blame a message for a death that its handler had no part in, when it had no lease", async () => {
    let runs = 0;
    const box = actor({
      receive: {
        slow: {
          maxAttempts: 1,
          handle: async () => {
            runs += 1;
            if (runs === 1) await new Promise(() => {});
          },
        },
      },
    });
    await box.ref.send("slow", undefined);
    await until(() => runs === 1);
    await box.kill();
    await until(() => box.eventsOf("delivered").length === 1);
    expect(box.eventsOf("delivered")).toMatchObject([{ attempt: 1 }]);
  });
});
