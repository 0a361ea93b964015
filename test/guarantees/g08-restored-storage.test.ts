import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { batchOf, quiet } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

type Rows = Record<string, SqlStorageValue>[];

/** Reads what the outbox keeps of its targets and its rows. */
function outboxOf(self: ScriptedActor): { targets: Rows; rows: Rows } {
  const { sql } = self.realStorage;
  return {
    targets: sql.exec("SELECT * FROM _mailbox_targets").toArray(),
    rows: sql.exec("SELECT * FROM _mailbox_outbox").toArray(),
  };
}

/** Puts it back as it was: a stand-in for a restore of the whole storage. */
async function putBack(from: Scripted, before: { targets: Rows; rows: Rows }): Promise<void> {
  await from.inside(({ realStorage: { sql } }) => {
    sql.exec("DELETE FROM _mailbox_targets");
    sql.exec("DELETE FROM _mailbox_outbox");
    for (const [table, rows] of Object.entries({
      _mailbox_targets: before.targets,
      _mailbox_outbox: before.rows,
    })) {
      for (const row of rows) {
        const names = Object.keys(row);
        const places = names.map(() => "?").join(", ");
        sql.exec(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${places})`, ...Object.values(row));
      }
    }
  });
  await from.evict();
}

interface Listener {
  readonly box: Scripted;
  readonly seen: unknown[];
  readonly epochs: string[];
}

function listener(): Listener {
  const seen: unknown[] = [];
  const epochs: string[] = [];
  const box = actor({
    receive: { note: (payload) => void seen.push(payload) },
    onCall: (call, next) => {
      const batch = batchOf(call);
      if (batch !== undefined) epochs.push(batch.epoch);
      return next();
    },
  });
  return { box, seen, epochs };
}

async function sendEach(from: Scripted, to: Listener, payloads: readonly unknown[]): Promise<void> {
  for (const payload of payloads) {
    await from.inside((self) => {
      self.other(to.box.name).send("note", payload);
    });
    await quiet(from);
  }
  await quiet(to.box);
}

describe("G8 when a sender's storage is put back to an earlier moment", () => {
  it("gives its new messages a new life of numbers, instead of having them taken for known ones", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    await sendEach(from, to, [1, 2]);
    const before = await from.inside(outboxOf);
    await sendEach(from, to, [3, 4, 5]);
    await putBack(from, before);
    await sendEach(from, to, ["new 3", "new 4"]);
    expect(to.seen).toEqual([1, 2, 3, 4, 5, "new 3", "new 4"]);
    expect(from.eventsOf("outboxForked")).toEqual([
      { event: "outboxForked", target: `ACTORS/${to.box.name}` },
    ]);
    expect(new Set(to.epochs).size).toBe(2);
    expect(to.box.eventsOf("outboxGap")).toEqual([]);
  });

  for (const [length, count] of [
    ["as long as", 3],
    ["longer than", 5],
    ["shorter than", 2],
  ] as const) {
    it(`sees it at a batch that is ${length} what the receiver has more`, async () => {
      const to = listener();
      const from = actor({ receive: {} });
      await sendEach(from, to, [1, 2]);
      const before = await from.inside(outboxOf);
      await sendEach(from, to, [3, 4, 5]);
      await putBack(from, before);
      const again = Array.from({ length: count }, (_, n) => `new ${n}`);
      await from.inside((self) => {
        for (const payload of again) self.other(to.box.name).send("note", payload);
      });
      await quiet(from);
      await quiet(to.box);
      expect(to.seen).toEqual([1, 2, 3, 4, 5, ...again]);
      expect(from.eventsOf("outboxForked")).toHaveLength(1);
    });
  }

  it("sees it also when a number that the receiver has was never sent again", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    await sendEach(from, to, [1, 2]);
    const before = await from.inside(outboxOf);
    await sendEach(from, to, [3, 4, 5]);
    await putBack(from, before);
    const again = ["new 3", "new 4", "cancelled", "new 6", "new 7"];
    await from.inside(async (self) => {
      const other = self.other(to.box.name);
      const ids = again.map((payload) => other.send("note", payload));
      expect(await other.cancel(ids[2] ?? "")).toBe(true);
    });
    await quiet(from);
    await quiet(to.box);
    expect(to.seen).toEqual([1, 2, 3, 4, 5, "new 3", "new 4", "new 6", "new 7"]);
    expect(from.eventsOf("outboxForked")).toHaveLength(1);
  });

  it("leaves its other targets alone: what they have is not sent to them again", async () => {
    const to = listener();
    const other = listener();
    const from = actor({ receive: {} });
    await sendEach(from, to, [1]);
    const before = await from.inside(outboxOf);
    await sendEach(from, to, [2]);
    await sendEach(from, other, ["a", "b"]);
    const after = await from.inside(outboxOf);
    const isTo = (row: Rows[number]): boolean => JSON.stringify(row["target"]).includes(to.box.name);
    await putBack(from, {
      targets: [...before.targets.filter(isTo), ...after.targets.filter((row) => !isTo(row))],
      rows: [],
    });
    await from.inside((self) => {
      self.other(to.box.name).send("note", "new 2");
      self.other(other.box.name).send("note", "c");
    });
    await quiet(from);
    await quiet(to.box);
    await quiet(other.box);
    expect(to.seen).toEqual([1, 2, "new 2"]);
    expect(other.seen).toEqual(["a", "b", "c"]);
    expect(new Set(other.epochs).size).toBe(1);
    expect(other.box.eventsOf("outboxGap")).toEqual([]);
  });

  it("does not have a batch taken twice that was on its way then, and is repeated as it was", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    let before: ReturnType<typeof outboxOf> | undefined;
    await from.inside((self) => {
      for (const payload of [1, 2, 3]) self.other(to.box.name).send("note", payload);
      before = outboxOf(self);
    });
    await quiet(from);
    await quiet(to.box);
    const after = await from.inside(outboxOf);
    // As it was between the call and its answer.
    const targets = after.targets.map((row) => ({
      ...row,
      confirmed_n: 0,
      confirmed_id: null,
      batch_n: 3,
      first_try: Date.now(),
      tries: 1,
      next_try: Date.now(),
    }));
    await putBack(from, { targets, rows: before?.rows ?? [] });
    await sendEach(from, to, [4]);
    expect(to.seen).toEqual([1, 2, 3, 4]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });
});

describe("G8 when a receiver's storage is put back to an earlier moment", () => {
  it("takes what comes, and says that something is missing", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    await sendEach(from, to, [1]);
    const before = await to.box.inside(({ realStorage: { sql } }) =>
      sql.exec<{ last_n: number; last_id: string }>("SELECT last_n, last_id FROM _mailbox_senders").one(),
    );
    await sendEach(from, to, [2, 3]);
    await to.box.inside(({ realStorage: { sql } }) => {
      sql.exec("UPDATE _mailbox_senders SET last_n = ?, last_id = ?", before.last_n, before.last_id);
    });
    await to.box.evict();
    await sendEach(from, to, [4, 5]);
    expect(to.seen).toEqual([1, 2, 3, 4, 5]);
    const sender = await from.inside(({ state }) => state.id.toString());
    expect(to.box.eventsOf("outboxGap")).toEqual([{ event: "outboxGap", sender, expected: 3, received: 1 }]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });

  it("takes what comes after all its storage was deleted", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    await sendEach(from, to, [1, 2]);
    await to.box.inside((_, state) => state.storage.deleteAll());
    await sendEach(from, to, [3, 4]);
    expect(to.seen).toEqual([1, 2, 3, 4]);
    expect(to.box.eventsOf("outboxGap")).toMatchObject([{ expected: 2, received: 0 }]);
  });
});

describe("G8 a receiver that says fork, again and again,", () => {
  it("is asked after waits that double, as any that takes nothing, and given up like it", async () => {
    const times: number[] = [];
    const to = actor({
      receive: {},
      onCall: (call, next) => {
        if (batchOf(call) === undefined) return next();
        times.push(Date.now());
        return Promise.resolve(JSON.stringify({ ok: true, value: { kind: "fork" } }));
      },
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 2_500 } } });
    const id = await from.inside((self) => self.other(to.name).send("note", 1));
    await until(() => times.length === 3, "a third try");
    const [first = 0, , third = 0] = times;
    expect(third - first).toBeGreaterThanOrEqual(1_000);
    expect(from.eventsOf("outboxForked")).toHaveLength(1);
    await until(() => from.eventsOf("outboxFailed").length > 0);
    expect(from.eventsOf("outboxFailed")[0]).toMatchObject({
      tries: 2,
      error: { name: "OutboxForkedError" },
    });
    await until(async () => (await from.ref.deadLetter(id)) !== undefined, "its letter");
  });
});

describe("G8 what two objects remember of each other", () => {
  startClockAfterEach();

  it("is forgotten when nothing more can come of it, without being taken for a loss", async () => {
    const to = listener();
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 100 } } });
    stopClock();
    await sendEach(from, to, [1, 2]);
    moveClock(250);
    await sendEach(from, to, [3]);
    expect(to.box.eventsOf("outboxGap")).toEqual([]);
    moveClock(250);
    const senders = (): Promise<number> =>
      to.box.inside(
        ({ realStorage: { sql } }) =>
          sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM _mailbox_senders").one().n,
      );
    const targets = (): Promise<number> => from.inside((self) => outboxOf(self).targets.length);
    expect([await senders(), await targets()]).toEqual([1, 1]);
    for (const box of [to.box, from]) {
      await box.evict();
      await box.drain();
    }
    expect([await senders(), await targets()]).toEqual([0, 0]);
    await sendEach(from, to, [4]);
    expect(to.seen).toEqual([1, 2, 3, 4]);
  });

  it("is forgotten as fast as it comes, however many there are", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    await to.box.ref.stats();
    await from.ref.stats();
    await to.box.inside(({ realStorage: { sql } }) => {
      for (let n = 0; n < 1_500; n += 1)
        sql.exec("INSERT INTO _mailbox_senders VALUES (?, 'e', 1, 'id', 1)", crypto.randomUUID());
    });
    await from.inside(({ realStorage: { sql } }) => {
      for (let n = 0; n < 1_500; n += 1)
        sql.exec(
          "INSERT INTO _mailbox_targets (target, epoch) VALUES (?, 'e')",
          `["env:ACTORS","name","${n}"]`,
        );
    });
    for (let n = 0; n < 3; n += 1) await sendEach(from, to, [n]);
    const rows = (box: Scripted, table: string): Promise<number> =>
      box.inside(
        ({ realStorage: { sql } }) => sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`).one().n,
      );
    expect(await rows(to.box, "_mailbox_senders")).toBeLessThan(700);
    expect(await rows(from, "_mailbox_targets")).toBeLessThan(700);
  });

  it("is forgotten without being taken for a loss, also when the last of it was a recurrence", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    const recurrence = await from.inside((self) => self.other(to.box.name).sendEvery("1 hour", "note", 1));
    await quiet(from);
    await to.box.inside(({ realStorage: { sql } }) => void sql.exec("DELETE FROM _mailbox_senders"));
    await from.inside((self) => void self.other(to.box.name).send("note", 2));
    await quiet(from);
    expect(to.box.eventsOf("outboxGap")).toEqual([]);
    await to.box.ref.cancel(recurrence);
  });

  it("is not mixed up when one object is sent to by its name and by its id alone", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    const id = env.ACTORS.idFromString(env.ACTORS.idFromName(to.box.name).toString());
    for (const n of [1, 2, 3]) {
      await from.inside((self) => {
        self.other(to.box.name).send("note", `name ${n}`);
        self.ref(env.ACTORS, id).send("note", `id ${n}`);
      });
      await quiet(from);
    }
    await quiet(to.box);
    expect(to.seen.toSorted()).toEqual(["id 1", "id 2", "id 3", "name 1", "name 2", "name 3"]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });

  it("is one route for a name and for the id that was made from it", async () => {
    const to = listener();
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.box.name).send("note", 1);
      self.ref(env.ACTORS, env.ACTORS.idFromName(to.box.name)).send("note", 2);
      self.other(to.box.name).send("note", 3);
      expect(self.mailbox.outbox().items.map(({ target }) => target)).toEqual(
        Array(3).fill(`ACTORS/${to.box.name}`),
      );
    });
    await quiet(from);
    await quiet(to.box);
    expect(to.seen).toEqual([1, 2, 3]);
    expect(new Set(to.epochs).size).toBe(1);
  });
});
