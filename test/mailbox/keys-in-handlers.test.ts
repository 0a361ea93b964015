// The keys of what a handler sends: found when it is sent, and once more when it is written with the ack.

import { describe, expect, it } from "vitest";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor } from "../support/scripted.ts";

const KEY = { type: "note", key: "k" } as const;

/** How a handler may be written: each sends with its ack. */
const KINDS: Readonly<Record<string, (work: () => void) => unknown>> = {
  "a plain function": (work) => work,
  "an async function": (work) => async () => work(),
  "a plain function that answers a promise": (work) => () => {
    work();
    return scheduler.wait(1);
  },
};

describe("a key of what a handler sends", () => {
  startClockAfterEach();

  for (const [kind, written] of Object.entries(KINDS)) {
    it(`finds the message that waits when ${kind} sends it, so that the id told is that of a message`, async () => {
      stopClockAhead();
      const told: string[] = [];
      const box = actor((self) => ({
        receive: {
          begin: written(() => {
            told.push(self.sendIn("2 hours", "note", "kept out", { key: "k" }));
            told.push(...self.sendAll([{ type: "note", payload: "kept out", key: "k" }]));
            told.push(self.mailbox.get(KEY)?.id ?? "");
          }) as () => unknown,
          note: () => {},
        },
      }));
      const first = await box.ref.sendIn("1 hour", "note", "first", { key: "k" });
      await box.ref.send("begin", undefined);
      await box.drain();
      expect(told).toEqual([first, first, first]);
      expect((await box.ref.pending()).items).toMatchObject([{ id: first, payload: "first" }]);
      expect(box.eventsOf("notEnqueued")).toEqual([]);
      expect(await box.ref.cancel(told[0] ?? "")).toBe(true);
      expect((await box.ref.stats()).pending).toBe(0);
    });

    it(`replaces the message that waits when what ${kind} has sent is written, once`, async () => {
      stopClockAhead();
      const waiting: unknown[] = [];
      const box = actor((self) => ({
        receive: {
          begin: written(() => {
            for (const payload of ["a", "b"])
              self.sendIn("1 hour", "note", payload, { key: "k", ifPending: "replace" });
            self.sendIn("1 hour", "note", "kept out", { key: "k" });
            waiting.push(self.mailbox.get(KEY)?.payload, self.mailbox.get(first)?.payload);
          }) as () => unknown,
          note: () => {},
        },
      }));
      const first = await box.ref.sendIn("1 hour", "note", "first", { key: "k" });
      await box.ref.send("begin", undefined);
      await box.drain();
      // Nothing is taken away early.
      expect(waiting).toEqual(["b", "first"]);
      const { items } = await box.ref.pending();
      expect(items).toMatchObject([{ payload: "b", key: "k" }]);
      expect(box.eventsOf("replaced")).toMatchObject([{ id: first, by: items[0]?.id }]);
      expect(box.eventsOf("notEnqueued")).toEqual([]);
    });
  }

  for (const ifPending of ["keep", "replace"] as const) {
    it(`that another has taken by the ack is resolved once more, by ${ifPending}`, async () => {
      stopClockAhead();
      let late = "";
      let other = "";
      const box = actor((self) => ({
        receive: {
          begin: async () => {
            late = self.sendIn("1 hour", "note", "late", { key: "k", ifPending });
            expect(self.mailbox.get(KEY)?.id).toBe(late);
            other = await box.ref.sendIn("1 hour", "note", "in between", { key: "k" });
          },
          note: () => {},
        },
      }));
      await box.ref.send("begin", undefined);
      await box.drain();
      const [winner, loser] = ifPending === "keep" ? [other, late] : [late, other];
      expect((await box.ref.pending()).items).toMatchObject([{ id: winner, key: "k" }]);
      expect(await box.ref.get(loser)).toBeUndefined();
      expect(await box.ref.cancel(loser)).toBe(false);
      expect(box.events.filter(({ event }) => event === "notEnqueued" || event === "replaced")).toEqual([
        ifPending === "keep"
          ? { event: "notEnqueued", id: late, type: "note", keptId: other }
          : { event: "replaced", id: other, type: "note", by: late },
      ]);
      expect(await box.ref.cancel(KEY)).toBe(true);
    });
  }

  it("is found by key in the memory of the attempt", async () => {
    stopClockAhead();
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        begin: async () => {
          const id = self.sendIn("1 hour", "note", "a", { key: "k" });
          seen.push(self.mailbox.get(KEY)?.id === id, self.cancel(KEY), self.mailbox.get(KEY));
          self.sendIn("1 hour", "note", "b", { key: "k" });
          self.sendIn("1 hour", "note", "c", { key: "k", ifPending: "replace" });
        },
        note: () => {},
      },
    }));
    await box.ref.send("begin", undefined);
    await box.drain();
    expect(seen).toEqual([true, true, undefined]);
    expect((await box.ref.pending()).items).toMatchObject([{ payload: "c", key: "k" }]);
  });

  it("is resolved where the message arrives, when it goes to another actor", async () => {
    const other = actor({ receive: { note: () => {} } });
    const ids: string[] = [];
    const box = actor((self) => ({
      receive: {
        begin: () => {
          const to = self.other(other.name);
          ids.push(
            to.sendIn("1 hour", "note", "a", { key: "k" }),
            to.sendIn("1 hour", "note", "b", { key: "k" }),
            to.sendIn("1 hour", "note", "c", { key: "k", ifPending: "replace" }),
          );
        },
      },
    }));
    await box.ref.send("begin", undefined);
    await box.drain();
    await box.drain();
    const [a, b, c] = ids;
    expect((await other.ref.pending()).items).toMatchObject([{ id: c, payload: "c", key: "k" }]);
    expect(other.eventsOf("notEnqueued")).toMatchObject([{ id: b, keptId: a }]);
    expect(other.eventsOf("replaced")).toMatchObject([{ id: a, by: c }]);
  });
});
