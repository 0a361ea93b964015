import { beforeEach, describe, expect, it } from "vitest";
import { ref, type Ref } from "../../actors/index.ts";
import type { AnyNamespace } from "../../mailbox/outbox/address.ts";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type AnyMessages, type Script, type Scripted, until } from "../support/scripted.ts";

/** A ref that loses the first answer on its way, after the actor has done what it was asked to. */
function losing(
  box: Scripted,
  meanwhile: () => unknown = () => {},
): { ref: Ref<AnyMessages>; calls: string[] } {
  const calls: string[] = [];
  const namespace = {
    idFromName: (name: string) => name,
    get: () => ({
      mailboxCall: async (call: string) => {
        calls.push(call);
        const answer = await box.stub().mailboxCall(call);
        if (calls.length > 1) return answer;
        await meanwhile();
        throw Object.assign(new Error("Network connection lost."), { retryable: true });
      },
    }),
  } as unknown as AnyNamespace;
  return { ref: ref<AnyMessages>(namespace, box.name), calls };
}

/** An actor that notes what it is given, and fails while it is told so. */
function moody(script: Partial<Script> = {}): { box: Scripted; noted: unknown[]; mood: { fails: boolean } } {
  const noted: unknown[] = [];
  const mood = { fails: false };
  const box = actor({
    receive: {
      note: (payload) => {
        if (mood.fails) throw new Error("not now");
        noted.push(payload);
      },
    },
    policy: { maxAttempts: 2, backoff: 50 },
    ...script,
  });
  return { box, noted, mood };
}

