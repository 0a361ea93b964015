// G12, over versions of the schema: an object sleeps under one version of the code and wakes under another.

import { describe, expect, it } from "vitest";
import { NewerSchemaError } from "../../actors/index.ts";
import { SCHEMA_VERSION } from "../../mailbox/store/schema.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Script, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";
import { VERSION_1_LEFT_AT, VERSION_1_OBJECT, VERSION_1_RECEIVER } from "../support/version-1.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An object that version 1 has left behind, and that nothing has touched since. */
async function fromVersion1(
  script: Script | ((self: ScriptedActor) => Script),
  { hasLostAlarm = false } = {},
): Promise<Scripted> {
  stopClock(VERSION_1_LEFT_AT);
  const box = actor({ receive: {} });
  await box.inside(async ({ realStorage }) => {
    realStorage.sql.exec(VERSION_1_OBJECT);
    if (!hasLostAlarm) await realStorage.setAlarm(VERSION_1_LEFT_AT + 10 * MINUTE);
  });
  box.deploy(script);
  await box.evict();
  return box;
}

const everything: Script["receive"] = {
  note: () => {},
  fails: () => {},
  dies: () => {},
};

function versions(box: Scripted): Promise<unknown[]> {
  return box.inside(({ realStorage }) =>
    realStorage.sql
      .exec<{ version: number }>("SELECT version FROM _mailbox_schema ORDER BY version")
      .toArray()
      .map(({ version }) => version),
  );
}

function realAlarm(box: Scripted): Promise<number | null> {
  return box.inside(({ realStorage }) => realStorage.getAlarm());
}

describe("G12 An object that an older version has left", () => {
  startClockAfterEach();

  it("has all that it had, and is brought up to this version by whatever touches it first", async () => {
    for (const touch of [
      (box: Scripted) => box.inside(() => {}),
      (box: Scripted) => box.ref.get("nothing"),
      (box: Scripted) => box.drain({ scheduledTime: VERSION_1_LEFT_AT }),
    ]) {
      const box = await fromVersion1({ receive: everything });
      await touch(box);
      expect(await versions(box)).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, n) => n + 1));
      expect((await box.ref.pending()).items).toMatchObject([
        { type: "fails", payload: new Date(0), attempts: 1, dueAt: VERSION_1_LEFT_AT + 10 * MINUTE },
        { type: "note", payload: { plain: true }, dueAt: VERSION_1_LEFT_AT + HOUR },
        { type: "note", payload: "hourly", dueAt: VERSION_1_LEFT_AT + HOUR },
        { type: "note", payload: { keyed: true }, key: "k", dueAt: VERSION_1_LEFT_AT + 2 * HOUR },
        { type: "note", payload: "weekly" },
        { type: "later", state: "parked" },
      ]);
      expect((await box.ref.deadLetters()).items).toMatchObject([
        { type: "dies", payload: 1, reason: "exhausted", errors: [{ message: "no" }] },
      ]);
      expect((await box.ref.recurrences()).items).toMatchObject([
        { rule: expect.stringContaining("Europe/Berlin"), nextAt: Date.UTC(2030, 0, 7, 8) },
        { rule: "every 1 h", nextAt: VERSION_1_LEFT_AT + HOUR },
      ]);
    }
  });

  it("delivers all of it, each at its time, and its own alarm too", async () => {
    const noted: unknown[] = [];
    const receiver = actor({ receive: { note: () => {} } }, VERSION_1_RECEIVER);
    const note = (payload: unknown): void => void noted.push(payload);
    const box = await fromVersion1({
      receive: { note, fails: note, dies: note, later: note },
      alarm: () => note("its own alarm"),
    });
    for (const hours of [1, 2, 5]) {
      moveClock(VERSION_1_LEFT_AT + hours * HOUR - Date.now());
      await box.drain({ scheduledTime: Date.now() });
    }
    await box.ref.redrive("0o5uu3s00tr98DLWiW_00030");
    await box.drain();
    expect(noted).toEqual([
      new Date(0),
      { plain: true },
      1,
      "hourly",
      { keyed: true },
      "hourly",
      "its own alarm",
      "hourly",
      1,
    ]);
    await until(async () => (await receiver.ref.pending()).items.length > 0, "the message of the outbox");
    expect((await receiver.ref.pending()).items).toMatchObject([{ payload: "by outbox" }]);
  });

  it("does not take the mailbox' own alarm for the user's, also when the constructor sends", async () => {
    const alarms: unknown[] = [];
    const box = await fromVersion1({
      receive: everything,
      alarm: (info) => void alarms.push(info),
      construct: (self) => void self.sendIn("2 hours", "note", 2),
    });
    expect(await box.inside((_, { storage }) => storage.getAlarm())).toBe(VERSION_1_LEFT_AT + 5 * HOUR);
    moveClock(HOUR);
    await box.drain({ scheduledTime: Date.now() });
    expect(alarms).toEqual([]);
  });

  it("gets back a lost alarm when it wakes for any reason", async () => {
    const box = await fromVersion1({ receive: everything }, { hasLostAlarm: true });
    moveClock(2_000);
    await box.inside(() => {});
    // Its outbox has had something to do since then.
    expect(await realAlarm(box)).toBe(VERSION_1_LEFT_AT + 2_001);
    expect(box.eventsOf("healed")).toMatchObject([{ alarm: null, head: VERSION_1_LEFT_AT }]);
  });
});

describe("G12 An object that a newer version has written to", () => {
  startClockAfterEach();

  /** An object with a message for in an hour, under code that was rolled back. */
  async function fromTheFuture(): Promise<Scripted> {
    const box = actor({ receive: everything, alarm: () => {} });
    await box.ref.sendIn("1 hour", "note", "kept");
    await box.inside(({ realStorage: { sql } }) => {
      sql.exec("INSERT INTO _mailbox_schema (version) VALUES (?)", SCHEMA_VERSION + 1);
    });
    await box.evict();
    return box;
  }

  it("has a mailbox, of which every verb says that this code is too old for it", async () => {
    stopClock();
    const box = await fromTheFuture();
    const at = await realAlarm(box);
    for (const verb of [
      (self: ScriptedActor) => self.send("note", 1),
      (self: ScriptedActor) => self.mailbox.stats(),
      (self: ScriptedActor) => self.mailbox.get("nothing"),
      (self: ScriptedActor) => self.cancel("nothing"),
      (self: ScriptedActor) => self.state.storage.getAlarm(),
      (self: ScriptedActor) => self.state.storage.setAlarm(Date.now() + HOUR),
      (self: ScriptedActor) => self.state.storage.deleteAlarm(),
    ]) {
      await box.inside((self) =>
        expect((async () => verb(self))()).rejects.toThrow(
          new NewerSchemaError(
            `The object's mailbox has schema version ${SCHEMA_VERSION + 1}, and this code knows ${SCHEMA_VERSION}; deploy a version of durable-mailbox at least as new as the one that wrote it.`,
          ),
        ),
      );
    }
    expect(await realAlarm(box), "whose alarm is left alone").toBe(at);
  });
});
