import { describe, expect, it } from "vitest";
import { OutboxFullError } from "../../actors/index.ts";
import { batchOf, quiet, type SeenBatch } from "../support/batches.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** An actor that notes payloads, and what its batches were. */
function listener(seen: unknown[], batches: SeenBatch[] = [], sizes: number[] = []): Scripted {
  return actor({
    receive: { note: (payload) => void seen.push(payload) },
    onCall: (call, next) => {
      const batch = batchOf(call);
      if (batch !== undefined) {
        batches.push(batch);
        sizes.push(call.length);
      }
      return next();
    },
  });
}

/** An actor that never answers a batch, while it is told so. */
function hanging(calls: string[], name: string, isHanging: () => boolean = () => true): Scripted {
  return actor({
    receive: { note: () => {} },
    onCall: (call, next) => {
      if (batchOf(call) === undefined || !isHanging()) return next();
      calls.push(name);
      return new Promise(() => {});
    },
  });
}

/** An actor with a handler that runs until it is told to end. */
function slow(): { box: Scripted; end: () => void } {
  let isOver = false;
  const box = actor({
    receive: {
      slow: async () => {
        while (!isOver) await scheduler.wait(5);
      },
    },
  });
  return { box, end: () => (isOver = true) };
}

async function isRunning(box: Scripted): Promise<boolean> {
  return (await box.ref.pending()).items[0]?.state === "running";
}

