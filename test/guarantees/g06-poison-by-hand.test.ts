import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Script, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const MAX_ATTEMPTS = 3;

/** What the platform says when it runs an alarm again: times by the stopped clock. */
type Rerun = (firstAlarm: number) => {
  readonly afterMs: number;
  readonly info: Partial<AlarmInvocationInfo>;
};

/** Every way in which a re-run may look after a death that no lease told of. */
const RERUNS: Readonly<Record<string, Rerun>> = {
  "is counted by the platform": (at) => ({
    afterMs: 2_000,
    info: { retryCount: 1, isRetry: true, scheduledTime: at },
  }),
  "comes after two seconds, and says that it is the first": (at) => ({
    afterMs: 2_100,
    info: { retryCount: 0, scheduledTime: at },
  }),
  "comes when the runtime is back after a fraction of a second, and says that it is the first": (at) => ({
    afterMs: 150,
    info: { retryCount: 0, scheduledTime: at },
  }),
  "is one that a request armed meanwhile, and is not even late": () => ({
    afterMs: 150,
    info: { retryCount: 0, scheduledTime: Date.now() + 150 },
  }),
};

/** Drains by hand, as the platform would with its clock, until the message is dead; answers how many drains. */
async function untilDead(box: Scripted, id: string, rerun: Rerun): Promise<number> {
  const firstAlarm = Date.now();
  await box.drain({ scheduledTime: firstAlarm }).catch(() => {});
  for (let drains = 1; drains < 20; drains += 1) {
    if ((await box.ref.deadLetter(id)) !== undefined) return drains;
    const guard = await box.inside(({ realStorage }) => realStorage.getAlarm());
    const lease = await box.inside(({ mailbox }) => mailbox.stats().leased);
    if (lease === 1 && guard !== null) {
      moveClock(Math.max(1, guard - Date.now()));
      await box.drain({ scheduledTime: guard }).catch(() => {});
    } else {
      const { afterMs, info } = rerun(firstAlarm);
      moveClock(afterMs);
      await box.drain(info).catch(() => {});
    }
  }
  throw new Error("It did not die.");
}

function poisoned(
  runs: unknown[],
  seen: unknown[],
  kill: (self: ScriptedActor, payload: unknown) => unknown,
): (self: ScriptedActor) => Script {
  return (self) => ({
    receive: {
      note: (payload) => void seen.push(payload),
      poison: {
        maxAttempts: MAX_ATTEMPTS,
        backoff: 10,
        handle: (payload) => {
          runs.push(payload);
          return kill(self, payload);
        },
      },
    },
  });
}

const abort = (self: ScriptedActor): void => self.state.abort("killed by its handler");

