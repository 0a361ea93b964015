// Sync handlers that follow each other in a page are one commit, and each has a savepoint of its own. What one of
// them has done by whatever handle is taken back when it throws, and nothing of the others.

import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { validated } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { failOnce, installFaults } from "../support/faults.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;
const MATES = 20;

type Work = (self: ScriptedActor, attempt: number) => unknown;

interface Crowd {
  readonly box: Scripted;
  /** Which mates have run, in order: the first half is delivered before the works, the other behind them. */
  readonly mates: number[];
  /** How many runs each work has had. */
  readonly runs: Map<string, number>;
}

/** An actor with these works due in the middle of a page of messages whose handlers leave storage alone. */
async function crowd(works: Readonly<Record<string, Work>>): Promise<Crowd> {
  const mates: number[] = [];
  const runs = new Map<string, number>();
  const box = actor((self) => ({
    policy: { maxAttempts: 3, backoff: HOUR },
    alarm: () => {},
    receive: {
      mate: (n) => void mates.push(n as number),
      work: (payload, { attempt }) => {
        const name = String(payload);
        runs.set(name, (runs.get(name) ?? 0) + 1);
        return works[name]?.(self, attempt);
      },
      warm: () => {},
      note: () => {},
    },
  }));
  await box.inside((_, { storage }) => void storage.sql.exec("CREATE TABLE t (a)"));
  stopClockAhead();
  // The pages grow with what was delivered: these are in the third one.
  const warming = Array.from({ length: 11 }, () => ({ type: "warm", payload: 0 }));
  const all = Array.from({ length: MATES }, (_, n) => ({ type: "mate", payload: n }));
  await box.ref.sendAll([
    ...warming,
    ...all.slice(0, MATES / 2),
    ...Object.keys(works).map((payload) => ({ type: "work", payload })),
    ...all.slice(MATES / 2),
  ]);
  return { box, mates, runs };
}

const drain = (box: Scripted): Promise<void> => box.drain({ scheduledTime: Date.now() });

const everyMate = [...Array.from({ length: MATES }).keys()];

/** What is on disk that is not the mailbox' own. */
function onDisk(box: Scripted): Promise<unknown> {
  return box.inside(async (self, { storage }) => ({
    tables: storage.sql.exec("SELECT name FROM sqlite_schema WHERE name LIKE 't%'").toArray(),
    rows: storage.sql.exec("SELECT a FROM t").toArray(),
    kv: [...storage.kv.list()],
    alarm: await storage.getAlarm(),
    notes: self.mailbox.pending({ type: "note" }).items.map(({ payload }) => payload),
    sent: storage.sql.exec("SELECT last_n FROM _mailbox_targets").toArray(),
    paused: self.mailbox.stats().paused,
  }));
}

/** Each way to write, by each handle on storage that a handler may have. */
const ways: Readonly<Record<string, Work>> = {
  "a statement": ({ state }) => state.storage.sql.exec("INSERT INTO t VALUES (1)"),
  "a statement by a handle from before the mailbox": ({ realStorage }) =>
    realStorage.sql.exec("INSERT INTO t VALUES (1)"),
  "a new table": ({ state }) => state.storage.sql.exec("CREATE TABLE t2 (a)"),
  "kv.put": ({ state }) => state.storage.kv.put("k", 1),
  "kv.put by a handle from before the mailbox": ({ realStorage }) => realStorage.kv.put("k", 1),
  put: ({ state }) => void state.storage.put("k", 1),
  "put by a handle from before the mailbox": ({ realStorage }) => void realStorage.put("k", 1),
  "a method that was taken off storage": ({ state }) => {
    const { put } = state.storage;
    void put("k", 1);
  },
  setAlarm: ({ state }) => void state.storage.setAlarm(Date.now() + HOUR),
  transactionSync: ({ state }) => state.storage.transactionSync(() => state.storage.kv.put("k", 1)),
  send: (self) => self.sendIn("1 day", "note", "sent"),
  sendAll: (self) =>
    self.sendAll(Array.from({ length: 20 }, () => ({ type: "note", payload: "sent", in: "1 day" }))),
  "send to another": (self) => self.other("of-savepoints").sendIn("1 day", "note", 1),
  pause: (self) => self.mailbox.pause(),
};