describe("G8 the relay's limits", () => {
  it("sends at most 100 messages a batch, in order, whatever the backlog", async () => {
    const seen: unknown[] = [];
    const batches: SeenBatch[] = [];
    const to = listener(seen, batches);
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).sendAll(Array.from({ length: 1_250 }, (_, n) => ({ type: "note", payload: n })));
    });
    await quiet(from);
    await quiet(to);
    expect(batches.map(({ messages }) => messages.length)).toEqual([...Array(12).fill(100), 50]);
    expect(seen).toEqual(Array.from({ length: 1_250 }, (_, n) => n));
  });

  it("sends at most 1 MiB a batch, and one message alone that is larger", async () => {
    const seen: unknown[] = [];
    const batches: SeenBatch[] = [];
    const to = actor({
      receive: { note: (payload) => void seen.push((payload as string).length) },
      settings: { maxPayloadBytes: 1.5 * 1024 * 1024 },
      onCall: (call, next) => {
        const batch = batchOf(call);
        if (batch !== undefined) batches.push(batch);
        return next();
      },
    });
    const from = actor({ receive: {}, settings: { maxPayloadBytes: 1.5 * 1024 * 1024 } });
    const sizes = [400, 400, 400, 1_200, 10, 10];
    await from.inside((self) => {
      for (const size of sizes) self.other(to.name).send("note", "x".repeat(size * 1024));
    });
    await quiet(from);
    await quiet(to);
    expect(batches.map(({ messages }) => messages.length)).toEqual([2, 1, 1, 2]);
    expect(seen).toEqual(sizes.map((size) => size * 1024));
  });

  it("sends to four targets at once, of which three have not answered their last batch", async () => {
    const calls: string[] = [];
    const silent = ["a", "b", "c", "d", "e"].map((name) => hanging(calls, name));
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor({ receive: {} });
    const tell = (): Promise<void> =>
      from.inside((self) => void self.other(to.name).send("note", "to one that answers"));
    await tell();
    await until(() => seen.length === 1);
    // One that was never tried has not answered.
    await from.inside((self) => {
      for (const box of silent) self.other(box.name).send("note", undefined);
    });
    await until(() => calls.length === 3);
    await tell();
    await until(() => seen.length === 2, "the message to one that answers");
    expect(calls.toSorted()).toEqual(["a", "b", "c"]);
    // The next instance finds three that did not answer, and two that were never tried.
    await from.kill();
    await until(() => calls.length === 6, "a second round");
    await tell();
    await until(() => seen.length === 3, "the next message to one that answers");
    expect(calls).toHaveLength(6);
  });

  it("keeps neither those that failed nor those that were never tried from their places", async () => {
    const order: string[] = [];
    let isUp = false;
    const named = (name: string, isDown: () => boolean = () => false): Scripted =>
      actor({
        receive: { note: () => {} },
        onCall: async (call, next) => {
          if (batchOf(call) === undefined) return next();
          if (isDown()) throw new Error("down");
          order.push(name);
          await scheduler.wait(200);
          return next();
        },
      });
    const failed = named("failed", () => !isUp);
    const fresh = Array.from({ length: 40 }, () => named("fresh"));
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(failed.name).send("note", 1));
    await until(() => from.eventsOf("outboxFailed").length === 1);
    isUp = true;
    await from.inside((self) => {
      for (const { name } of fresh) self.other(name).send("note", 1);
    });
    await until(() => order.length === 41, "all of them");
    expect(order.at(-1)).toBe("fresh");
  });

  it("leaves a batch alone while it may be on its way, also when its wake is over", async () => {
    const calls: string[] = [];
    const to = hanging(calls, "silent");
    const from = actor({ receive: {} });
    await from.inside((self) => void self.other(to.name).send("note", 1));
    await until(() => calls.length === 1);
    const calledAt = Date.now();
    const nextTry = (): Promise<number> =>
      from.inside(
        ({ realStorage: { sql } }) =>
          sql.exec<{ next_try: number }>("SELECT next_try FROM _mailbox_targets").one().next_try,
      );
    await until(async () => (await nextTry()) > calledAt + 15_000, "the end of the wake");
    expect(calls).toHaveLength(1);
  });

  it("lets nobody wait for a target that does not answer: neither the mailbox nor other targets", async () => {
    const calls: string[] = [];
    const seen: unknown[] = [];
    const dead = hanging(calls, "dead");
    const to = listener(seen);
    const from = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await from.inside((self) => {
      self.other(dead.name).send("note", 1);
      self.other(to.name).send("note", "to another");
    });
    await from.ref.send("note", "to itself");
    await until(() => seen.length === 2, "both");
    await until(async () => (await from.ref.stats()).outbox === 1);
    expect(calls).toEqual(["dead"]);
    // Its wake has ended, and the batch goes on without it.
    await scheduler.wait(1_500);
    await from.ref.send("note", "later");
    await until(() => seen.length === 3, "one more");
    // All that was before the one that does not answer was given up.
    expect(from.eventsOf("outboxFailed")).toEqual([]);
  });

  it("goes on beside a handler that takes its time", async () => {
    const seen: unknown[] = [];
    const to = listener(seen);
    const { box: from, end } = slow();
    await from.ref.send("slow", undefined);
    await until(() => isRunning(from), "the slow handler");
    await from.inside((self) => {
      for (let n = 0; n < 250; n += 1) self.other(to.name).send("note", n);
    });
    await until(() => seen.length === 250, "all that was sent");
    expect(await isRunning(from)).toBe(true);
    end();
    await quiet(from);
  });

  it("tries again beside a handler that takes its time", async () => {
    const seen: unknown[] = [];
    let tries = 0;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: (call, next) => {
        if (batchOf(call) === undefined) return next();
        tries += 1;
        return tries === 1 ? Promise.reject(new Error("not yet")) : next();
      },
    });
    const { box: from, end } = slow();
    await from.ref.send("slow", undefined);
    await until(() => isRunning(from), "the slow handler");
    await from.inside((self) => {
      self.other(to.name).send("note", "in the end");
    });
    await until(() => seen.length === 1, "the second try");
    expect(tries).toBe(2);
    expect(await isRunning(from)).toBe(true);
    end();
    await quiet(from);
  });

  it("refuses a send that would make more rows for one target than settings.outbox.maxRows", async () => {
    const calls: string[] = [];
    const dead = hanging(calls, "dead");
    const seen: unknown[] = [];
    const to = listener(seen);
    const from = actor((self) => ({
      settings: { outbox: { maxRows: 5 } },
      receive: {
        six: async () => {
          for (let n = 0; n < 6; n += 1) self.other(dead.name).send("note", n);
        },
      },
    }));
    await from.inside((self) => {
      const other = self.other(dead.name);
      const many = (count: number): { type: string; payload: number }[] =>
        Array.from({ length: count }, (_, n) => ({ type: "note", payload: n }));
      expect(() => other.sendAll(many(6))).toThrow(OutboxFullError);
      expect(self.mailbox.stats().outbox).toBe(0);
      other.sendAll(many(4));
      expect(() => other.sendAll(many(2))).toThrow(OutboxFullError);
      other.send("note", 5);
      expect(() => other.send("note", 6)).toThrow(/5 messages wait for ACTORS\/.*maxRows/);
      // Others have room of their own.
      self.other(to.name).send("note", "elsewhere");
      expect(self.mailbox.stats().outbox).toBe(6);
    });
    await until(() => seen.length === 1);
    const id = await from.ref.send("six", undefined, { maxAttempts: 1 });
    const letter = await until(() => from.ref.deadLetter(id));
    expect(letter.errors.at(-1)?.name).toBe("OutboxFullError");
  });
});
