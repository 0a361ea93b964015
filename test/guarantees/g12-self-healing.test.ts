import { afterEach, describe, expect, it, vi } from "vitest";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { costOf, installMeter } from "../support/meter.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor that notes what it is given. */
function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({ receive: { note: (payload) => void noted.push(payload) } });
  return { box, noted };
}

/** Watches the timers of one second and more that are started from now on, of whatever object. */
function watchTimers(): { running: () => number[]; fire: () => void } {
  const timers = new Map<unknown, { ms: number; callback: () => void }>();
  const real = { set: globalThis.setTimeout, clear: globalThis.clearTimeout };
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((callback: () => void, ms = 0) => {
    const timer = real.set(callback, ms);
    if (ms >= 1_000) timers.set(timer, { ms, callback });
    return timer;
  }) as typeof setTimeout);
  vi.spyOn(globalThis, "clearTimeout").mockImplementation(((timer: number) => {
    timers.delete(timer);
    real.clear(timer);
  }) as typeof clearTimeout);
  return {
    running: () => [...timers.values()].map(({ ms }) => ms),
    fire: () => {
      for (const [timer, { callback }] of timers) {
        timers.delete(timer);
        callback();
      }
    },
  };
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
  afterEach(() => vi.restoreAllMocks());

  it("arms an alarm that was deleted, delivers by it, and says so", async () => {
    const { box, noted } = noter();
    // In one turn: the alarm cannot fire before it is deleted.
    await box.inside((self) => {
      self.sendIn(700, "note", "kept");
      return self.realStorage.deleteAlarm();
    });
    await box.evict();
    // Any request: it need not touch the mailbox.
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toMatchObject([{ alarm: null }]);
    expect(await box.ref.stats()).toMatchObject({ healed: 1 });
    await until(() => noted.length > 0);
    expect(noted).toEqual(["kept"]);
  });

  it("brings forward an alarm that was overwritten with a later one", async () => {
    const { box, noted } = noter();
    const late = Date.now() + HOUR;
    const dueAt = await box.inside(async (self) => {
      const id = self.sendIn(700, "note", "kept");
      await self.realStorage.setAlarm(late);
      return self.mailbox.get(id)?.dueAt;
    });
    await box.evict();
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toEqual([{ event: "healed", alarm: late, head: dueAt }]);
    await until(() => noted.length > 0);
  });

  it("needs no healing from one that was overwritten with an earlier one: nothing is early", async () => {
    const now = stopClock();
    const { box, noted } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    await behind(box, (real) => real.setAlarm(now));
    await until(async () => (await realAlarm(box)) === now + HOUR, "the end of the early wake");
    expect(noted).toEqual([]);
    moveClock(HOUR);
    await box.drain();
    expect(noted).toEqual(["kept"]);
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

  it("leaves an alarm alone that is past by less than a minute: the platform may be late, and looks again by a timer", async () => {
    stopClockAhead();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    moveClock(HOUR + 20_000);
    await box.evict();
    const timers = watchTimers();
    await box.inside(() => {});
    expect(box.eventsOf("healed")).toEqual([]);
    expect(timers.running()).toEqual([40_100]);
    // Late, and not lost: what it was for runs, and no timer outlives it.
    await box.drain({ scheduledTime: Date.now() - 20_000 });
    expect(timers.running()).toEqual([]);
    expect(box.eventsOf("healed")).toEqual([]);
    expect(await box.ref.stats()).toMatchObject({ healed: 0, pending: 0 });
  });

  it("sets such an alarm right when the timer is over and it has not run", async () => {
    stopClockAhead();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    moveClock(HOUR + 20_000);
    await box.evict();
    const timers = watchTimers();
    await box.inside(() => {});
    moveClock(40_100);
    timers.fire();
    await until(() => box.eventsOf("healed").length > 0, "the second look");
    expect(await realAlarm(box)).toBe(Date.now() + 1);
    expect(timers.running()).toEqual([]);
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
    await until(() => noted.length > 0 && runs.length > 1);
    // Where the machine was so slow that the run was leased, what is left is its guard.
    expect(box.eventsOf("healed")).toHaveLength(1);
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

  const verbs: Readonly<Record<string, (box: Scripted) => unknown>> = {
    "a send": (box) => box.ref.sendIn("2 hours", "note", 1),
    stats: (box) => box.ref.stats(),
    "a list, from inside": (box) => box.inside((self) => self.mailbox.pending()),
  };

  it.each(Object.entries(verbs))(
    "notices that an alarm was lost, before it is due and after: by %s",
    async (_, verb) => {
      for (const [passed, alarm] of [
        [10_000, HOUR],
        [HOUR + 2_000, HOUR + 2_001],
      ] as const) {
        const now = stopClockAhead();
        const { box } = noter();
        await box.ref.sendIn("1 hour", "note", "kept");
        await behind(box, (real) => real.deleteAlarm());
        moveClock(passed);
        await verb(box);
        await until(() => box.eventsOf("healed").length > 0);
        expect(box.eventsOf("healed")).toMatchObject([{ alarm: null, head: now + HOUR }]);
        expect(await realAlarm(box)).toBe(now + alarm);
        expect(await box.ref.stats()).toMatchObject({ healed: 1 });
      }
    },
  );

  it("notices that an alarm was overwritten with a much later one", async () => {
    const now = stopClockAhead();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    await behind(box, (real) => real.setAlarm(now + 9 * HOUR));
    moveClock(10_000);
    await box.ref.stats();
    await until(() => box.eventsOf("healed").length > 0);
    expect(await realAlarm(box)).toBe(now + HOUR);
  });

  it("is patient with an alarm that is only late: a minute, then two, then four, however often it is asked", async () => {
    await installMeter();
    stopClockAhead();
    const { box } = noter();
    await box.ref.sendIn("1 hour", "note", "kept");
    moveClock(HOUR);
    const healedAt: number[] = [];
    const { setAlarm, written } = await costOf(async () => {
      for (let second = 1; second < 500; second += 1) {
        moveClock(1_000);
        await box.ref.get("nothing");
        if ((await box.ref.stats()).healed > healedAt.length) healedAt.push(second);
      }
    });
    expect(healedAt).toEqual([61, 61 + 121, 61 + 121 + 241]);
    expect(setAlarm).toBe(3);
    // Each leaves a mark that what is due may have killed the object.
    expect(written).toBe(3);
    // One that ran makes it as it was.
    await box.drain({ scheduledTime: Date.now() });
    await box.ref.sendIn("1 hour", "note", "kept");
    moveClock(HOUR + 61_000);
    expect(await box.ref.stats()).toMatchObject({ healed: 4 });
  });

  it("takes no request for a lost alarm that keeps the thread for a while", async () => {
    stopClockAhead();
    const { box } = noter();
    await box.ref.send("note", "kept");
    moveClock(1_500);
    expect(await box.ref.stats()).toMatchObject({ healed: 0, due: 1 });
  });

  it("leaves no alarm where nothing is left to wake for", async () => {
    stopClockAhead();
    for (const end of [
      (box: Scripted, id: string) => box.ref.cancel(id),
      (box: Scripted, id: string) => box.inside((self) => self.cancel(id)),
      (box: Scripted) => box.inside((self) => self.mailbox.destroy()),
    ]) {
      const { box } = noter();
      const id = await box.ref.sendIn("1 hour", "note", 1);
      expect(await realAlarm(box)).not.toBeNull();
      await end(box, id);
      await until(async () => (await realAlarm(box)) === null, "no alarm");
      await box.ref.sendIn("1 hour", "note", 2);
      expect(await realAlarm(box)).toBe(Date.now() + HOUR);
      expect(box.eventsOf("healed")).toEqual([]);
    }
  });

  it("leaves the alarm where something else waits, and where another is sent in the same commit", async () => {
    stopClockAhead();
    const { box } = noter();
    const id = await box.ref.sendIn("1 hour", "note", 1);
    await box.inside((self) => {
      self.cancel(id);
      self.sendIn("2 hours", "note", 2);
    });
    await until(() => box.eventsOf("cancelled").length > 0);
    // An hour too early, and harmless: to move it would cost more.
    expect(await realAlarm(box)).toBe(Date.now() + HOUR);
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
