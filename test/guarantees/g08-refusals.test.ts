// What becomes of a message that its receiver never takes: it is its sender's dead letter, whatever is lost on the
// way, and holds up no other.

import { describe, expect, it } from "vitest";
import { batchOf, quiet } from "../support/batches.ts";
import { answerTo, batchCall } from "../support/hostile.ts";
import { SCHEMA_VERSION } from "../../mailbox/store/schema.ts";
import { actor, type Script, type Scripted, until } from "../support/scripted.ts";

/** An actor that takes no payload of more than 100 bytes, and no recurrence that ticks more often than hourly. */
function strict(seen: unknown[], more: Partial<Script> = {}): Scripted {
  return actor({
    receive: { note: (payload) => void seen.push(payload), tick: () => {} },
    settings: { maxPayloadBytes: 100, minInterval: "1 hour" },
    ...more,
  });
}

const LARGE = "x".repeat(200);

describe("G8 a message that its receiver refuses", () => {
  it("is its sender's dead letter also when the answer that refused it is lost", async () => {
    const seen: unknown[] = [];
    let batches = 0;
    const to = strict(seen, {
      onCall: async (call, next) => {
        const answer = await next();
        if (batchOf(call) !== undefined && (batches += 1) === 1) throw new Error("the answer is lost");
        return answer;
      },
    });
    const from = actor({ receive: {} });
    const refused = await from.inside((self) => {
      const other = self.other(to.name);
      other.send("note", "before");
      const ids = [other.send("note", LARGE), other.send("note", LARGE)];
      other.send("note", "after");
      return ids;
    });
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["before", "after"]);
    const { items } = await from.ref.deadLetters();
    expect(items.map(({ id }) => id).toSorted()).toEqual(refused);
    for (const item of items) expect(item).toMatchObject({ reason: "undeliverable", payload: LARGE });
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });

  it("is so also when the sender dies with the answer in its hands", async () => {
    const seen: unknown[] = [];
    let batches = 0;
    const from = actor({ receive: {} });
    const to = strict(seen, {
      onCall: async (call, next) => {
        const answer = await next();
        if (batchOf(call) !== undefined && (batches += 1) === 1) await from.kill();
        return answer;
      },
    });
    const id = await from.inside((self) => self.other(to.name).send("note", LARGE));
    await until(() => batches === 2, "the repeat");
    await quiet(from);
    expect((await from.ref.deadLetters()).items).toMatchObject([{ id, reason: "undeliverable" }]);
  });

  it("is so also when it is a recurrence, and the answer is lost", async () => {
    let batches = 0;
    const to = strict([], {
      onCall: async (call, next) => {
        const answer = await next();
        if (batchOf(call) !== undefined && (batches += 1) === 1) throw new Error("the answer is lost");
        return answer;
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).sendEvery("2 seconds", "tick", "too often"));
    await quiet(from);
    expect((await from.ref.deadLetters()).items).toMatchObject([
      { reason: "undeliverable", payload: "too often", errors: [{ name: "invalid_recurrence" }] },
    ]);
  });

  it("does not stop what is behind it when it is the last of its batch", async () => {
    const seen: unknown[] = [];
    const to = strict(seen);
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).send("note", "before");
      self.other(to.name).send("note", LARGE);
    });
    await quiet(from);
    await from.inside((self) => void self.other(to.name).send("note", "after"));
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["before", "after"]);
    expect(from.eventsOf("outboxFailed")).toEqual([]);
  });

  it("does not come back when the mailbox of its sender was destroyed meanwhile", async () => {
    const gate = Promise.withResolvers<void>();
    let batches = 0;
    const to = strict([], {
      onCall: async (call, next) => {
        const answer = await next();
        if (batchOf(call) !== undefined && (batches += 1) === 1) await gate.promise;
        return answer;
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", LARGE));
    await until(() => batches === 1);
    await from.inside((self) => self.mailbox.destroy());
    gate.resolve();
    await from.inside((self) => void self.other(to.name).send("note", "after"));
    await quiet(from);
    expect(await from.ref.stats()).toMatchObject({ deadLetters: 0 });
    expect(from.eventsOf("deadLettered")).toEqual([]);
  });

  it("leaves no trace at its receiver, who need not remember a sender of whom it has taken nothing", async () => {
    const to = strict([]);
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", LARGE));
    await quiet(from);
    const senders = await to.inside(({ realStorage: { sql } }) =>
      sql.exec("SELECT * FROM _mailbox_senders").toArray(),
    );
    expect(senders).toEqual([]);
  });
});

describe("G8 what a receiver took in part", () => {
  it("is confirmed up to there, and taken for no fork afterwards", async () => {
    const seen: unknown[] = [];
    const to = strict(seen, { settings: { maxPending: 2 } });
    await to.ref.pause();
    const from = actor({ receive: {} });
    await from.inside((self) => {
      for (let n = 0; n < 5; n += 1) self.other(to.name).send("note", n);
    });
    await until(async () => (await from.ref.stats()).outbox === 3);
    await to.ref.resume();
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
    expect(to.eventsOf("outboxGap")).toEqual([]);
  });
});

describe("G8 a receiver that can take nothing for now", () => {
  const reasons: Readonly<Record<string, (to: Scripted) => Promise<() => Promise<void>>>> = {
    "its settings are wrong": async (to) => {
      to.deploy({ receive: {}, settings: { maxPayloadBytes: -1 } });
      return async () => to.deploy({ receive: { note: () => {} } });
    },
    "its rows are of a newer version": async (to) => {
      const alter = (statement: string): Promise<void> =>
        to.inside(({ realStorage: { sql } }) => void sql.exec(statement, SCHEMA_VERSION + 1));
      await alter("INSERT INTO _mailbox_schema (version) VALUES (?)");
      return () => alter("DELETE FROM _mailbox_schema WHERE version = ?");
    },
  };

  it.each(Object.entries(reasons))("because %s is waited for, and nothing of it dies", async (_, spoil) => {
    const to = strict([]);
    await to.ref.stats();
    const mend = await spoil(to);
    await to.evict();
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).send("note", 1);
      self.other(to.name).sendEvery("2 hours", "tick", undefined);
    });
    const failed = await until(() => from.eventsOf("outboxFailed")[0]);
    expect(failed.error.name).toMatch(/^(MisconfiguredError|NewerSchemaError)$/);
    expect(await from.inside((self) => self.mailbox.stats())).toMatchObject({ outbox: 2, deadLetters: 0 });
    await mend();
    await to.evict();
    await until(async () => (await from.ref.stats()).outbox === 0, "all of it taken");
    expect(await from.ref.stats()).toMatchObject({ deadLetters: 0 });
  });
});

