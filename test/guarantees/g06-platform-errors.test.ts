import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import {
  failFrom,
  failOnce,
  type Fault,
  installFaults,
  type StorageCall,
  superseded,
  writesOf,
} from "../support/faults.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

beforeAll(installFaults);

type End = (self: ScriptedActor, supersede: () => void) => unknown;

/** What a test knows of an actor whose first instance is superseded while a handler runs. */
interface Deployed {
  readonly box: Scripted;
  readonly noted: unknown[];
  /** The attempts that the handler was called for, in order. */
  readonly attempts: number[];
  readonly faults: Fault[];
}

/** An actor of which the handler `end`s after its isolate was superseded, when it runs for the first time. */
function deployedIn(end: End): Deployed {
  const noted: unknown[] = [];
  const attempts: number[] = [];
  const faults: Fault[] = [];
  const box = actor((self) => {
    const run = (attempt: number): unknown => {
      attempts.push(attempt);
      return attempts.length > 1 ? undefined : end(self, () => void faults.push(failFrom(self)));
    };
    const isAsync = end.constructor === (async () => {}).constructor;
    return {
      receive: {
        work: isAsync ? async (_, { attempt }) => run(attempt) : (_, { attempt }) => run(attempt),
        note: (payload, { attempt }) => void noted.push([payload, attempt]),
      },
      policy: { maxAttempts: 3, backoff: 1 },
    };
  });
  return { box, noted, attempts, faults };
}

/** The platform runs the alarm again, on new code. */
async function rerun(box: Scripted): Promise<void> {
  const scheduledTime = Date.now();
  await box.kill();
  moveClock(2_000);
  await box.drain({ isRetry: true, retryCount: 1, scheduledTime });
}

/** What is on disk of the mailbox' messages. */
function rowsOf(box: Scripted): Promise<unknown> {
  return box.inside(({ realStorage: { sql } }) => [
    sql.exec("SELECT * FROM _mailbox_envelopes ORDER BY parked, due, id").toArray(),
    sql.exec("SELECT * FROM _mailbox_dead_letters ORDER BY id").toArray(),
    sql.exec("SELECT * FROM _mailbox_outbox ORDER BY target, n").toArray(),
  ]);
}

/** Ways in which a handler ends, after which its outcome is to be written. */
const ends: Readonly<Record<string, End>> = {
  "completes": (_, supersede) => supersede(),
  "throws": (_, supersede) => {
    supersede();
    throw new Error("its own error");
  },
  "uses storage": (self, supersede) => {
    supersede();
    self.state.storage.sql.exec("SELECT 1");
  },
  "uses storage, and makes nothing of its error": (self, supersede) => {
    supersede();
    try {
      self.state.storage.sql.exec("SELECT 1");
    } catch {
      // It goes on as if nothing was.
    }
  },
  "sends": (self, supersede) => {
    supersede();
    self.send("note", 1);
  },
  "has sent, and completes": (self, supersede) => {
    self.send("note", 1);
    supersede();
  },
  "completes after an await": async (_, supersede) => {
    await scheduler.wait(1);
    supersede();
  },
  "completes after an await, and is not written async": (_, supersede) => scheduler.wait(1).then(supersede),
  "throws after an await": async (_, supersede) => {
    await scheduler.wait(1);
    supersede();
    throw new Error("its own error");
  },
  "has sent, and completes after an await": async (self, supersede) => {
    self.send("note", 1);
    await scheduler.wait(1);
    supersede();
  },
  "has sent elsewhere, and completes after an await": async (self, supersede) => {
    self.other("elsewhere").send("note", 1);
    await scheduler.wait(1);
    supersede();
  },
  "waits for storage": async (self, supersede) => {
    supersede();
    await self.state.storage.sync();
  },
}; // prettier-ignore

