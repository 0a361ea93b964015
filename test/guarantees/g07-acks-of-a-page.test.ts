// The acks of page-mates are one statement at the end of their page. Nobody may see the difference: not
// a verb inside a handler, not a rollback, not what is sent among them, not a kill.

import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Script, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const MINUTE = 60_000;

type Work = (self: ScriptedActor, n: number, attempt: number) => unknown;

interface Box extends Scripted {
  /** The numbers of the messages whose handler was entered, in order. */
  readonly seen: number[];
  readonly ids: string[];
}

/** An actor whose messages 0 to 30 are all due: the first page has one, the second ten, the third the rest. */
async function due(work: Work, script: Partial<Script> = {}, type = "work", apartMs = 1): Promise<Box> {
  const seen: number[] = [];
  stopClock();
  const box = actor((self) => ({
    policy: { maxAttempts: 3, backoff: "1 hour" },
    ...script,
    receive: {
      work: (n, { attempt }) => {
        seen.push(Number(n));
        return work(self, Number(n), attempt);
      },
      later: async (n, { attempt }) => {
        seen.push(Number(n));
        await work(self, Number(n), attempt);
      },
      note: (n) => {
        seen.push(Number(n));
      },
    },
  }));
  await box.inside((_, state) => state.storage.sql.exec("CREATE TABLE done (n)"));
  const now = Date.now();
  const ids = await box.ref.sendAll(
    Array.from({ length: 31 }, (_, n) => ({ type, payload: n, at: now + MINUTE + n * apartMs })),
  );
  moveClock(2 * MINUTE);
  return Object.assign(box, { seen, ids: [...ids] });
}

const upTo = (last: number): number[] => Array.from({ length: last + 1 }, (_, n) => n);

async function pendingOf(box: Scripted): Promise<unknown[]> {
  return (await box.ref.pending()).items.map(({ payload }) => payload);
}