describe("G6 a message that kills its object uses up its own attempts, however its wake is repeated", () => {
  startClockAfterEach();

  for (const [what, rerun] of Object.entries(RERUNS)) {
    for (const [how, kill] of Object.entries({
      "at once": abort,
      "after its first await": async (self: ScriptedActor) => {
        await scheduler.wait(1);
        self.state.abort("killed by its handler");
      },
    })) {
      it(`when the re-run ${what}, and it kills ${how}`, async () => {
        stopClockAhead();
        const runs: unknown[] = [];
        const seen: unknown[] = [];
        const box = actor(poisoned(runs, seen, kill));
        await box.ref.send("note", "before");
        const id = await box.ref.send("poison", undefined);
        await box.ref.send("note", "after");
        await untilDead(box, id, rerun);
        const letter = await box.ref.deadLetter(id);
        expect(letter?.reason).toBe("crashed");
        expect(letter?.errors.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
        expect(runs.length).toBeLessThanOrEqual(MAX_ATTEMPTS + 2);
        await box.drain();
        expect(new Set(seen)).toEqual(new Set(["before", "after"]));
      });
    }

    it(`when the re-run ${what}, and two lie side by side in the middle of a page`, async () => {
      stopClockAhead();
      const runs: unknown[] = [];
      const seen: unknown[] = [];
      const box = actor(poisoned(runs, seen, abort));
      const ids = await box.ref.sendAll(
        Array.from({ length: 40 }, (_, n) => ({
          type: n === 20 || n === 21 ? "poison" : "note",
          payload: n,
        })),
      );
      await untilDead(box, ids[20] ?? "", rerun);
      await untilDead(box, ids[21] ?? "", rerun);
      await box.drain();
      for (const n of [20, 21]) {
        expect((await box.ref.deadLetter(ids[n] ?? ""))?.errors).toHaveLength(MAX_ATTEMPTS);
        expect(runs.filter((run) => run === n).length).toBeLessThanOrEqual(MAX_ATTEMPTS + 2);
      }
      expect(new Set(seen).size).toBe(38);
      expect((await box.ref.stats()).pending).toBe(0);
    });
  }

  it("when it was due only after its wake had begun", async () => {
    stopClockAhead();
    const runs: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        first: async () => {
          moveClock(5);
          self.send("poison", undefined);
        },
        poison: {
          maxAttempts: MAX_ATTEMPTS,
          backoff: 10,
          handle: () => {
            runs.push(1);
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    await box.ref.send("first", undefined);
    const firstAlarm = Date.now();
    await box.drain({ scheduledTime: firstAlarm }).catch(() => {});
    const [row] = (await box.ref.pending()).items;
    await untilDead(box, row?.id ?? "", () => ({
      afterMs: 2_000,
      info: { retryCount: 1, isRetry: true, scheduledTime: firstAlarm },
    }));
    expect(runs.length).toBeLessThanOrEqual(MAX_ATTEMPTS + 2);
  });
});

describe("G6 a healthy message", () => {
  it("has nothing written for it before it runs: no lease, and no alarm", async () => {
    const found: unknown[] = [];
    const look = async (self: ScriptedActor): Promise<void> => {
      const { sql } = self.realStorage;
      const meta = sql.exec("SELECT name FROM _mailbox_meta").toArray();
      const [row] = sql.exec<{ attempt: number }>("SELECT attempt FROM _mailbox_envelopes").toArray();
      found.push([meta, row?.attempt, await self.realStorage.getAlarm()]);
    };
    const box = actor((self) => ({
      receive: {
        sync: () => void look(self),
        async: async () => look(self),
        promise: () => look(self),
      },
    }));
    for (const [n, type] of ["sync", "async", "promise"].entries()) {
      await box.ref.send(type, undefined);
      await until(() => found.length === n + 1);
    }
    expect(found).toEqual(Array.from({ length: 3 }, () => [[], 0, null]));
  });
});

describe("G6 a death is charged to the message that died", () => {
  startClockAfterEach();

  for (const how of ["sync", "async"] as const) {
    it(`and not to the redelivery (${how}) that had succeeded before it in the same page`, async () => {
      stopClockAhead();
      let runs = 0;
      const once = (): void => {
        runs += 1;
        if (runs === 1) throw new Error("the first time");
      };
      const box = actor((self) => ({
        receive: {
          first: () => {},
          fragile: {
            maxAttempts: 2,
            backoff: 10,
            handle: how === "sync" ? once : async () => once(),
          },
          killer: { maxAttempts: 2, handle: () => abort(self) },
        },
      }));
      const fragile = await box.ref.send("fragile", undefined);
      await box.drain({ scheduledTime: Date.now() });
      moveClock(10);
      // The first page has one message, the second has room for both.
      await box.ref.sendLater(Date.now() - 1, "first", undefined);
      const killer = await box.ref.send("killer", undefined);
      await box.drain({ scheduledTime: Date.now() }).catch(() => {});
      expect(await box.ref.get(fragile)).toBeUndefined();
      expect(await box.ref.stats()).toMatchObject({ leased: 0, pending: 1 });
      await untilDead(
        box,
        killer,
        RERUNS["is counted by the platform"] ?? (() => ({ afterMs: 0, info: {} })),
      );
      expect((await box.ref.deadLetters()).items.map(({ id }) => id)).toEqual([killer]);
      expect(runs).toBe(2);
    });
  }
});
