import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { costOf, installMeter } from "../support/meter.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

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

describe("G12 Self-healing, when the object starts", () => {
  startClockAfterEach();

  it("arms an alarm that was deleted, delivers by it, and says so", async () => {
    const { box, noted } = noter();
    await box.ref.sendIn(700, "note", "kept");
    await behind(box, (real) => real.deleteAlarm());
    await box.evict();
    // Any request: it need not touch the mailbox.
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toMatchObject([{ alarm: null }]);
    expect(await box.ref.stats()).toMatchObject({ healed: 1, pending: 1 });
    await until(() => noted.length > 0);
    expect(noted).toEqual(["kept"]);
  });

  it("brings forward an alarm that was overwritten with a later one", async () => {
    const { box, noted } = noter();
    const id = await box.ref.sendIn(700, "note", "kept");
    const dueAt = (await box.ref.get(id))?.dueAt;
    const late = Date.now() + HOUR;
    await behind(box, (real) => real.setAlarm(late));
    await box.evict();
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toEqual([{ event: "healed", alarm: late, head: dueAt }]);
    await until(() => noted.length > 0);
  });

  it("needs no healing from one that was overwritten with an earlier one: nothing is early", async () => {
    const { box, noted } = noter();
    const id = await box.ref.sendIn(500, "note", "kept");
    const dueAt = (await box.ref.get(id))?.dueAt ?? 0;
    await behind(box, (real) => real.setAlarm(Date.now()));
    await until(async () => (await realAlarm(box)) === dueAt || noted.length > 0);
    expect(noted).toEqual([]);
    await until(() => noted.length > 0);
    expect(Date.now()).toBeGreaterThanOrEqual(dueAt);
    expect(box.eventsOf("healed")).toEqual([]);
  });

  it("sets an alarm right that is long past and did not fire", async () => {
    const now = stopClockAhead();
    const { box } = noter();
    const id = await box.ref.sendIn("1 hour", "note", "kept");
    const stale = await realAlarm(box);
    expect(stale).toBe(now + HOUR);
    moveClock(2 * HOUR);
    await box.evict();
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toEqual([{ event: "healed", alarm: stale, head: now + HOUR }]);
    expect(await realAlarm(box)).toBe(Date.now() + 1);
    expect(await box.ref.get(id)).toMatchObject({ state: "waiting" });
  });

  it("looks again a second later at an alarm that is only just past: it may be the one that starts it", async () => {
    stopClockAhead();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    moveClock(HOUR + 500);
    await box.evict();
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toEqual([]);
    moveClock(1_100);
    await until(() => box.eventsOf("healed").length > 0, "the second look");
    expect(box.eventsOf("healed")).toHaveLength(1);
  });

  it("takes nothing for wrong that is right, and then writes nothing", async () => {
    await installMeter();
    stopClockAhead();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    await box.ref.sendEvery("2 hours", "note", "again");
    for (let n = 0; n < 3; n += 1) {
      await box.evict();
      const cost = await costOf(() => box.inside(() => {}));
      expect(cost).toMatchObject({ written: 0, setAlarm: 0, deleteAlarm: 0 });
    }
    expect(await box.ref.stats()).toMatchObject({ healed: 0 });
    expect(box.eventsOf("healed")).toEqual([]);
  });

  it("asks for no alarm where nothing is to be done", async () => {
    stopClockAhead();
    for (const prepare of [
      (box: Scripted) => box.ref.stats(),
      async (box: Scripted) => box.ref.cancel(await box.ref.sendIn("1 hour", "note", 1)),
      async (box: Scripted) => {
        await box.ref.pause();
        await box.ref.send("note", 1);
      },
    ]) {
      const { box } = noter();
      await prepare(box);
      await behind(box, (real) => real.deleteAlarm());
      await box.evict();
      await box.inside(() => {});
      expect(await realAlarm(box)).toBeNull();
      expect(box.eventsOf("healed")).toEqual([]);
    }
  });

  it("goes on after the platform has abandoned the alarm of a run that died", async () => {
    const { box, noted } = noter();
    const runs: number[] = [];
    box.deploy((self) => ({
      receive: {
        note: (payload) => void noted.push(payload),
        fatal: async (_, { attempt }) => {
          runs.push(attempt);
          if (runs.length > 1) return;
          await self.state.storage.sync();
          abandon(self);
        },
      },
    }));
    await box.ref.sendAll([
      { type: "fatal", payload: undefined },
      { type: "note", payload: "kept", in: 1 },
    ]);
    await until(() => runs.length > 0);
    // Nothing wakes it by itself, until somebody calls.
    await until(async () => box.inside(() => true).catch(() => false), "a new instance");
    // Where the machine was so slow that the run was leased, what is left is its guard.
    expect(box.eventsOf("healed")).toHaveLength(1);
    await until(() => noted.length > 0);
    expect(noted).toEqual(["kept"]);
    expect(runs).toHaveLength(2);
  });

  it("does not let its own object abandon the alarm", async () => {
    const { box, noted } = noter();
    let runs = 0;
    box.deploy((self) => ({
      receive: {
        note: (payload) => void noted.push(payload),
        fatal: async () => {
          runs += 1;
          if (runs > 1) return;
          await self.state.storage.sync();
          self.state.abort("on purpose", { retryAlarm: false });
        },
      },
    }));
    await box.ref.send("fatal", undefined);
    await until(() => runs > 1, "the alarm's re-run, by itself");
  });
});