describe("G7: the acks of a page", () => {
  startClockAfterEach();

  it("are seen by every verb of a later page-mate", async () => {
    const views: unknown[] = [];
    const box = await due((self, n) => {
      if (n !== 20) return;
      const { mailbox } = self;
      views.push(
        mailbox.get(box.ids[15] ?? ""),
        mailbox.cancel(box.ids[16] ?? ""),
        mailbox.reschedule(box.ids[17] ?? "", Date.now() + MINUTE),
        mailbox.pending({ limit: 1 }).items[0]?.payload,
        mailbox.stats().pending,
      );
    });
    await box.drain();
    expect(views).toEqual([undefined, false, false, 20, 11]);
    expect(box.seen).toEqual(upTo(30));
    expect(await pendingOf(box)).toEqual([]);
  });

  it("stay when the page-mate that looked is rolled back", async () => {
    const box = await due((self, n, attempt) => {
      self.state.storage.sql.exec("INSERT INTO done VALUES (?)", n);
      if (n !== 20 || attempt > 1) return;
      expect(self.mailbox.get(box.ids[15] ?? "")).toBeUndefined();
      throw new Error("looked, and failed");
    });
    await box.drain();
    expect(box.seen).toEqual(upTo(30));
    expect(await pendingOf(box)).toEqual([20]);
    expect((await box.ref.stats()).pending).toBe(1);
    moveClock(120 * MINUTE);
    await box.drain();
    expect(box.seen).toEqual([...upTo(30), 20]);
    expect(await pendingOf(box)).toEqual([]);
    const done = await box.inside((_, state) =>
      state.storage.sql.exec<{ n: number }>("SELECT n FROM done ORDER BY n").toArray(),
    );
    expect(done.map(({ n }) => n)).toEqual(upTo(30));
  });

  it("stay when only a transaction inside the page-mate is rolled back, and what was sent before it too", async () => {
    const sentAt: number[] = [];
    const box = await due((self, n) => {
      if (n !== 20) return;
      const among = (self.mailbox.get(box.ids[25] ?? "")?.dueAt ?? 0) - 12;
      sentAt.push(among);
      self.sendLater(among, "note", 100);
      try {
        self.state.storage.transactionSync(() => {
          self.sendLater(among, "note", 101);
          throw new Error("only this");
        });
      } catch {
        self.sendLater(among, "note", 102);
      }
    });
    await box.drain();
    expect(box.seen).toEqual([...upTo(20), 100, 102, ...upTo(30).slice(21)]);
    expect(await pendingOf(box)).toEqual([]);
  });

  it("take nothing with them that was sent among them", async () => {
    const box = await due((self, n) => {
      if (n === 20) self.sendLater(Date.now() - MINUTE + 12, "note", 100);
      if (n === 25) self.sendLater(Date.now() - MINUTE + 2, "note", 101, { key: "k" });
      if (n === 28) self.sendLater(Date.now() + 1, "note", 102);
    });
    await box.drain();
    expect(box.seen).toEqual([...upTo(20), 100, ...upTo(25).slice(21), 101, ...upTo(30).slice(26)]);
    expect(await pendingOf(box)).toEqual([102]);
  });

  for (const type of ["work", "later"]) {
    it(`take nothing with them that a handler (${type}) sends between the ack before it and its own`, async () => {
      const box = await due(
        (self, n) => {
          if (n === 20) self.sendLater(Date.now() - MINUTE + 20 * 10 - 5, "note", 100);
          if (n === 25) self.sendLater(Date.now() - MINUTE + 24 * 10, "note", 101);
        },
        {},
        type,
        10,
      );
      await box.drain();
      expect(box.seen).toEqual([...upTo(20), 100, ...upTo(25).slice(21), 101, ...upTo(30).slice(26)]);
      expect(await pendingOf(box)).toEqual([]);
    });
  }

  it("take nothing with them that is sent in what is left of a page after a handler has waited", async () => {
    const box = await due(
      (self, n) => {
        if (n === 20) self.sendLater(Date.now() - MINUTE + 20 * 10 - 5, "note", 100);
        return n === 15 ? scheduler.wait(5) : undefined;
      },
      {},
      "work",
      10,
    );
    await box.drain();
    expect(box.seen).toEqual([...upTo(20), 100, ...upTo(30).slice(21)]);
    expect(await pendingOf(box)).toEqual([]);
  });

  it("take nothing with them that a page-mate has moved between the ack before it and its own", async () => {
    const box = await due(
      (self, n) => {
        if (n === 20) self.mailbox.reschedule(box.ids[27] ?? "", Date.now() - MINUTE + 20 * 10 - 5);
      },
      {},
      "work",
      10,
    );
    await box.drain();
    expect(box.seen).toEqual([...upTo(20), 27, ...upTo(30).slice(21)].filter((n, at) => n !== 27 || at < 25));
    expect(await pendingOf(box)).toEqual([]);
  });

  it("take nothing with them that a page-mate has moved, deferred or dead-lettered", async () => {
    const box = await due((self, n) => {
      if (n === 15) self.mailbox.reschedule(box.ids[18] ?? "", Date.now() + MINUTE);
      if (n === 20) self.cancel(box.ids[22] ?? "");
      if (n === 24) throw new Error("later");
    });
    await box.drain();
    expect(box.seen).toEqual(upTo(30).filter((n) => n !== 18 && n !== 22));
    expect(await pendingOf(box)).toEqual([18, 24]);
  });

  it("are counted once, whoever looks and fails", async () => {
    const box = await due(
      (self, n) => {
        if (n % 5 === 0) self.mailbox.stats();
        if (n % 7 === 3) throw new Error("one in seven");
      },
      { policy: { maxAttempts: 1 }, settings: { maxPending: 40 } },
    );
    await box.drain();
    expect(box.seen).toEqual(upTo(30));
    const stats = await box.ref.stats();
    expect(stats).toMatchObject({ pending: 0, deadLetters: 4 });
    // The bound counts what is there: forty more have room.
    await expect(
      box.ref.sendAll(upTo(39).map((n) => ({ type: "note", payload: n, in: "1 hour" }))),
    ).resolves.toHaveLength(40);
    await expect(box.ref.send("note", 1)).rejects.toThrow("maxPending");
  });

  it("are gone with all else when a page-mate deletes all storage", async () => {
    const box = await due((self, n) => (n === 20 ? self.state.storage.deleteAll() : undefined));
    await box.drain();
    expect(box.seen).toEqual(upTo(20));
    expect(await pendingOf(box)).toEqual([]);
    await box.ref.send("note", 1);
    await box.drain();
    expect(box.seen).toEqual([...upTo(20), 1]);
  });

  it("are on disk before others get in, also of async handlers", async () => {
    let hasLooked = false;
    const box = await due(
      async (_, n) => {
        while (n === 20 && !hasLooked) await scheduler.wait(5);
      },
      {},
      "later",
    );
    const draining = box.drain();
    await until(() => box.seen.includes(20));
    const left = await box.inside(({ realStorage }) =>
      realStorage.sql.exec("SELECT payload FROM _mailbox_envelopes ORDER BY due").toArray(),
    );
    expect(left).toHaveLength(11);
    hasLooked = true;
    await draining;
    expect(box.seen).toEqual(upTo(30));
    expect(await pendingOf(box)).toEqual([]);
  });

  it("of async handlers that wait for nothing are seen too, and survive a failure", async () => {
    const box = await due(
      async (self, n, attempt) => {
        if (n === 20) expect(self.mailbox.get(box.ids[19] ?? "")).toBeUndefined();
        if (n === 22 && attempt === 1) throw new Error("later");
        if (n === 25) self.send("note", 100);
      },
      {},
      "later",
    );
    await box.drain();
    expect(box.seen.filter((n) => n < 100)).toEqual(upTo(30));
    expect(box.seen).toContain(100);
    expect(await pendingOf(box)).toEqual([22]);
  });

  it("and what their handlers wrote are one commit: a kill in the middle takes both or neither", async () => {
    const box = await due((self, n) => {
      self.state.storage.sql.exec("INSERT INTO done VALUES (?)", n);
      if (n === 20 && box.seen.filter((each) => each === 20).length === 1) {
        self.state.abort("killed by its handler");
      }
    });
    await box.drain().catch(() => {});
    const { done, pending } = await until(async () => {
      const rows = await box.inside(({ realStorage }) => ({
        done: realStorage.sql.exec<{ n: number }>("SELECT n FROM done").toArray(),
        pending: realStorage.sql
          .exec<{ payload: string }>("SELECT payload FROM _mailbox_envelopes")
          .toArray(),
      }));
      return rows;
    });
    const written = done.map(({ n }) => n);
    const waiting = pending.map(({ payload }) => (JSON.parse(payload) as { json: number }).json);
    expect([...written, ...waiting].sort((a, b) => a - b)).toEqual(upTo(30));
  });
});
