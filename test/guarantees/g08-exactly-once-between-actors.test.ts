import { describe, expect, it } from "vitest";
import { batchOf, quiet } from "../support/batches.ts";
import { actor, type Script, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

/** An actor that notes the payloads it was given. */
function listener(seen: unknown[], more: Partial<Script> = {}): Scripted {
  return actor({ receive: { note: (payload) => void seen.push(payload) }, ...more });
}

function rows(self: ScriptedActor): number {
  return self.realStorage.sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM _mailbox_outbox").one().n;
}

describe("G8 Actor to actor, a message is enqueued exactly once", () => {
  it("is part of the commit of the handler that sends it", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    let within: unknown;
    const from = actor((self) => ({
      receive: {
        go: () => {
          self.state.storage.kv.put("state", "written");
          self.other(to.name).send("note", "sent");
          within = [rows(self), self.mailbox.stats().pending];
        },
      },
    }));
    await from.ref.send("go", undefined);
    await until(() => seen.length === 1);
    await quiet(from);
    // Buffered until the ack: no row yet, and the message that runs.
    expect(within).toEqual([0, 1]);
    expect(seen).toEqual(["sent"]);
    expect(await from.inside((self) => self.state.storage.kv.get("state"))).toBe("written");
  });

  it("is part of the commit of the request that sends it", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor({ receive: {} });
    await from
      .inside((self, state) => {
        self.other(to.name).send("note", "lost with its request");
        state.abort("killed before the commit");
      })
      .catch(() => {});
    await from.inside((self) => {
      expect(() =>
        self.state.storage.transactionSync(() => {
          self.other(to.name).send("note", "rolled back");
          throw new Error("the user's own");
        }),
      ).toThrow("the user's own");
      self.other(to.name).send("note", "kept");
    });
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["kept"]);
  });

  for (const [how, handle] of Object.entries({
    "throws synchronously": () => {
      throw new Error("it fails");
    },
    "rejects after an await": async () => {
      await scheduler.wait(1);
      throw new Error("it fails");
    },
    "never settles": () => new Promise(() => {}),
  })) {
    it(`is not sent by an attempt that ${how}`, async () => {
      const seen: unknown[] = [];
      const to = listener(seen);
      let runs = 0;
      const from = actor((self) => ({
        receive: {
          go: {
            backoff: 10,
            timeout: 100,
            handle: () => {
              runs += 1;
              self.other(to.name).send("note", runs);
              return runs === 1 ? handle() : undefined;
            },
          },
        },
      }));
      await from.ref.send("go", undefined);
      await until(() => seen.length > 0);
      await quiet(from);
      await quiet(to);
      expect(seen).toEqual([2]);
    });
  }

  it("arrives in the order of the commits, and within one of the calls", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor((self) => ({
      receive: {
        three: (n) => {
          for (const part of ["a", "b", "c"]) self.other(to.name).send("note", `${String(n)}${part}`);
        },
        later: async (n) => {
          self.other(to.name).send("note", `${String(n)}a`);
          await scheduler.wait(1);
          self.other(to.name).sendAll([{ type: "note", payload: `${String(n)}b` }]);
        },
      },
    }));
    const expected: string[] = [];
    for (let n = 0; n < 60; n += 1) {
      expected.push(`${n}a`, `${n}b`, ...(n % 5 === 0 ? [] : [`${n}c`]));
    }
    await from.ref.sendAll(
      Array.from({ length: 60 }, (_, n) => ({ type: n % 5 === 0 ? "later" : "three", payload: n })),
    );
    await until(() => seen.length >= expected.length);
    await quiet(from);
    expect(seen).toEqual(expected);
  });

  it("is not enqueued twice when the reply is lost", async () => {
    const seen: unknown[] = [];
    const batches: (readonly number[])[] = [];
    const to = listener(seen, {
      onCall: async (call, next) => {
        const batch = batchOf(call);
        if (batch === undefined) return next();
        batches.push(batch.messages.map(({ n }) => n));
        const answer = await next();
        if (batches.length === 1) throw new Error("the reply is lost");
        return answer;
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      for (const n of [1, 2, 3]) self.other(to.name).send("note", n);
    });
    await until(() => batches.length === 1);
    // Written behind the batch in doubt: it must not change it.
    await from.inside((self) => {
      self.other(to.name).send("note", 4);
    });
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(batches).toEqual([[1, 2, 3], [1, 2, 3], [4]]);
    expect(from.eventsOf("outboxFailed")).toMatchObject([
      { tries: 1, error: { message: "the reply is lost" } },
    ]);
  });

  it("is not enqueued twice when the receiver dies after its commit, nor lost when it dies before", async () => {
    const seen: unknown[] = [];
    let calls = 0;
    const to = actor((self) => ({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: async (call, next) => {
        if (batchOf(call) === undefined) return next();
        calls += 1;
        if (calls === 1) self.state.abort("before it takes the batch");
        const answer = await next();
        if (calls === 2) {
          await self.state.storage.sync();
          self.state.abort("after it took the batch");
        }
        return answer;
      },
    }));
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).send("note", "once");
    });
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["once"]);
    expect(calls).toBe(3);
  });

  it("is not enqueued twice when the sender dies between its call and the answer", async () => {
    const seen: unknown[] = [];
    let calls = 0;
    const from = actor({ receive: {} });
    const to = listener(seen, {
      onCall: async (call, next) => {
        if (batchOf(call) === undefined) return next();
        calls += 1;
        const answer = await next();
        if (calls === 1) await from.kill();
        return answer;
      },
    });
    await from.inside((self) => {
      self.other(to.name).sendAll([
        { type: "note", payload: 1 },
        { type: "note", payload: 2 },
      ]);
    });
    await until(() => calls === 2, "the batch to come again");
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual([1, 2]);
  });

  it("is not lost when the sender dies before its call has left", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor({ receive: {} });
    await from
      .inside(async (self, state) => {
        self.other(to.name).send("note", "kept");
        await state.storage.sync();
        state.abort("at once");
      })
      .catch(() => {});
    await until(() => seen.length === 1);
    await quiet(from);
    expect(seen).toEqual(["kept"]);
  });

  it("starts a new life of its numbers when the sender's storage was deleted, also with a batch on its way", async () => {
    const seen: unknown[] = [];
    const epochs = new Set<string>();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const to = listener(seen, {
      onCall: async (call, next) => {
        const batch = batchOf(call);
        if (batch === undefined) return next();
        epochs.add(batch.epoch);
        const answer = await next();
        if (epochs.size === 1) await held;
        return answer;
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      for (const n of [1, 2, 3]) self.other(to.name).send("note", `old ${n}`);
    });
    await until(() => seen.length === 3);
    await from.inside(async (self, state) => {
      await state.storage.deleteAll();
      self.other(to.name).send("note", "new 1");
    });
    await until(() => seen.length === 4);
    release();
    await from.inside((self) => {
      self.other(to.name).send("note", "new 2");
    });
    await until(() => seen.length === 5);
    await quiet(from);
    expect(seen).toEqual(["old 1", "old 2", "old 3", "new 1", "new 2"]);
    expect(epochs.size).toBe(2);
    expect(to.eventsOf("outboxGap")).toEqual([]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });

  it("travels at once and waits at its receiver when it is delayed", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor({ receive: {} });
    const due = Date.now() + 3_600_000;
    const id = await from.inside((self) => self.other(to.name).sendLater(due, "note", "later"));
    await quiet(from);
    expect(await to.ref.get(id)).toMatchObject({ dueAt: due, state: "waiting", payload: "later" });
    expect(seen).toEqual([]);
  });

  it("waits at the receiver, parked, when the receiver does not know its type", async () => {
    const to = actor({ receive: {} });
    const seen: unknown[] = [];
    const from = actor({ receive: {} });
    const id = await from.inside((self) => self.other(to.name).send("note", "for a later version"));
    await quiet(from);
    expect(await to.ref.get(id)).toMatchObject({ state: "parked" });
    expect(to.eventsOf("parked")).toMatchObject([{ id, type: "note" }]);
    to.deploy({ receive: { note: (payload) => void seen.push(payload) } });
    await to.evict();
    await to.drain();
    expect(seen).toEqual(["for a later version"]);
  });

  it("declares a recurrence at a receiver that does not know its type yet, and delivers when it does", async () => {
    const to = actor({ receive: {} });
    const from = actor({ receive: {} });
    const id = await from.inside((self) =>
      self.other(to.name).sendEvery("1 second", "tick", undefined, { startAt: Date.now() + 50 }),
    );
    await quiet(from);
    expect((await to.ref.recurrences()).items).toMatchObject([{ id, type: "tick" }]);
    await until(async () => (await to.ref.stats()).parked === 1);
    let ticks = 0;
    to.deploy({ receive: { tick: () => void (ticks += 1) } });
    await to.evict();
    await to.drain();
    expect(ticks).toBe(1);
    await until(() => ticks > 1);
    expect(await to.ref.cancel(id)).toBe(true);
  });
});