describe("G6 A superseded isolate's storage errors leave alarm(), so that new code goes on,", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  describe.each(Object.entries(ends))("when a handler %s:", (_, end) => {
    it("the platform's own error leaves, and the message is as it was", async () => {
      const { box, faults } = deployedIn(end);
      await box.ref.send("work", 1);
      const before = await rowsOf(box);
      await expect(box.drain()).rejects.toThrow(superseded().message);
      expect(faults).toMatchObject([{ hasFailed: true }]);
      await box.kill();
      expect(await rowsOf(box)).toEqual(before);
    });

    it("they cost no attempt in an optimistic run", async () => {
      const { box, attempts } = deployedIn(end);
      const id = await box.ref.send("work", 1, { maxAttempts: 1 });
      await expect(box.drain()).rejects.toThrow(superseded().message);
      await rerun(box);
      expect(attempts).toEqual([1, 1]);
      expect(await box.ref.deadLetter(id)).toBeUndefined();
      expect(box.eventsOf("attemptFailed")).toEqual([]);
      expect(box.eventsOf("delivered")).toMatchObject([{ id, attempt: 1 }]);
    });

    it("they cost at most one in a leased run", async () => {
      const { box, attempts, faults } = deployedIn(end);
      const id = await box.ref.send("work", 1, { maxAttempts: 2 });
      const before = await rowsOf(box);
      // Late by so much that it may be a re-run, and so it is leased.
      moveClock(2_000);
      await expect(box.drain({ scheduledTime: Date.now() - 2_000 })).rejects.toThrow(superseded().message);
      expect(faults).toMatchObject([{ hasFailed: true }]);
      await box.kill();
      expect(await rowsOf(box)).toEqual(before);
      await rerun(box);
      moveClock(1);
      await box.drain();
      expect(attempts).toEqual([1, 2]);
      expect(box.eventsOf("attemptFailed")).toMatchObject([{ id, attempt: 1, outcome: "crashed" }]);
      expect(box.eventsOf("delivered")).toMatchObject([{ id, attempt: 2 }]);
    });

    it("they cost those around it nothing, neither before it nor behind it in its page", async () => {
      const { box, noted, attempts } = deployedIn(end);
      // Pages grow, so some of these share a page with the one in their middle.
      const types = Array.from({ length: 30 }, (__, n) => (n === 20 ? "work" : "note"));
      await box.ref.sendAll(types.map((type, payload) => ({ type, payload })));
      await expect(box.drain()).rejects.toThrow(superseded().message);
      await rerun(box);
      expect(attempts).toEqual([1, 1]);
      for (const n of types.keys()) if (n !== 20) expect(noted).toContainEqual([n, 1]);
      expect(noted).not.toContainEqual([expect.anything(), 2]);
      expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0 });
      expect(box.eventsOf("attemptFailed")).toEqual([]);
    });
  });

  it("and one that is superseded again and again is charged for its leased runs only", async () => {
    const attempts: number[] = [];
    const box = actor((self) => ({
      receive: {
        work: (_payload, { attempt }) => {
          attempts.push(attempt);
          if (attempts.length <= 3) failFrom(self);
        },
      },
      policy: { maxAttempts: 5, backoff: 1 },
    }));
    const id = await box.ref.send("work", 1);
    await expect(box.drain()).rejects.toThrow(superseded().message);
    await expect(rerun(box)).rejects.toThrow(superseded().message);
    // What the last run is charged for makes it wait for a millisecond.
    await rerun(box);
    moveClock(1);
    await expect(box.drain()).rejects.toThrow(superseded().message);
    await rerun(box);
    moveClock(1);
    await box.drain();
    expect(attempts).toEqual([1, 1, 2, 3]);
    expect(box.eventsOf("delivered")).toMatchObject([{ id, attempt: 3 }]);
  });
});