describe("G7 Page-mates", () => {
  startClockAfterEach();
  beforeAll(installFaults);

  it.each(Object.entries(ways))(
    "lose what one of them has written that throws, and nothing else: %s",
    async (_, write) => {
      const { box, mates, runs } = await crowd({
        throws: (self, attempt) => {
          write(self, attempt);
          if (attempt === 1) throw new Error("once");
        },
      });
      const before = await onDisk(box);
      await drain(box);
      expect(await onDisk(box)).toEqual(before);
      expect(mates).toEqual(everyMate);
      expect(runs.get("throws")).toBe(1);
      expect(await box.ref.stats()).toMatchObject({ pending: 1 });
      moveClock(HOUR);
      await drain(box);
      expect(await onDisk(box)).not.toEqual(before);
      expect(mates).toEqual(everyMate);
      expect(runs.get("throws")).toBe(2);
    },
  );

  it("keep what those before and behind one have written that throws", async () => {
    const insert =
      (n: number): Work =>
      ({ state }) =>
        state.storage.sql.exec("INSERT INTO t VALUES (?)", n);
    const { box, mates } = await crowd({
      first: insert(1),
      reads: ({ state }) => state.storage.sql.exec("SELECT a FROM t").toArray(),
      throws: (self, attempt) => {
        insert(2)(self, attempt);
        throw new Error("always");
      },
      nothing: () => {},
      alsoThrows: () => {
        throw new Error("without having written");
      },
      last: insert(3),
    });
    await drain(box);
    expect(await onDisk(box)).toMatchObject({ rows: [{ a: 1 }, { a: 3 }] });
    expect(mates).toEqual(everyMate);
    expect((await box.ref.pending()).items.map(({ payload, attempts }) => [payload, attempts])).toEqual([
      ["throws", 1],
      ["alsoThrows", 1],
    ]);
  });

  it("are delivered in their order, each once, with an event for each", async () => {
    const { box, mates } = await crowd({ writes: ways["a statement"] ?? (() => {}) });
    await drain(box);
    expect(mates).toEqual(everyMate);
    const delivered = box.eventsOf("delivered");
    expect(delivered).toHaveLength(11 + MATES + 1);
    expect(delivered.map(({ id }) => id)).toEqual(delivered.map(({ id }) => id).sort());
  });

  it("may be followed by one that deletes all storage, which follows its commit", async () => {
    const { box, mates } = await crowd({ deletes: ({ state }) => state.storage.deleteAll() });
    await drain(box);
    expect(mates).toEqual(everyMate.slice(0, MATES / 2));
    expect(await box.ref.stats()).toMatchObject({ pending: 0 });
  });

  it("run again after a death only with the rest of their page", async () => {
    let isDead = false;
    const { box, mates } = await crowd({
      dies: ({ state }) => {
        if (isDead) return;
        isDead = true;
        state.abort("dies");
      },
    });
    await drain(box).catch(() => {});
    moveClock(2_000);
    await box.drain({ scheduledTime: Date.now() - 2_000, isRetry: true, retryCount: 1 });
    const before = everyMate.slice(0, MATES / 2);
    expect(mates).toEqual([...before, ...before, ...everyMate.slice(MATES / 2)]);
    expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0 });
  });

  it("take a savepoint each, and one statement for the acks of all", async () => {
    const { box, mates } = await crowd({ writes: ways["a statement"] ?? (() => {}) });
    const { after: calls } = await box.inside((self) => {
      const fault = failOnce(self, () => false, new Error("never"));
      // As if one had failed already: what comes after it is listed.
      fault.hasFailed = true;
      return fault;
    });
    await drain(box);
    expect(mates).toEqual(everyMate);
    expect(calls.filter(({ method }) => method === "transactionSync")).toHaveLength(11 + MATES + 1);
    // Pages of one, of ten, and of the rest.
    expect(calls.filter(({ text }) => text.startsWith("DELETE FROM _mailbox_envelopes"))).toHaveLength(3);
  });
});

describe("G7 A handler with a schema, among page-mates", () => {
  startClockAfterEach();

  it("has what its schema does kept when it throws, as that is not part of its attempt", async () => {
    let isDelivery = false;
    const mates: unknown[] = [];
    const box = actor((self) => ({
      policy: { maxAttempts: 1 },
      receive: {
        mate: (n) => void mates.push(n),
        note: () => {},
        work: validated(
          z.unknown().refine((n) => {
            if (!isDelivery) return true;
            self.sendIn("1 day", "note", n);
            self.state.storage.kv.put("looked at", n);
            return true;
          }),
          () => {
            throw new Error("always");
          },
        ),
      },
    }));
    stopClockAhead();
    const all = Array.from({ length: MATES }, (_, n) => ({ type: "mate", payload: n }));
    await box.ref.sendAll([...all, { type: "work", payload: 7 }, ...all]);
    isDelivery = true;
    await drain(box);
    expect(mates).toEqual([...everyMate, ...everyMate]);
    expect(await box.ref.stats()).toMatchObject({ pending: 1, deadLetters: 1 });
    expect(await box.inside((_, { storage }) => storage.kv.get("looked at"))).toBe(7);
    expect(box.eventsOf("accepted").filter(({ type }) => type === "note")).toHaveLength(1);
  });
});

describe("G7 A plain function that answers a promise, among page-mates", () => {
  startClockAfterEach();

  it("keeps what its first part has written, and holds back what it has sent until it resolves", async () => {
    const seen: unknown[] = [];
    const { box, mates } = await crowd({
      later: (self, attempt) => {
        self.state.storage.sql.exec("INSERT INTO t VALUES (?)", attempt);
        self.sendIn("1 day", "note", "sent");
        return scheduler.wait(5).then(() => {
          seen.push(mates.length, self.mailbox.pending({ type: "note" }).items.length);
          if (attempt === 1) throw new Error("once");
        });
      },
    });
    await drain(box);
    await until(() => seen.length > 0);
    expect(seen).toEqual([MATES / 2, 0]);
    expect(await onDisk(box)).toMatchObject({ rows: [{ a: 1 }], notes: [] });
    moveClock(HOUR);
    await drain(box);
    expect(await onDisk(box)).toMatchObject({ rows: [{ a: 1 }, { a: 2 }], notes: ["sent"] });
    expect(mates).toEqual(everyMate);
  });
});
