// G12, a deploy whose class is wrong: settings, handlers, a policy, names, a getter that throws, a schema that is newer
// than the code. No wake rejects, because the platform gives an alarm up after six that do; nothing is touched; and the
// deploy that mends it delivers by itself.

import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MisconfiguredError, NewerSchemaError, type Receive } from "../../actors/index.ts";
import { SCHEMA_VERSION } from "../../mailbox/store/schema.ts";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { VERSION_1_LEFT_AT, VERSION_1_OBJECT } from "../support/version-1.ts";
import {
  actor,
  type AnyMessages,
  type Script,
  type Scripted,
  type ScriptedActor,
  until,
} from "../support/scripted.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const receive: Receive<AnyMessages> = { note: () => {} };

/** What a deploy can do to a class. */
const wrongs: Readonly<Record<string, () => Script>> = {
  "a policy out of its range": () => ({ receive, policy: { timeout: "11 minutes" } }),
  "a setting that is none": () => ({ receive, settings: { retention: { age: "for ever" } } }),
  "a handler that is none": () => ({ receive: { note: "handler" as never } }),
  "no handlers at all": () => ({ receive: undefined as never }),
  "a getter that throws": () => ({
    receive: Object.defineProperty({}, "note", {
      enumerable: true,
      get: () => {
        throw new Error("a getter of the user's");
      },
    }),
  }),
  "an onDeadLetter that is none": () => ({ receive, onDeadLetter: "log" as never }),
};

function realAlarm(box: Scripted): Promise<number | null> {
  return box.inside(({ realStorage }) => realStorage.getAlarm());
}

/** All that is on disk of the mailbox. */
function rowsOf(box: Scripted): Promise<unknown> {
  return box.inside(({ realStorage: { sql } }) =>
    ["envelopes", "recurrences", "dead_letters", "outbox", "targets", "meta"].map((table) =>
      sql.exec(`SELECT * FROM _mailbox_${table}`).toArray(),
    ),
  );
}

/** An actor with something of each kind that is due in an hour, or lies there. */
async function laden(script: Script = { receive }): Promise<Scripted> {
  const box = actor({
    policy: { maxAttempts: 1 },
    receive: {
      note: () => {},
      fails: () => {
        throw new Error("no");
      },
    },
  });
  await box.ref.send("fails", 1);
  await box.drain();
  await box.ref.sendIn("1 hour", "note", 1);
  await box.ref.sendEvery("1 hour", "note", 2);
  box.deploy(script);
  await box.evict();
  return box;
}

/** Runs one wake by hand, as the platform would; answers how long after it the next one is. */
async function wake(box: Scripted): Promise<number | undefined> {
  await box.inside(({ realStorage }) => realStorage.deleteAlarm());
  await box.drain({ scheduledTime: Date.now() });
  const alarm = await realAlarm(box);
  return alarm === null ? undefined : alarm - Date.now();
}