describe("G6 A superseded isolate, by the platform's own clock,", () => {
  it("has its alarm run again, on new code", async () => {
    const { box, attempts } = deployedIn((self, supersede) => {
      supersede();
      // The old isolate ends when the platform is done with it.
      self.state.waitUntil(scheduler.wait(50).then(() => self.state.abort("superseded")));
    });
    await box.ref.send("work", 1);
    await until(() => box.eventsOf("delivered").length > 0);
    // Where the first wake came late, the run was leased, and the end of its isolate was counted.
    expect(attempts).toHaveLength(2);
    expect([1, 2]).toContain(attempts[1]);
  });
});

const isAck = (text: string): boolean => text.startsWith("DELETE FROM _mailbox_envelopes");

/** The mailbox' own statements in a drain of messages that complete and fail. */
const statements: readonly (readonly [what: string, isMeant: (call: StorageCall) => boolean])[] = [
  ["the selection of a page", ({ text }) => text.startsWith("SELECT") && text.includes("due <= ?")],
  ["the beginning of a transaction", ({ method }) => method === "transactionSync"],
  ["the end of a transaction", ({ method }) => method === "commit"],
  ["the acks of a page", ({ text }) => isAck(text)],
  ["a redelivery", ({ text }) => text.startsWith("UPDATE _mailbox_envelopes")],
  ["the sync after a page", ({ method }) => method === "sync"],
  ["the next alarm", ({ method }) => method === "setAlarm"],
];

const kinds = [
  ["is there to stay", failFrom],
  ["passes", failOnce],
] as const;