/** What `ctx.abort` does where the mailbox has not put itself over it. */
function abandon(self: ScriptedActor): void {
  const abort: unknown = Reflect.get(Object.getPrototypeOf(self.state) as object, "abort", self.state);
  Reflect.apply(abort as DurableObjectState["abort"], self.state, ["abandoned", { retryAlarm: false }]);
}

describe("G12 Self-healing, while the object lives", () => {
  startClockAfterEach();

  it("notices at the next verb that an alarm did not fire", async () => {
    stopClockAhead();
    for (const verb of [
      (box: Scripted) => box.ref.sendIn("2 hours", "note", 1),
      (box: Scripted) => box.ref.stats(),
      (box: Scripted) => box.inside((self) => self.mailbox.pending()),
    ]) {
      const { box } = noter();
      await box.ref.sendIn("1 hour", "note", "kept");
      await behind(box, (real) => real.deleteAlarm());
      moveClock(HOUR + 2_000);
      await verb(box);
      await until(() => box.eventsOf("healed").length > 0);
      expect(await realAlarm(box)).toBe(Date.now() + 1);
      expect(await box.ref.stats()).toMatchObject({ healed: 1 });
    }
  });

  it("ends every drain with the alarm that the rows ask for, whatever was done to it in between", async () => {
    const now = stopClockAhead();
    const box = actor((self) => ({
      receive: {
        meddle: async (how) => {
          if (how === "delete") await self.realStorage.deleteAlarm();
          if (how === "set") await self.realStorage.setAlarm(Date.now() + 9 * HOUR);
        },
        note: () => {},
      },
    }));
    await box.ref.sendIn("1 hour", "note", 1);
    for (const how of ["delete", "set"]) {
      await box.ref.send("meddle", how);
      await box.drain();
      expect(await realAlarm(box)).toBe(now + HOUR);
    }
  });

  it("runs an alarm that others have set, finds nothing to do, and leaves none", async () => {
    const { box, noted } = noter();
    await box.ref.stats();
    await behind(box, (real) => real.setAlarm(Date.now() + 50));
    await until(async () => (await realAlarm(box)) === null);
    expect(noted).toEqual([]);
    await box.ref.send("note", "after");
    await until(() => noted.length > 0);
  });
});

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
    await box.ref.sendIn(300, "note", "gone");
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
