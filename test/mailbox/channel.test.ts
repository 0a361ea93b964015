// What is published on the diagnostics channel. A Tail Worker, which is no subscriber, has its test in test/slow.

import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CHANNEL, type PublishedEvent } from "../../actors/index.ts";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Script, type Scripted, until } from "../support/scripted.ts";

const KIB = 1_024;

/** What an actor publishes, whether anybody subscribes or not. */
function watchPublished(box: Scripted): PublishedEvent[] {
  const published: PublishedEvent[] = [];
  const diagnostics: { publish: (message: unknown) => void } = channel(CHANNEL);
  const real = diagnostics.publish.bind(diagnostics);
  vi.spyOn(diagnostics, "publish").mockImplementation((message) => {
    const event = message as PublishedEvent;
    if (event.actor.name === box.name) published.push(event);
    real(message);
  });
  return published;
}

function bytesOf(events: readonly PublishedEvent[]): number {
  return events.reduce((sum, event) => sum + new TextEncoder().encode(JSON.stringify(event)).length, 0);
}

const receive: Script["receive"] = {
  note: () => {},
  fails: {
    maxAttempts: 2,
    backoff: "1 hour",
    handle: (text) => {
      throw new Error(String(text));
    },
  },
  dies: {
    maxAttempts: 1,
    handle: (text) => {
      throw new Error(String(text));
    },
  },
};

describe("the diagnostics channel", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  it("gets what is no success, also while nobody subscribes, with whose it is", async () => {
    stopClockAhead();
    const box = actor({ receive, settings: { onEvent: undefined as never } });
    const published = watchPublished(box);
    await box.ref.sendAll([
      { type: "note", payload: 1 },
      { type: "dies", payload: "no" },
    ]);
    await box.ref.cancel(await box.ref.sendIn("1 hour", "note", 1));
    await box.drain();
    await until(() => published.length === 2);
    expect(published).toMatchObject([
      { event: "cancelled", type: "note", actor: { className: "ScriptedActor", name: box.name } },
      { event: "deadLettered", type: "dies", error: { message: "no" } },
    ]);
  });

  it.each([
    ["the settings ask for all", { settings: { events: "all" } }, false],
    ["somebody subscribes", {}, true],
  ] as const)("gets the successes too where %s", async (_, script, isSubscribed) => {
    const box = actor({ receive, ...script });
    const published = watchPublished(box);
    const note = (): void => {};
    if (isSubscribed) subscribe(CHANNEL, note);
    await box.ref.send("note", 1);
    await until(() => published.length === 2);
    unsubscribe(CHANNEL, note);
    expect(published.map(({ event }) => event)).toEqual(["accepted", "delivered"]);
  });

  it("gets at most 64 KB a wake, and then how many of each kind were left out", async () => {
    stopClockAhead();
    const box = actor({ receive, settings: { events: "all" } });
    await box.ref.sendAll([
      ...Array.from({ length: 900 }, (_, n) => ({ type: "note", payload: n })),
      ...Array.from({ length: 40 }, () => ({ type: "fails", payload: "x".repeat(2 * KIB) })),
    ]);
    await until(() => box.eventsOf("accepted").length === 940);
    const published = watchPublished(box);
    await box.drain();
    await until(() => published.at(-1)?.event === "leftOut", "the counts");
    expect(bytesOf(published)).toBeLessThanOrEqual(64 * KIB);
    expect(bytesOf(published)).toBeGreaterThan(32 * KIB);
    const countOf = (kind: string): number => published.filter(({ event }) => event === kind).length;
    const [last] = published.slice(-1);
    expect(last).toMatchObject({
      event: "leftOut",
      counts: { delivered: 900 - countOf("delivered"), attemptFailed: 40 - countOf("attemptFailed") },
      actor: { name: box.name },
    });
    expect(box.eventsOf("delivered"), "a listener gets all").toHaveLength(900);
    expect(box.eventsOf("attemptFailed")).toHaveLength(40);
  });

  it("has room for dead letters whatever else there was", async () => {
    stopClockAhead();
    const box = actor({ receive, settings: { events: "all" } });
    await box.ref.sendAll([
      ...Array.from({ length: 900 }, (_, n) => ({ type: "note", payload: n })),
      { type: "dies", payload: "the reason" },
    ]);
    await until(() => box.eventsOf("accepted").length === 901);
    const published = watchPublished(box);
    await box.drain();
    await until(() => published.at(-1)?.event === "leftOut", "the counts");
    expect(published.filter(({ event }) => event === "deadLettered")).toHaveLength(1);
  });

  it("is as bounded for what an object does outside of its wakes", async () => {
    const now = stopClockAhead();
    const box = actor({ receive, settings: { events: "all" } });
    const published = watchPublished(box);
    const send = (): Promise<unknown> =>
      box.ref.sendAll(
        Array.from({ length: 1_000 }, () => ({ type: "note", payload: 1, at: now + 3_600_000 })),
      );
    await send();
    await until(() => published.at(-1)?.event === "leftOut", "the counts");
    expect(bytesOf(published)).toBeLessThanOrEqual(64 * KIB);
    expect(box.eventsOf("accepted")).toHaveLength(1_000);
  });
});
