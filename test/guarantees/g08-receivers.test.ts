import { describe, expect, it } from "vitest";
import { batchOf, quiet, type SeenBatch } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** An actor that answers each batch with an error. */
function broken(error: () => Error = () => new Error("broken for ever")): Scripted {
  return actor({
    receive: {},
    onCall: (call, next) => (batchOf(call) === undefined ? next() : Promise.reject(error())),
  });
}

startClockAfterEach();

describe("G8 a receiver that cannot take everything", () => {
  it("takes what it has room for, and the rest later", async () => {
    const seen: unknown[] = [];
    const batches: SeenBatch[] = [];
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      settings: { maxPending: 3 },
      onCall: (call, next) => {
        const batch = batchOf(call);
        if (batch !== undefined) batches.push(batch);
        return next();
      },
    });
    await to.ref.pause();
    const from = actor({ receive: {} });
    await from.inside((self) => {
      for (let n = 0; n < 7; n += 1) self.other(to.name).send("note", n);
    });
    await until(async () => (await from.ref.stats()).outbox === 4);
    expect((await to.ref.stats()).pending).toBe(3);
    expect((await from.ref.outbox()).items[0]).toMatchObject({ error: "The mailbox is full." });
    await to.ref.resume();
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(batches.at(0)?.messages).toHaveLength(7);
    // What it did not take is not what it has confirmed.
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });

  it("does not hold up a route with one message that it never takes: that one is its sender's to keep", async () => {
    const seen: unknown[] = [];
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      settings: { maxPayloadBytes: 100, minInterval: "1 minute" },
    });
    const hooked: string[] = [];
    const from = actor({ receive: {}, onDeadLetter: (letter) => void hooked.push(letter.id) });
    const [large, often] = await from.inside((self) => {
      const other = self.other(to.name);
      other.send("note", "before");
      const ids = [
        other.send("note", "x".repeat(200), { key: "k" }),
        other.sendEvery("2 seconds", "tick", undefined, { key: "often" }),
      ];
      other.send("note", "after");
      return ids;
    });
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["before", "after"]);
    const letters = new Map(
      (await from.ref.deadLetters()).items.map((letter) => [letter.recurrence ?? letter.id, letter]),
    );
    expect(letters.get(large ?? "")).toMatchObject({
      reason: "undeliverable",
      type: "note",
      key: "k",
      payload: "x".repeat(200),
      attempts: 1,
      errors: [{ name: "payload_too_large", outcome: "undeliverable" }],
    });
    expect(letters.get(often ?? "")).toMatchObject({
      reason: "undeliverable",
      errors: [{ name: "invalid_recurrence" }],
    });
    await until(() => hooked.length === 2);
    // Redriven, a recurrence is one still.
    to.deploy({ receive: { note: () => {}, tick: () => {} } });
    await to.evict();
    expect(await from.ref.redrive(letters.get(often ?? "")?.id ?? "")).toBe(true);
    await quiet(from);
    expect((await to.ref.recurrences()).items).toMatchObject([{ id: often, rule: "every 2 s" }]);
    await to.ref.cancel(often ?? "");
  });

  it("is given up after settings.outbox.maxAge, batch by batch; the letter redriven has a number of its own", async () => {
    const seen: unknown[] = [];
    const numbers: number[] = [];
    let isBroken = true;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: (call, next) => {
        const batch = batchOf(call);
        if (batch === undefined) return next();
        numbers.push(...batch.messages.map(({ n }) => n));
        return isBroken ? Promise.reject(new Error("broken for a while")) : next();
      },
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 500 } } });
    const id = await from.inside((self) =>
      self.other(to.name).send("note", "late", { maxAttempts: 7, expires: "1 hour" }),
    );
    await until(async () => (await from.ref.stats()).deadLetters === 1);
    const letter = await from.ref.deadLetter(id);
    expect(letter).toMatchObject({
      reason: "undeliverable",
      payload: "late",
      attempts: 1,
      errors: [{ attempt: 1, outcome: "undeliverable", message: "Error: broken for a while" }],
    });
    expect(letter?.target).toBe(`ACTORS/${to.name}`);
    expect((await from.ref.stats()).outbox).toBe(0);
    isBroken = false;
    expect(await from.ref.redrive(id)).toBe(true);
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["late"]);
    expect(numbers).toEqual([1, 2]);
    expect(to.eventsOf("delivered")).toMatchObject([{ id }]);
  });

  it("comes no earlier for having been given up: redriven, it keeps the time that it was sent for", async () => {
    let isBroken = true;
    const to = actor({
      receive: { note: () => {} },
      onCall: (call, next) =>
        isBroken && batchOf(call) !== undefined ? Promise.reject(new Error("broken for a while")) : next(),
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 500 } } });
    const id = await from.inside((self) => self.other(to.name).sendIn("30 days", "note", "trial ends"));
    await until(async () => (await from.ref.stats()).deadLetters === 1);
    const dueAt = (await from.ref.deadLetter(id))?.dueAt;
    isBroken = false;
    expect(await from.ref.redriveAll({ reason: "undeliverable" })).toBe(1);
    await quiet(from);
    expect((await to.ref.pending()).items).toMatchObject([{ id, dueAt }]);
    await to.ref.cancel(id);
  });

  it("has a letter for each recurrence that it was not given, whoever else was not given it either", async () => {
    const boxes = ["a", "b"].map(() =>
      actor({ receive: { tick: () => {} }, settings: { minInterval: "1 hour" } }),
    );
    const from = actor({ receive: {} });
    const id = await from.inside((self) => {
      const ids = boxes.flatMap((box) => [
        self.other(box.name).sendEvery("5 seconds", "tick", `for ${box.name}`),
        self.other(box.name).sendEvery("6 seconds", "tick", `again for ${box.name}`),
      ]);
      return ids[0] ?? "";
    });
    await quiet(from);
    const { items } = await from.ref.deadLetters();
    expect(items.map((letter) => letter.id).toSorted()).toEqual(
      boxes.flatMap(({ name }) => [1, 2].map((n) => `${id}@ACTORS/${name}#${n}`)).toSorted(),
    );
    for (const letter of items) expect(letter).toMatchObject({ recurrence: id, reason: "undeliverable" });
    for (const box of boxes) {
      box.deploy({ receive: { tick: () => {} } });
      await box.evict();
    }
    // Each goes back to whom it was for, as what it was.
    expect(await from.ref.redriveAll()).toBe(4);
    await quiet(from);
    for (const box of boxes) {
      expect((await box.ref.recurrences()).items).toMatchObject([{ id }]);
      await box.ref.cancel(id);
    }
  });

  it("has a letter for each recurrence also when the name of its target is too long for an id", async () => {
    const names = ["a", "b"].map((last) => `${"n".repeat(900)}-${crypto.randomUUID()}-${last}`);
    const from = actor({ receive: {} });
    for (const name of names) {
      actor({ receive: { tick: () => {} }, settings: { minInterval: "1 hour" } }, name);
      await from.inside((self) => void self.other(name).sendEvery("5 seconds", "tick", name));
    }
    await quiet(from);
    const { items } = await from.ref.deadLetters();
    expect(items.map(({ payload }) => payload).toSorted()).toEqual(names.toSorted());
    for (const { id } of items) expect(await from.ref.purge(id)).toBe(true);
  });

  it("is not given twice what it has, when that was given up because no answer came back", async () => {
    const seen: unknown[] = [];
    let isLost = true;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: async (call, next) => {
        const answer = await next();
        if (batchOf(call) !== undefined && isLost) throw new Error("the answer is lost");
        return answer;
      },
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 500 } } });
    const id = await from.inside((self) =>
      self.other(to.name).sendIn("1 hour", "note", "there already", { key: "k" }),
    );
    await until(async () => (await from.ref.stats()).deadLetters === 1);
    isLost = false;
    expect(await from.ref.redrive(id)).toBe(true);
    await quiet(from);
    expect((await to.ref.pending()).items).toMatchObject([{ id, key: "k" }]);
    expect(from.eventsOf("outboxFailed").at(-1)).toMatchObject({ error: { message: "the answer is lost" } });
  });

  it("is given what was redriven without the expiry that it died waiting for", async () => {
    const seen: unknown[] = [];
    let isBroken = true;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: (call, next) =>
        batchOf(call) !== undefined && isBroken ? Promise.reject(new Error("broken")) : next(),
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 500 } } });
    const id = await from.inside((self) => self.other(to.name).send("note", "late", { expires: "100 ms" }));
    await until(async () => (await from.ref.stats()).deadLetters === 1);
    isBroken = false;
    expect(await from.ref.redrive(id)).toBe(true);
    await until(() => seen.length === 1);
    expect(await to.ref.stats()).toMatchObject({ deadLetters: 0 });
  });

  it("keeps the history of a letter that was redriven in vain", async () => {
    const dead = broken();
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 500 } } });
    const id = await from.inside((self) => self.other(dead.name).send("note", undefined));
    await until(() => from.eventsOf("deadLettered").length === 1);
    await from.ref.redrive(id);
    await until(() => from.eventsOf("deadLettered").length === 2);
    const letter = await from.ref.deadLetter(id);
    expect(letter?.errors).toHaveLength(2);
    expect(letter?.attempts).toBe(2);
  });

  it("is waited for by its rows, with an event, when its binding is no longer there", async () => {
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 1 } } });
    await from.inside((self) => {
      self.other("nobody").send("note", "for a later version");
      self.realStorage.sql.exec(
        "UPDATE _mailbox_outbox SET target = ?",
        JSON.stringify(["env:REMOVED", "name", "nobody"]),
      );
    });
    await from.evict();
    await from.drain();
    expect(from.eventsOf("outboxUnbound")).toEqual([{ event: "outboxUnbound", target: "REMOVED/nobody" }]);
    const { items } = await from.ref.outbox();
    expect(items).toMatchObject([{ target: "REMOVED/nobody", tries: 0 }]);
    expect(items[0]?.error).toMatch(/no binding for REMOVED\/nobody/);
    expect(items[0]?.nextTryAt).toBeGreaterThan(Date.now() + 60_000);
    // Nothing was tried, so nothing has grown old.
    await scheduler.wait(10);
    await from.drain();
    expect((await from.ref.stats()).deadLetters).toBe(0);
  });

  it("breaks nothing when the binding leads to another namespace now", async () => {
    const seen: unknown[] = [];
    const from = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await from.inside((self) => {
      self.other("nobody").send("note", undefined);
      self.realStorage.sql.exec(
        "UPDATE _mailbox_outbox SET target = ?",
        JSON.stringify(["env:ROOMS", "id", self.state.id.toString()]),
      );
    });
    await from.evict();
    await from.ref.send("note", "goes on");
    await until(() => seen.length === 1);
    expect(from.eventsOf("outboxUnbound")).toHaveLength(1);
  });

  for (const [what, answer] of Object.entries({
    "no JSON": "nonsense",
    "another form": JSON.stringify({ hello: "there" }),
    "no kind": JSON.stringify({ ok: true, value: {} }),
    "a kind alone": JSON.stringify({ ok: true, value: { kind: "taken" } }),
    "a list for a list": JSON.stringify({ ok: true, value: { kind: "taken", upTo: 0, refused: 3 } }),
    "a refusal of great length": JSON.stringify({ ok: false, code: "x", message: "x".repeat(1_000_000) }),
    null: "null",
  })) {
    it(`cannot disturb its sender by answering a batch with ${what}`, async () => {
      const seen: unknown[] = [];
      let calls = 0;
      const to = actor({
        receive: { note: (payload) => void seen.push(payload) },
        onCall: (call, next) => {
          if (batchOf(call) === undefined) return next();
          calls += 1;
          return calls === 1 ? Promise.resolve(answer) : next();
        },
      });
      const from = actor({ receive: { note: (payload) => void seen.push(payload) } });
      await from.inside((self) => {
        self.other(to.name).send("note", "sent");
      });
      await until(() => calls === 1);
      await from.ref.send("note", "own");
      await until(() => seen.length === 1);
      const [row] = (await from.ref.outbox()).items;
      expect(row?.error?.length).toBeLessThan(2_000);
      await quiet(from);
      await quiet(to);
      expect(seen).toEqual(["own", "sent"]);
    });
  }

  it("is left alone for half a minute when it says that it is overloaded", async () => {
    const now = stopClockAhead();
    const dead = broken(() => Object.assign(new Error("Too many requests queued"), { overloaded: true }));
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(dead.name).send("note", undefined);
    });
    await from.drain();
    const event = await until(() => from.eventsOf("outboxFailed")[0]);
    expect(event.nextAt).toBe(now + 30_000);
  });

  it("is asked again after waits that double, up to five minutes", async () => {
    stopClockAhead();
    const dead = broken();
    const from = actor({ receive: {} });
    /** How long it waits after its next failure. */
    const wait = async (): Promise<number> => {
      const before = from.eventsOf("outboxFailed").length;
      await from.drain();
      return (await until(() => from.eventsOf("outboxFailed")[before], "a failed try")).nextAt - Date.now();
    };
    await from.inside((self) => {
      self.other(dead.name).send("note", undefined);
    });
    const waits: number[] = [];
    for (let tries = 0; tries < 4; tries += 1) {
      waits.push(await wait());
      moveClock(waits[tries] ?? 0);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000]);
    await from.inside(({ realStorage: { sql } }) => {
      sql.exec("UPDATE _mailbox_targets SET tries = 40, next_try = 0");
    });
    await from.evict();
    expect(await wait()).toBe(300_000);
  });
});