describe("G1 A send whose answer was lost, and which its ref makes again, is accepted once", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  /** The message of an id, wherever it is: in the mailbox once, or dead once, never both. */
  async function placesOf(box: Scripted, id: string): Promise<string[]> {
    const waiting = (await box.ref.pending()).items.filter((item) => item.id === id);
    const dead = (await box.ref.deadLetters()).items.filter((item) => item.id === id);
    return [
      ...waiting.map(({ state, attempts }) => `${state} ${attempts}`),
      ...dead.map(({ reason }) => reason),
    ];
  }

  type Send = (to: Ref<AnyMessages>) => Promise<string>;
  const sends: Readonly<Record<string, Send>> = {
    send: (to) => to.send("note", "once"),
    sendLater: (to) => to.sendLater(Date.now() - 5, "note", "once"),
    sendIn: (to) => to.sendIn(0, "note", "once"),
    "send with options": (to) => to.send("note", "once", { timeout: "5 seconds", expires: "1 hour" }),
    "send with a key": (to) => to.send("note", "once", { key: "k" }),
    "send in place of another": (to) => to.send("note", "once", { key: "k", ifPending: "replace" }),
    "sendAll": async (to) => (await to.sendAll([{ type: "note", payload: "once" }]))[0] ?? "",
  }; // prettier-ignore

  describe.each(Object.entries(sends))("by %s", (_, send) => {
    it("while it waits", async () => {
      const { box, noted } = moody();
      const { ref: to, calls } = losing(box);
      const id = await send(to);
      expect(calls).toHaveLength(2);
      expect(calls[1]).toBe(calls[0]);
      expect(await placesOf(box, id)).toEqual(["waiting 0"]);
      await box.drain();
      expect(noted).toEqual(["once"]);
      expect(box.eventsOf("accepted")).toHaveLength(1);
      expect(box.eventsOf("replaced")).toEqual([]);
    });

    it("while it backs off after a failed attempt", async () => {
      const { box, noted, mood } = moody();
      mood.fails = true;
      const { ref: to, calls } = losing(box, () => box.drain());
      const id = await send(to);
      expect(calls).toHaveLength(2);
      expect(await placesOf(box, id)).toEqual(["waiting 1"]);
      mood.fails = false;
      moveClock(50);
      await box.drain();
      expect(noted).toEqual(["once"]);
      expect(await box.ref.stats()).toMatchObject({ pending: 0, delivered: 1 });
    });

    it("while it is rescheduled", async () => {
      const { box } = moody();
      const at = Date.now() + 3_600_000;
      const { ref: to, calls } = losing(box, async () => {
        const [item] = (await box.ref.pending()).items;
        expect(await box.ref.reschedule(item?.id ?? "", at)).toBe(true);
      });
      const id = await send(to);
      expect(calls).toHaveLength(2);
      expect(await placesOf(box, id)).toEqual(["waiting 0"]);
      expect(await box.ref.get(id)).toMatchObject({ dueAt: at });
      expect(box.eventsOf("replaced")).toEqual([]);
    });

    it("while it is dead", async () => {
      const { box, noted, mood } = moody({ policy: { maxAttempts: 1 } });
      mood.fails = true;
      const { ref: to, calls } = losing(box, async () => {
        await box.drain();
        moveClock(50);
        await box.drain();
      });
      const id = await send(to);
      mood.fails = false;
      expect(calls).toHaveLength(2);
      await box.drain();
      expect(noted).toEqual([]);
      expect(await placesOf(box, id)).toEqual(["exhausted"]);
    });

    it("while it is back from the dead", async () => {
      const { box, noted, mood } = moody({ policy: { maxAttempts: 1 } });
      mood.fails = true;
      const { ref: to } = losing(box, async () => {
        await box.drain();
        moveClock(50);
        await box.drain();
        expect(await box.ref.redriveAll()).toBe(1);
      });
      const id = await send(to);
      mood.fails = false;
      expect(await placesOf(box, id)).toEqual(["waiting 0"]);
      await box.drain();
      expect(noted).toEqual(["once"]);
    });

    it("through an eviction and a kill in between", async () => {
      for (const end of ["evict", "kill"] as const) {
        const { box, noted } = moody();
        const { ref: to } = losing(box, () => box[end]());
        const id = await send(to);
        expect(await placesOf(box, id)).toEqual(["waiting 0"]);
        await box.drain();
        expect(noted).toEqual(["once"]);
      }
    });
  });

  it("while it is deferred", async () => {
    const noted: unknown[] = [];
    const box = actor({
      receive: {
        note: (payload, delivery) => {
          noted.push(payload);
          delivery.defer(3_600_000);
        },
      },
    });
    const { ref: to } = losing(box, () => box.drain());
    const id = await to.send("note", "once");
    expect(noted).toEqual(["once"]);
    expect(await placesOf(box, id)).toEqual(["waiting 0"]);
  });

  it("while it runs", async () => {
    const runs: unknown[] = [];
    let isOver = false;
    const box = actor({
      receive: {
        note: async (payload) => {
          runs.push(payload);
          while (!isOver) await scheduler.wait(1);
        },
      },
    });
    let drained: Promise<void> | undefined;
    const { ref: to } = losing(box, async () => {
      drained = box.drain();
      await until(() => runs.length > 0);
    });
    const id = await to.send("note", "once");
    expect(await placesOf(box, id)).toEqual(["running 0"]);
    isOver = true;
    await drained;
    await box.drain();
    expect(runs).toEqual(["once"]);
  });

  it("or not at all, when another message has taken its place and its key meanwhile", async () => {
    const { box, noted } = moody();
    let other = "";
    const { ref: to } = losing(box, async () => {
      other = await box.ref.send("note", "other", { key: "k", ifPending: "replace" });
    });
    const id = await to.send("note", "first", { key: "k", ifPending: "keep" });
    expect(id).toBe(other);
    await box.drain();
    expect(noted).toEqual(["other"]);
  });

  it("though the mailbox is full by now", async () => {
    const { box, noted } = moody({ settings: { maxPending: 1 } });
    const { ref: to } = losing(box);
    await to.send("note", "once");
    await box.drain();
    expect(noted).toEqual(["once"]);
  });

  it.each([3, 40])("all of a sendAll of %s, in whatever state each is", async (count) => {
    const { box, noted, mood } = moody({ policy: { backoff: 50 } });
    mood.fails = true;
    const kinds = [
      { in: "1 hour" },
      { key: "k", in: "1 hour" },
      { maxAttempts: 1 },
      { maxAttempts: 5 },
      { in: "2 hours" },
    ] as const;
    const entries = Array.from({ length: count }, (_, payload) => {
      const { key, ...kind } = { key: undefined, ...kinds[payload % kinds.length] };
      return { type: "note", payload, ...kind, ...(key === undefined ? {} : { key: `${key}${payload}` }) };
    });
    const at = Date.now() + 100;
    const { ref: to, calls } = losing(box, async () => {
      await box.drain();
      const { items } = await box.ref.pending();
      for (const { id, payload } of items) {
        if (Number(payload) % kinds.length === 4) expect(await box.ref.reschedule(id, at)).toBe(true);
      }
    });
    const ids = await to.sendAll(entries);
    expect(calls).toHaveLength(2);
    expect(calls[1]).toBe(calls[0]);
    const waiting = (await box.ref.pending()).items.map(({ id }) => id);
    const dead = (await box.ref.deadLetters()).items.map(({ id }) => id);
    expect([...waiting, ...dead].toSorted()).toEqual(ids.toSorted());
    expect(dead).toHaveLength(
      entries.filter((entry) => "maxAttempts" in entry && entry.maxAttempts === 1).length,
    );
    expect(box.eventsOf("accepted")).toHaveLength(count);
    mood.fails = false;
    moveClock(3_600_000);
    await box.drain();
    expect(noted).toHaveLength(count - dead.length);
    expect(new Set(noted).size).toBe(noted.length);
  });

  it.each([3, 40])(
    "all of a sendAll of %s plain ones, of which some are done by then and come back",
    async (count) => {
      const handled: string[] = [];
      const box = actor({ receive: { note: (_, { id }) => void handled.push(id) } });
      const { ref: to } = losing(box, async () => {
        await box.inside((self) => {
          const [first] = self.mailbox.pending().items;
          expect(self.mailbox.reschedule(first?.id ?? "", Date.now() - 1)).toBe(true);
        });
        moveClock(1_000);
        await box.drain();
      });
      const at = Date.now() + 3_600_000;
      const ids = await to.sendAll(
        Array.from({ length: count }, (_, payload) => ({ type: "note", payload, at })),
      );
      expect(handled).toEqual([ids[0]]);
      expect((await box.ref.pending()).items.map(({ id }) => id)).toEqual(ids);
    },
  );

  it("as a recurrence, which keeps its times", async () => {
    const { box } = moody();
    let planned: number | undefined;
    const { ref: to, calls } = losing(box, async () => {
      planned = (await box.ref.recurrences()).items[0]?.nextAt;
      moveClock(10);
    });
    await to.sendEvery("1 hour", "note", "again");
    expect(calls).toHaveLength(2);
    expect((await box.ref.recurrences()).items).toMatchObject([{ nextAt: planned }]);
    expect(planned).toBeTypeOf("number");
  });
});

describe("A send whose answer was lost is at least once, and no more than that:", () => {
  startClockAfterEach();

  it("when the message was handled before the repeat came, it is handled again, under the same id", async () => {
    stopClockAhead();
    const ids: string[] = [];
    const box = actor({ receive: { note: (_, { id }) => void ids.push(id) } });
    const { ref: to } = losing(box, () => box.drain());
    const id = await to.send("note", "twice");
    await box.drain();
    expect(ids).toEqual([id, id]);
  });

  it("when it was cancelled before the repeat came, it is back", async () => {
    stopClockAhead();
    const { box, noted } = moody();
    const { ref: to } = losing(box, async () => {
      const [item] = (await box.ref.pending()).items;
      expect(await box.ref.cancel(item?.id ?? "")).toBe(true);
    });
    await to.send("note", "back");
    await box.drain();
    expect(noted).toEqual(["back"]);
  });
});
