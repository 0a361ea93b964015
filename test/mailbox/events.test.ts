import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { type MailboxEvent, NonRetryableError, subscribe } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

describe("events", () => {
  startClockAfterEach();

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

  it("say whose they are: class, name and id", async () => {
    const told: MailboxEvent[] = [];
    const box = actor({
      receive: { note: () => {} },
      settings: { onEvent: (event) => void told.push(event) },
    });
    await box.ref.sendIn("1 hour", "note", 1);
    await until(() => told.length > 0);
    const id = env.ACTORS.idFromName(box.name).toString();
    expect(told).toMatchObject([
      { event: "accepted", type: "note", actor: { className: "ScriptedActor", name: box.name, id } },
    ]);
  });

  it("are told of all mailboxes of an isolate to who subscribes, until the subscription ends", async () => {
    const told: MailboxEvent[] = [];
    const end = subscribe((event) => void told.push(event));
    const own = (box: Scripted): string[] =>
      told.filter(({ actor: { name } }) => name === box.name).map(({ event }) => event);
    const quiet = { receive: { note: () => {} }, settings: { onEvent: undefined as never } };
    const boxes = [actor(quiet), actor(quiet)];
    for (const box of boxes) await box.ref.send("note", 1);
    for (const box of boxes) await until(() => own(box).length === 2);
    end();
    for (const box of boxes) expect(own(box)).toEqual(["accepted", "delivered"]);
    const later = actor({ receive: { note: () => {} } });
    await later.ref.send("note", 1);
    await until(() => later.events.length === 2);
    expect(own(later)).toEqual([]);
  });

  it("break nothing when a subscriber throws, and stats count it", async () => {
    const end = subscribe(() => {
      throw new Error("the subscriber's");
    });
    const box = actor({ receive: { note: () => {} } });
    await box.ref.send("note", 1);
    await until(async () => (await box.ref.stats()).listenerFailures === 2);
    end();
    expect(box.eventsOf("delivered")).toHaveLength(1);
  });
});