describe("G8 how long a sender is remembered", () => {
  const keepUntil = (to: Scripted): Promise<number> =>
    to.inside(
      ({ realStorage: { sql } }) =>
        sql.exec<{ keep_until: number }>("SELECT keep_until FROM _mailbox_senders").one().keep_until,
    );

  it("is twice as long as it may repeat a batch", async () => {
    const to = strict([]);
    const from = actor({ receive: {}, settings: { outbox: { maxAge: "3 days" } } });
    const before = Date.now();
    await from.inside((self) => void self.other(to.name).send("note", 1));
    await quiet(from);
    expect(await keepUntil(to)).toBeGreaterThanOrEqual(before + 6 * 86_400_000);
  });

  it("is at most 60 days, whatever is asked for, because no outbox repeats anything for more than 30", async () => {
    const to = strict([]);
    const answer = await answerTo(to, batchCall({ keepMs: 100 * 365 * 86_400_000 }));
    expect(answer).toMatchObject({ ok: true, value: { kind: "taken", upTo: 1 } });
    expect(await keepUntil(to)).toBeLessThanOrEqual(Date.now() + 60 * 86_400_000);
    const tooLong = actor({ receive: {}, settings: { outbox: { maxAge: "31 days" } } });
    await tooLong.inside((self) => expect(() => self.send("note", 1)).toThrow(/outbox\.maxAge/));
  });
});