describe("G12 A deploy whose class is wrong", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  describe.each(Object.entries(wrongs))("by %s", (_, wrong) => {
    it("has no wake that rejects or touches anything: the next comes after as long as it was overdue, a second to a minute", async () => {
      vi.spyOn(console, "error").mockImplementation(() => {});
      stopClockAhead();
      const box = await laden(wrong());
      const before = await rowsOf(box);
      expect(await wake(box), "nothing is due yet").toBe(HOUR);
      moveClock(HOUR);
      const waits: unknown[] = [];
      for (let n = 0; n < 9; n += 1) {
        const wait = (await wake(box)) ?? 0;
        waits.push(wait / SECOND);
        moveClock(wait);
      }
      expect(waits).toEqual([1, 1, 2, 4, 8, 16, 32, 60, 60]);
      expect(await rowsOf(box)).toEqual(before);
    });

    it("says so at every wake, once, on the console and by an event", async () => {
      const lines = vi.spyOn(console, "error").mockImplementation(() => {});
      stopClockAhead();
      const told: unknown[] = [];
      const script = wrong();
      const box = await laden({
        ...script,
        settings: { ...script.settings, onEvent: (event) => void told.push(event) },
      });
      moveClock(HOUR);
      await wake(box);
      await until(() => told.length > 0, "the event");
      expect(told).toMatchObject([
        { event: "misconfigured", error: { name: "MisconfiguredError" }, nextAt: Date.now() + SECOND },
      ]);
      box.deploy({ ...script, settings: { ...script.settings, console: true } });
      await box.evict();
      moveClock(SECOND);
      await wake(box);
      await until(() => lines.mock.calls.length > 0, "the line");
      expect(lines.mock.calls).toHaveLength(1);
      expect(String(lines.mock.calls[0])).toContain("misconfigured");
    });

    it("refuses every verb, and lives", async () => {
      stopClock();
      const box = await laden(wrong());
      for (const verb of [
        (self: ScriptedActor) => self.send("note", 1),
        (self: ScriptedActor) => self.sendAll([{ type: "note", payload: 1 }]),
        (self: ScriptedActor) => self.other("somebody").send("note", 1),
        (self: ScriptedActor) => self.cancel("nothing"),
        (self: ScriptedActor) => self.mailbox.stats(),
        (self: ScriptedActor) => self.mailbox.redriveAll(),
      ]) {
        await box.inside((self) => expect((async () => verb(self))()).rejects.toThrow(MisconfiguredError));
      }
      expect(await box.inside(() => "alive")).toBe("alive");
    });

    it("delivers what was due when it is mended", async () => {
      vi.spyOn(console, "error").mockImplementation(() => {});
      stopClockAhead();
      const box = await laden(wrong());
      moveClock(HOUR);
      moveClock((await wake(box)) ?? 0);
      const noted: unknown[] = [];
      box.deploy({ receive: { note: (payload) => void noted.push(payload) } });
      await box.evict();
      await wake(box);
      expect(noted).toEqual([1, 2]);
    });
  });

  it("delivers by the platform's own clock once it is mended, though nobody touches it", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const noted: unknown[] = [];
    const told: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void noted.push(payload) } });
    await box.ref.sendIn(1_500, "note", "kept");
    box.deploy({
      receive: { note: "none" as never },
      settings: { onEvent: (event) => void told.push(event) },
    });
    await box.evict();
    await until(() => told.length > 2, "two wakes of it");
    expect(noted).toEqual([]);
    box.deploy({ receive: { note: (payload) => void noted.push(payload) } });
    await box.evict();
    await until(() => noted.length > 0, "the delivery");
    expect(noted).toEqual(["kept"]);
  });

  it("keeps an alarm of before the class was an actor for the deploy that mends it", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    stopClockAhead();
    const ran: number[] = [];
    const box = actor({ receive: {} });
    const at = Date.now() + HOUR;
    await box.inside(({ realStorage }) => realStorage.setAlarm(at));
    box.deploy({ receive: "none" as never, alarm: ({ scheduledTime }) => void ran.push(scheduledTime) });
    await box.evict();
    moveClock(HOUR);
    expect(await wake(box)).toBe(SECOND);
    box.deploy({ receive, alarm: ({ scheduledTime }) => void ran.push(scheduledTime) });
    await box.evict();
    moveClock(SECOND);
    await wake(box);
    expect(ran).toEqual([at]);
  });

  it("charges the run that died before it, when it is mended, and wakes no oftener because of it", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    stopClockAhead();
    const box = actor({ receive: { note: () => {} } });
    const id = await box.ref.send("note", 1);
    const due = (await box.ref.get(id))?.dueAt ?? 0;
    await box.inside(({ realStorage }) => {
      const lease = JSON.stringify({ kind: "message", id, due, attempt: 1, startedAt: due });
      realStorage.sql.exec("INSERT INTO _mailbox_meta VALUES ('lease', ?)", lease);
    });
    box.deploy({ receive: "none" as never });
    await box.evict();
    moveClock(10 * SECOND);
    expect(await wake(box)).toBe(10 * SECOND);
    box.deploy({ receive });
    await box.evict();
    await wake(box);
    expect(box.eventsOf("attemptFailed")).toMatchObject([{ id, outcome: "crashed" }]);
  });
});

describe("G12 A release of the library that is rolled back", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  it("has no wake that rejects or touches a row: the next comes after a minute, until the release is back", async () => {
    const lines = vi.spyOn(console, "error").mockImplementation(() => {});
    stopClockAhead();
    const noted: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void noted.push(payload) } });
    await box.ref.sendIn("1 hour", "note", "kept");
    await box.inside(({ realStorage: { sql } }) => {
      sql.exec("INSERT INTO _mailbox_schema (version) VALUES (?)", SCHEMA_VERSION + 1);
    });
    await box.evict();
    moveClock(HOUR);
    const before = await rowsOf(box);
    for (let n = 0; n < 8; n += 1) {
      expect(await wake(box)).toBe(MINUTE);
      moveClock(MINUTE);
    }
    expect(await rowsOf(box)).toEqual(before);
    expect(noted).toEqual([]);
    expect(lines).not.toHaveBeenCalled();
    expect(box.eventsOf("misconfigured")).toHaveLength(8);
    expect(box.eventsOf("misconfigured")[0]?.error.name).toBe(NewerSchemaError.name);
    await box.inside(({ realStorage: { sql } }) => {
      sql.exec("DELETE FROM _mailbox_schema WHERE version > ?", SCHEMA_VERSION);
    });
    await box.evict();
    await wake(box);
    expect(noted).toEqual(["kept"]);
  });
});

describe("G12 A subclass that takes a reserved name", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  const classes = ["ReservedMethod", "ReservedAccessor", "ReservedField", "AlarmField"] as const;

  it.each(classes)("as %s does can be made, and says so at every verb", async (name) => {
    const stub = env[name].getByName("verbs");
    const refusal: unknown = await runInDurableObject(stub, (self) =>
      self.mailboxCall(JSON.stringify({ v: 1, verb: "stats", args: "[]" })),
    );
    expect(refusal).toContain('"code":"misconfigured"');
    expect(refusal).toContain("which an actor needs for itself");
  });

  it.each(classes)("as %s does has wakes that come again, also where it is the alarm", async (name) => {
    const lines = vi.spyOn(console, "error").mockImplementation(() => {});
    stopClock(VERSION_1_LEFT_AT + 10 * MINUTE);
    const stub = env[name].getByName("wakes");
    await runInDurableObject(stub, (_, { storage }) => void storage.sql.exec(VERSION_1_OBJECT));
    await evictDurableObject(stub);
    await runInDurableObject(stub, (self: DurableObject) =>
      self.alarm?.({ isRetry: false, retryCount: 0, scheduledTime: Date.now() }),
    );
    await until(() => lines.mock.calls.length > 0, "the line");
    expect(String(lines.mock.calls[0])).toMatch(
      /next try 2030-01-01T09:11:00.000Z[^]*which an actor needs for itself/,
    );
  });
});
