import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CHANNEL, type MailboxEvent, NonRetryableError, type PublishedEvent } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Script, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

const failing = (message: string): Script["receive"][string] => ({
  maxAttempts: 2,
  backoff: "1 second",
  handle: () => {
    throw new Error(message);
  },
});

describe("events", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  it("tell the whole life of a message, in order", async () => {
    stopClock();
    let runs = 0;
    const box = actor({
      receive: {
        note: {
          backoff: "1 second",
          handle: (_, delivery) => {
            runs += 1;
            if (runs === 1) throw new Error("first");
            if (runs === 2) delivery.defer("1 minute");
          },
        },
      },
    });
    const id = await box.ref.sendIn("1 hour", "note", 1);
    const dueAt = Date.now() + HOUR;
    moveClock(HOUR);
    await box.drain();
    moveClock(1_000);
    await box.drain();
    moveClock(60_000);
    await box.drain();
    await until(() => box.eventsOf("delivered").length === 2);
    expect(box.events).toMatchObject([
      { event: "accepted", id, type: "note", dueAt },
      {
        event: "attemptFailed",
        id,
        attempt: 1,
        maxAttempts: 5,
        outcome: "threw",
        error: { name: "Error", message: "first" },
        nextAt: dueAt + 1_000,
      },
      { event: "deferred", id, until: dueAt + 61_000 },
      { event: "delivered", id, attempt: 2 },
      { event: "delivered", id, attempt: 2, latenessMs: 0 },
    ]);
  });

  it("tell every other end: cancelled, replaced, dead, redriven, purged, skipped", async () => {
    stopClock();
    const box = actor({
      receive: {
        note: () => {},
        rejected: () => {
          throw new NonRetryableError("never");
        },
      },
    });
    const id = await box.ref.sendIn("1 hour", "note", 1);
    await box.ref.cancel(id);
    const first = await box.ref.sendIn("1 hour", "note", 1, { key: "k" });
    const second = await box.ref.sendIn("1 hour", "note", 2, { key: "k", ifPending: "replace" });
    const dead = await box.ref.send("rejected", 1);
    await box.drain();
    await box.ref.redrive(dead);
    await box.drain();
    await box.ref.purge(dead);
    await box.ref.sendEvery("1 minute", "note", 1);
    moveClock(10.5 * 60_000);
    await box.drain();
    await until(() => box.eventsOf("skipped").length === 1);
    expect(box.eventsOf("cancelled")).toMatchObject([{ id, type: "note" }]);
    expect(box.eventsOf("replaced")).toMatchObject([{ id: first, by: second }]);
    expect(box.eventsOf("deadLettered")).toMatchObject([
      { id: dead, reason: "rejected", attempts: 1, error: { message: "never" } },
      { id: dead, reason: "rejected", attempts: 2 },
    ]);
    expect(box.eventsOf("redriven")).toMatchObject([{ id: dead }]);
    expect(box.eventsOf("purged")).toMatchObject([{ id: dead }]);
    expect(box.eventsOf("skipped")).toMatchObject([{ count: 9 }]);
  });

  it("are told only of what was committed", async () => {
    const box = actor({ receive: { note: () => {} } });
    await box.inside((self) => {
      try {
        self.state.storage.transactionSync(() => {
          self.sendIn("1 hour", "note", "rolled back");
          throw new Error("back");
        });
      } catch {
        self.sendIn("1 hour", "note", "kept");
      }
    });
    await until(() => box.events.length > 0);
    expect(box.events).toHaveLength(1);
  });

  it("come from a listener that may throw: nothing breaks, and stats count it", async () => {
    const seen: unknown[] = [];
    const box = actor({
      receive: { note: (payload) => void seen.push(payload) },
      settings: {
        onEvent: () => {
          throw new Error("the listener's");
        },
      },
    });
    await box.ref.send("note", 1);
    await until(async () => (await box.ref.stats()).listenerFailures === 2);
    expect(seen).toEqual([1]);
  });

  it("come from a listener that may be async, and reject", async () => {
    const box = actor({
      receive: { note: () => {} },
      settings: { onEvent: () => Promise.reject(new Error("the listener's")) as unknown as void },
    });
    await box.ref.send("note", 1);
    await until(async () => (await box.ref.stats()).listenerFailures === 2);
  });

  it("are published on the diagnostics channel, with whose they are", async () => {
    const published: PublishedEvent[] = [];
    const note = (message: unknown): void => void published.push(message as PublishedEvent);
    subscribe(CHANNEL, note);
    try {
      const box = actor({ receive: { note: () => {} } });
      await box.ref.send("note", 1);
      const own = (): MailboxEvent[] =>
        published.filter(({ actor: { name } }) => name === box.name).map(({ event }) => event);
      await until(() => own().length === 2);
      expect(own()).toMatchObject([{ event: "accepted" }, { event: "delivered" }]);
    } finally {
      unsubscribe(CHANNEL, note);
    }
  });
});

describe("the console, while nobody listens", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  const silent = { settings: { onEvent: undefined as never } };

  it("gets one line for a failed attempt and one for a dead letter, with all that a person needs", async () => {
    stopClock(Date.UTC(2026, 10, 24, 9));
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const box = actor({ receive: { note: failing("the reason") }, ...silent });
    const id = await box.ref.send("note", 1);
    await box.drain();
    await until(() => warn.mock.calls.length === 1);
    expect(warn.mock.calls[0]?.[0]).toMatch(
      new RegExp(
        `note ${id}, attempt 1 of 2 threw; next 2026-11-24T09:00:01.000Z\\nError: the reason\\n +at `,
      ),
    );
    moveClock(1_000);
    await box.drain();
    await until(() => error.mock.calls.length === 1);
    expect(error.mock.calls[0]?.[0]).toContain(
      `note ${id} is a dead letter (exhausted) after 2 attempts\nError: the reason`,
    );
  });

  it("gets at most twenty lines a wake, and then how many more there were", async () => {
    stopClock();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const box = actor({ receive: { note: failing("each") }, ...silent });
    await box.ref.sendAll(Array.from({ length: 50 }, (_, n) => ({ type: "note", payload: n })));
    await box.drain();
    await until(() => warn.mock.calls.length >= 21);
    expect(warn.mock.calls).toHaveLength(21);
    expect(warn.mock.calls.at(-1)?.[0]).toMatch(/30 more failures in this wake; set settings.onEvent/);
  });

  it("gets nothing once there is a listener", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const box = actor({ receive: { note: failing("heard") } });
    await box.ref.send("note", 1);
    await until(() => box.eventsOf("attemptFailed").length === 1);
    expect(warn).not.toHaveBeenCalled();
  });
});
