import { describe, expect, it } from "vitest";
import { UnknownTypeError } from "../../actors/index.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const DAY = 86_400_000;

/** An actor that was rolled back to a version that does not know `note`, with one in its mailbox. */
async function rolledBack(
  options = {},
): Promise<{ box: Scripted; id: string; seen: unknown[]; restore: () => Promise<void> }> {
  stopClock();
  const seen: unknown[] = [];
  const knows = { receive: { note: (payload: unknown) => void seen.push(payload), other: () => {} } };
  const box = actor(knows);
  const id = await box.ref.sendIn("1 hour", "note", "kept", options);
  box.deploy({ receive: { other: () => void seen.push("other") } });
  await box.evict();
  moveClock(3_600_000);
  await box.drain();
  const restore = async (): Promise<void> => {
    box.deploy(knows);
    await box.evict();
    await box.drain();
  };
  return { box, id, seen, restore };
}

describe("a message of a type that the running code does not know", () => {
  startClockAfterEach();

  it("is parked: kept, not counted, seen in stats and by an event", async () => {
    const { box, id, seen } = await rolledBack();
    expect(seen).toEqual([]);
    expect(await box.ref.stats()).toMatchObject({ pending: 1, parked: 1, due: 0, deadLetters: 0 });
    expect(await box.ref.get(id)).toMatchObject({ state: "parked", attempts: 0, payload: "kept" });
    expect(box.eventsOf("parked")).toMatchObject([{ id, type: "note" }]);
    expect((await box.ref.pending()).items.map((item) => item.id)).toEqual([id]);
  });

  it("holds up nobody", async () => {
    const { box, seen } = await rolledBack();
    await box.ref.send("other", undefined);
    await box.drain();
    expect(seen).toEqual(["other"]);
  });

  it("is released by a version that knows it, with its place and all its attempts", async () => {
    const { box, id, seen, restore } = await rolledBack();
    await restore();
    expect(seen).toEqual(["kept"]);
    expect(box.eventsOf("released")).toEqual([{ event: "released", type: "note", count: 1 }]);
    expect(box.eventsOf("delivered").find((event) => event.id === id)).toMatchObject({ attempt: 1 });
    expect((await box.ref.stats()).parked).toBe(0);
  });

  it("is released as soon as a version that knows it wakes, whatever for", async () => {
    const seen: unknown[] = [];
    const box = actor({ receive: {} });
    const other = actor((self) => ({
      receive: { begin: () => void self.other(box.name).send("note", "kept") },
    }));
    await other.ref.send("begin", undefined);
    await until(() => box.eventsOf("parked").length > 0, "the message to be parked");
    box.deploy({ receive: { note: (payload) => void seen.push(payload) } });
    await box.evict();
    // A request that has nothing to do with it.
    await box.inside(() => {});
    await until(() => seen.length > 0, "its delivery, by itself");
    expect(box.eventsOf("healed")).toEqual([]);
  });

  it("keeps its key while it is parked", async () => {
    const { box, id, restore } = await rolledBack({ key: "k" });
    expect(await box.ref.get({ type: "note", key: "k" })).toMatchObject({ id });
    await restore();
    expect(await box.ref.get({ type: "note", key: "k" })).toBeUndefined();
  });

  it("is cancelled and rescheduled by its id, as any that waits", async () => {
    const { box, id, seen, restore } = await rolledBack();
    expect(await box.ref.reschedule(id, Date.now() + DAY)).toBe(true);
    await restore();
    expect(seen, "released, but not due").toEqual([]);
    moveClock(DAY);
    await box.drain();
    expect(seen).toEqual(["kept"]);
    const second = await rolledBack();
    expect(await second.box.ref.cancel(second.id)).toBe(true);
    await second.restore();
    expect(second.seen).toEqual([]);
  });

  it("is given up as unreadable after 30 days, and goes back when its type is known", async () => {
    const { box, id, seen, restore } = await rolledBack();
    moveClock(30 * DAY - 1);
    await box.drain();
    expect((await box.ref.stats()).parked).toBe(1);
    moveClock(1);
    await box.drain();
    expect(await box.ref.deadLetter(id)).toMatchObject({ reason: "unreadable", payload: "kept" });
    await expect(box.ref.redrive(id)).rejects.toThrow(UnknownTypeError);
    await restore();
    expect(await box.ref.redrive(id)).toBe(true);
    await box.drain();
    expect(seen).toEqual(["kept"]);
  });

  it("does not end its recurrence", async () => {
    stopClock();
    const seen: string[] = [];
    const knows = { receive: { tick: (_: unknown, { id }: { id: string }) => void seen.push(id) } };
    const box = actor(knows);
    await box.ref.sendEvery("1 hour", "tick", undefined);
    box.deploy({ receive: {} });
    await box.evict();
    moveClock(3_600_000);
    await box.drain();
    expect((await box.ref.stats()).parked).toBe(1);
    box.deploy(knows);
    await box.evict();
    await box.drain();
    moveClock(3_600_000);
    await box.drain();
    expect(seen).toHaveLength(2);
  });

  it("is refused where it is sent, by a ref and on the actor", async () => {
    const box = actor({ receive: { note: () => {} } });
    await expect(box.ref.send("nope", 1)).rejects.toThrow(UnknownTypeError);
    await box.inside((self) => expect(() => self.send("nope", 1)).toThrow(/receives note/));
  });
});
