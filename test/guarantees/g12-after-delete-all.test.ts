import { describe, expect, it } from "vitest";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** An actor that notes what it is given. */
function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({ receive: { note: (payload) => void noted.push(payload) } });
  return { box, noted };
}

/** Does something to the alarm behind the mailbox' back. */
function behind(box: Scripted, act: (real: DurableObjectStorage) => Promise<unknown>): Promise<unknown> {
  return box.inside(({ realStorage }) => act(realStorage));
}

function realAlarm(box: Scripted): Promise<number | null> {
  return box.inside(({ realStorage }) => realStorage.getAlarm());
}

describe("G12 Self-healing, after deleteAll", () => {
  startClockAfterEach();

  it("takes the next message: its tables come back, and its alarm", async () => {
    const { box, noted } = noter();
    await box.ref.sendIn("1 hour", "note", "gone");
    await box.ref.sendEvery("1 hour", "note", "gone");
    await box.inside((_, state) => state.storage.deleteAll());
    expect(await box.ref.stats()).toMatchObject({ pending: 0, nextWake: undefined });
    await box.ref.send("note", "after");
    await until(() => noted.length > 0);
    expect(noted).toEqual(["after"]);
  });

  for (const isEvicted of [false, true]) {
    const when = isEvicted ? "after an eviction" : "while the object lives";

    it(`takes the next message from a ref when it was done behind its back, ${when}`, async () => {
      const { box, noted } = noter();
      await box.ref.sendIn("1 hour", "note", "gone");
      await behind(box, (real) => real.deleteAll());
      if (isEvicted) await box.evict();
      await box.ref.send("note", "after");
      await until(() => noted.length > 0);
      expect(noted).toEqual(["after"]);
      expect(await box.ref.stats()).toMatchObject({ pending: 0 });
    });

    it(`takes the next send from inside when it was done behind its back, ${when}`, async () => {
      const { box, noted } = noter();
      await box.ref.sendIn("1 hour", "note", "gone");
      await behind(box, (real) => real.deleteAll());
      if (isEvicted) await box.evict();
      await box.inside((self) => self.sendAll([{ type: "note", payload: "after" }]));
      await box.inside((self) => self.send("note", "after that"));
      await until(() => noted.length > 1);
      expect(noted).toEqual(["after", "after that"]);
    });

    it(`answers what is asked when it was done behind its back, ${when}`, async () => {
      stopClockAhead();
      const { box } = noter();
      const id = await box.ref.sendIn("1 hour", "note", "gone");
      await behind(box, (real) => real.deleteAll());
      if (isEvicted) await box.evict();
      expect(await box.ref.get(id)).toBeUndefined();
      expect(await box.ref.cancel(id)).toBe(false);
      expect(await box.ref.pending()).toEqual({ items: [] });
    });
  }

  it("wakes for nothing when all is gone behind its back", async () => {
    const { box, noted } = noter();
    await box.ref.sendIn("1 hour", "note", "gone");
    await behind(box, async (real) => {
      await real.deleteAll();
      await real.setAlarm(Date.now() + 50);
    });
    await until(async () => (await realAlarm(box)) === null, "the alarm to have run");
    expect(noted).toEqual([]);
    await box.ref.send("note", "after");
    await until(() => noted.length > 0);
  });
});