describe.each(kinds)(
  "G6 A storage error that %s, at the mailbox' own statements, leaves alarm()",
  (_, fail) => {
    startClockAfterEach();
    beforeEach(() => void stopClockAhead());

    const full = (): Error => new Error("database or disk is full: SQLITE_FULL");

    it.each(statements)(
      "%s: no message is lost, and none is charged for a run that did not fail",
      async (what, isMeant) => {
        let isHealthy = false;
        const failed: unknown[] = [];
        const box = actor((self) => ({
          receive: {
            note: (n) => void self.state.storage.sql.exec("INSERT INTO done VALUES (?)", Number(n)),
            fail: (n) => {
              if (isHealthy) return;
              failed.push(n);
              throw new Error("no");
            },
          },
          policy: { maxAttempts: 3, backoff: HOUR },
        }));
        await box.inside((___, { storage }) => void storage.sql.exec("CREATE TABLE done (n INTEGER)"));
        const types = Array.from({ length: 20 }, (___, n) => (n % 7 === 6 ? "fail" : "note"));
        await box.ref.sendAll(types.map((type, payload) => ({ type, payload })));
        await box.ref.sendIn("9 hours", "note", 20);
        const fault = await box.inside((self) => fail(self, isMeant, full()));
        await expect(box.drain()).rejects.toThrow(full().message);
        expect(fault.hasFailed).toBe(true);
        // Nothing more is written, but the acks of page-mates that had completed.
        if (fail === failOnce) expect(writesOf(fault.after).filter(({ text }) => !isAck(text))).toEqual([]);
        // What is on disk was done, or is there to be done.
        await box.kill();
        const [done, waiting] = await box.inside(({ realStorage: { sql } }) => [
          sql.exec<{ n: number }>("SELECT n FROM done").toArray(),
          sql.exec<{ n: number }>("SELECT payload ->> 'json' AS n FROM _mailbox_envelopes").toArray(),
        ]);
        const places = [...(done ?? []), ...(waiting ?? [])].map(({ n }) => n);
        const all = [...types.keys(), 20];
        expect(new Set(places)).toEqual(new Set(all));
        // And not both, as a sync handler's work and its ack are one; but when it is the ack that fails.
        if (fail === failOnce && what !== "the acks of a page") expect(places).toHaveLength(all.length);
        isHealthy = true;
        await rerun(box);
        moveClock(HOUR + 1);
        await box.drain();
        expect(await box.ref.stats()).toMatchObject({ pending: 1, deadLetters: 0 });
        // At most one run of each that failed is charged, and none of the others.
        for (const { id, attempt } of box.eventsOf("delivered")) {
          const isCharged = box.eventsOf("attemptFailed").some((event) => event.id === id);
          expect(attempt).toBe(isCharged ? 2 : 1);
        }
        expect(box.eventsOf("attemptFailed").length).toBeLessThanOrEqual(failed.length);
      },
    );

    it("the beginning of a sync handler's transaction: it is not the handler's, which did not run", async () => {
      const { box, attempts } = deployedIn(() => {});
      const id = await box.ref.send("work", 1, { maxAttempts: 1 });
      await box.inside((self) => void fail(self, ({ method }) => method === "transactionSync", full()));
      await expect(box.drain()).rejects.toThrow(full().message);
      expect(await box.ref.deadLetter(id).catch(() => undefined)).toBeUndefined();
      await rerun(box);
      expect(attempts).toEqual([1]);
      expect(box.eventsOf("delivered")).toMatchObject([{ id, attempt: 1 }]);
    });

    it("the end of a sync handler's transaction: its message is not lost with its work", async () => {
      const { box, attempts } = deployedIn((self) => self.state.storage.kv.put("work", 1));
      const id = await box.ref.send("work", 1, { maxAttempts: 1 });
      const before = await rowsOf(box);
      await box.inside((self) => void fail(self, ({ method }) => method === "commit", full()));
      await expect(box.drain()).rejects.toThrow(full().message);
      await box.kill();
      expect(await box.inside((_, { storage }) => storage.kv.get("work"))).toBeUndefined();
      expect(await rowsOf(box)).toEqual(before);
      await rerun(box);
      expect(attempts).toEqual([1, 1]);
      expect(box.eventsOf("delivered")).toMatchObject([{ id }]);
    });

    const leases: readonly (readonly [what: string, isMeant: (call: StorageCall) => boolean])[] = [
      ["the lease of a run", ({ text }) => text.includes("_mailbox_meta") && !text.startsWith("SELECT")],
      ["the guard of a run", ({ method }) => method === "setAlarm"],
      ["the sync before a run", ({ method }) => method === "sync"],
    ];

    it.each(leases)(
      "%s: its handler does not run, and at most one attempt is charged",
      async (__, isMeant) => {
        const { box, attempts } = deployedIn(() => {});
        const id = await box.ref.send("work", 1, { maxAttempts: 2 });
        moveClock(2_000);
        await box.inside((self) => void fail(self, isMeant, full()));
        await expect(box.drain({ scheduledTime: Date.now() - 2_000 })).rejects.toThrow(full().message);
        expect(attempts).toEqual([]);
        await rerun(box);
        moveClock(1);
        await box.drain();
        expect(attempts).toHaveLength(1);
        expect(box.eventsOf("delivered")).toMatchObject([{ id }]);
      },
    );

    it("the end of the object's own alarm, which runs again", async () => {
      const runs: number[] = [];
      const box = actor((self) => ({
        receive: {},
        alarm: (info) => {
          runs.push(info.retryCount);
          if (runs.length === 1) fail(self, () => true, full());
        },
      }));
      await box.inside((__, state) => state.storage.setAlarm(Date.now()));
      await expect(box.drain()).rejects.toThrow(full().message);
      await rerun(box);
      expect(runs).toEqual([0, 0]);
    });

    it("the end of the hook of a dead letter, which may run twice", async () => {
      const hooked: string[] = [];
      const box = actor((self) => ({
        receive: { note: () => Promise.reject(new Error("no")) },
        policy: { maxAttempts: 1 },
        onDeadLetter: (letter) => {
          hooked.push(letter.id);
          if (hooked.length === 1) fail(self, () => true, full());
        },
      }));
      const id = await box.ref.send("note", 1);
      await expect(box.drain()).rejects.toThrow(full().message);
      await rerun(box);
      moveClock(2_000);
      await box.drain();
      expect(hooked).toEqual([id, id]);
      expect(await box.ref.deadLetter(id)).toMatchObject({ attempts: 1 });
    });
  },
);
