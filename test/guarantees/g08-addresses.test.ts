import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { UnknownNamespaceError, UnknownTypeError } from "../../actors/index.ts";
import { quiet } from "../support/batches.ts";
import { actor, type AnyMessages, type Scripted, until } from "../support/scripted.ts";

/** An actor that notes the payloads it was given. */
function listener(seen: unknown[]): Scripted {
  return actor({ receive: { note: (payload) => void seen.push(payload) } });
}

describe("G8 where a message goes", () => {
  it("is the own mailbox, not the outbox, when an actor sends to itself by a ref", async () => {
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload, { from }) => void seen.push([payload, from]),
        go: () => {
          const own = self.other(self.state.id.name ?? "");
          own.send("note", "sync");
          // It is buffered until the ack, and then a message of the own mailbox.
          expect(self.mailbox.stats()).toMatchObject({ outbox: 0, pending: 1 });
        },
        later: async () => {
          const own = self.ref(env.ACTORS, self.state.id);
          const id = own.send("note", "cancelled");
          own.send("note", "async");
          expect(await own.get(id)).toMatchObject({ payload: "cancelled" });
          expect(await own.cancel(id)).toBe(true);
        },
      },
    }));
    await box.ref.send("go", undefined);
    await until(() => seen.length === 1);
    await box.ref.send("later", undefined);
    await until(() => seen.length === 2);
    await quiet(box);
    expect(seen).toEqual([
      ["sync", undefined],
      ["async", undefined],
    ]);
    await box.inside(async (self) => {
      const own = self.other(box.name);
      expect(() => own.send("unknown", undefined)).toThrow(UnknownTypeError);
      const id = own.sendIn("1 hour", "note", 1, { key: "k" });
      expect(await own.reschedule({ type: "note", key: "k" }, Date.now() + 7_200_000)).toBe(true);
      expect((await own.pending()).items).toMatchObject([{ id }]);
      expect(await own.stats()).toMatchObject({ pending: 1 });
      await own.pause();
      expect((await own.stats()).paused).toBe(true);
      await own.resume();
      expect(await own.cancel(id)).toBe(true);
      expect((await own.deadLetters()).items).toEqual([]);
      expect(await own.purgeAll()).toBe(0);
    });
  });

  it("may be named by a namespace of ctx.exports, and is stored by the binding where there is one", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor({ receive: {} });
    await from.inside((self) => {
      const { exports } = self.state as unknown as { exports: { ScriptedActor: typeof env.ACTORS } };
      self.ref(exports.ScriptedActor, to.name).send("note", "by exports");
      self.other(to.name).send("note", "by a binding");
      const targets = self.mailbox.outbox().items.map(({ target }) => target);
      expect(targets).toEqual(Array(2).fill(`ACTORS/${to.name}`));
    });
    await until(() => seen.length === 2);
    expect(seen).toEqual(["by exports", "by a binding"]);
    // A row that only the exports name, such as one of a class without a binding.
    await from.inside((self) => {
      self.other(to.name).send("note", "by exports alone");
      self.realStorage.sql.exec(
        "UPDATE _mailbox_outbox SET target = ?",
        JSON.stringify(["exports:ScriptedActor", "name", to.name]),
      );
    });
    await from.evict();
    await from.drain();
    await until(() => seen.length === 3);
    expect(from.eventsOf("outboxUnbound")).toEqual([]);
  });

  it("is refused for a namespace that no row could name", async () => {
    const from = actor({ receive: {} });
    await from.inside((self) => {
      const foreign = {
        idFromName: () => ({ toString: () => "nowhere" }),
        idFromString: () => ({ toString: () => "nowhere" }),
        get: () => ({}),
      };
      expect(() => self.ref<AnyMessages>(foreign as unknown as DurableObjectNamespace, "x")).toThrow(
        UnknownNamespaceError,
      );
    });
  });
});

describe("G8 the verbs of this.ref", () => {
  it("look first at what the attempt has in memory, then at the outbox, then at the receiver", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const found: unknown[] = [];
    const from = actor((self) => ({
      receive: {
        memory: async () => {
          const other = self.other(to.name);
          const dropped = other.send("note", "dropped");
          const moved = other.send("note", "moved");
          const recurring = other.sendEvery("1 hour", "note", "never");
          found.push((await other.get(dropped))?.payload);
          found.push(await other.cancel(dropped), await other.cancel(recurring));
          found.push(await other.reschedule(moved, Date.now() + 3_600_000));
          found.push((await other.get(moved))?.payload);
        },
      },
    }));
    await from.ref.send("memory", undefined);
    await until(async () => (await to.ref.stats()).pending === 1);
    await quiet(from);
    expect(found).toEqual(["dropped", true, true, true, "moved"]);
    expect((await to.ref.pending()).items).toMatchObject([{ payload: "moved" }]);
    expect((await to.ref.recurrences()).items).toEqual([]);
    const inOutbox: unknown[] = [];
    const moved = await from.inside(async (self) => {
      const other = self.other(to.name);
      const dropped = other.send("note", "dropped");
      const moved = other.send("note", "moved again");
      // In the outbox, and not tried yet: until its first await this request is alone.
      const get = other.get(dropped);
      const cancel = other.cancel(dropped);
      const reschedule = other.reschedule(moved, Date.now() + 3_600_000);
      inOutbox.push((await get)?.payload, await cancel, await reschedule);
      return moved;
    });
    await quiet(from);
    expect(inOutbox).toEqual(["dropped", true, true]);
    await from.inside(async (self) => {
      const other = self.other(to.name);
      expect(await other.get(moved)).toMatchObject({ payload: "moved again", state: "waiting" });
      expect(await other.reschedule(moved, Date.now() + 7_200_000)).toBe(true);
      expect(await other.cancel(moved)).toBe(true);
      expect(await other.cancel(moved)).toBe(false);
      expect(await other.get(moved)).toBeUndefined();
      expect(await other.cancel("no id at all")).toBe(false);
    });
    expect(seen).toEqual([]);
  });

  it("cancel by key what waits here and what waits there", async () => {
    const to = listener([]);
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).sendIn("1 hour", "note", "there", { key: "k" });
    });
    await quiet(from);
    const key = { type: "note", key: "k" } as const;
    const cancelled = await from.inside((self) => {
      const other = self.other(to.name);
      other.sendIn("1 hour", "note", "here", { key: "k", ifPending: "replace" });
      other.sendIn("1 hour", "note", "here too", { key: "k" });
      return other.cancel(key);
    });
    expect(cancelled).toBe(true);
    await quiet(from);
    expect((await to.ref.stats()).pending).toBe(0);
    expect(await from.inside((self) => self.other(to.name).cancel(key))).toBe(false);
  });

  it("end a recurrence that was declared again and has not left yet", async () => {
    const to = listener([]);
    const from = actor({ receive: {} });
    const id = await from.inside((self) => self.other(to.name).sendEvery("1 hour", "note", "old"));
    await quiet(from);
    const cancelled = await from.inside((self) => {
      const other = self.other(to.name);
      other.sendEvery("2 hours", "note", "new");
      return other.cancel(id);
    });
    expect(cancelled).toBe(true);
    await quiet(from);
    expect((await to.ref.recurrences()).items).toEqual([]);
  });

  it("give no number twice to what was cancelled before it left", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor({ receive: {} });
    for (let n = 0; n < 5; n += 1) {
      await from.inside(async (self) => {
        const other = self.other(to.name);
        other.send("note", n);
        const cancel = other.cancel(other.send("note", "cancelled"));
        expect(await cancel).toBe(true);
      });
      await quiet(from);
    }
    await quiet(to);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });

  it("go on after the outbox was destroyed with a batch in doubt", async () => {
    const seen: unknown[] = [];
    let calls = 0;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: async (call, next) => {
        if (!call.includes('"deliver"')) return next();
        calls += 1;
        const answer = await next();
        if (calls === 1) throw new Error("the reply is lost");
        return answer;
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      for (const n of [1, 2, 3]) self.other(to.name).send("note", n);
    });
    await until(() => from.eventsOf("outboxFailed").length === 1);
    await from.inside((self) => self.mailbox.destroy());
    expect(from.eventsOf("destroyed")).toMatchObject([{ outbox: 3 }]);
    await from.inside((self) => {
      self.other(to.name).send("note", "after");
    });
    await until(() => seen.length === 4);
    await quiet(from);
    expect(seen).toEqual([1, 2, 3, "after"]);
    expect(from.eventsOf("outboxForked")).toEqual([]);
  });
});
