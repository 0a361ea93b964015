// The single facts of a mailbox (pause, lease, the user's alarm, suspicion) when something else has
// written their rows.

import { beforeEach, describe, expect, it, vi } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { type Bad, damage, stored } from "../support/damage.ts";
import { actor, type Scripted } from "../support/scripted.ts";

const noJson: readonly Bad[] = [
  ["no JSON", "garbage"],
  ["nothing", ""],
  ["null", "null"],
  ["a text", '"x"'],
  ["a list", "[]"],
];

const BAD_LEASES: readonly Bad[] = [
  ...noJson,
  ["a number", "5"],
  ["an object without its fields", "{}"],
  ["a lease of nothing known", '{"kind":"soul","id":"x","due":1,"attempt":1,"startedAt":1}'],
  ["a lease of a number", '{"kind":"message","id":5,"due":1,"attempt":1,"startedAt":1}'],
];

const BAD_ALARMS: readonly Bad[] = [
  ...noJson,
  ["a number", "5"],
  ["a time that is null", '{"time":null,"retry":0}'],
  ["no count of retries", '{"time":1}'],
  ["a time asked for that is a text", '{"time":1,"retry":1,"askedFor":"then"}'],
];

function noter(): { box: Scripted; noted: unknown[] } {
  const noted: unknown[] = [];
  const box = actor({
    receive: { note: (payload) => void noted.push(payload) },
    alarm: () => void noted.push("alarm"),
  });
  return { box, noted };
}

/** Writes a fact behind the mailbox' back, and has it read by a new instance. */
async function setFact(box: Scripted, name: string, text: string): Promise<void> {
  await box.ref.stats();
  await damage(box, "INSERT OR REPLACE INTO _mailbox_meta VALUES (?, ?)", name, text);
  await box.evict();
}

const wake = (box: Scripted): Promise<void> => box.drain({ scheduledTime: Date.now() });
const factsOf = (box: Scripted): Promise<unknown> =>
  stored(box, "SELECT COALESCE(GROUP_CONCAT(name), '') FROM _mailbox_meta");

describe("a fact of a mailbox that cannot be read", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it.each(BAD_LEASES)(
    "is no lease: what was due is leased once more, and all goes on: %s",
    async (_, text) => {
      const { box, noted } = noter();
      const leased: unknown[] = [];
      box.deploy((self) => ({
        receive: {
          note: async (payload) => {
            noted.push(payload);
            leased.push(self.mailbox.stats().leased);
          },
        },
      }));
      await box.ref.sendAll([1, 2].map((payload) => ({ type: "note", payload })));
      await setFact(box, "lease", text);
      expect(await box.ref.stats()).toMatchObject({ pending: 2, leased: 0 });
      await wake(box);
      await box.ref.send("note", 3);
      moveClock(1);
      await wake(box);
      expect(noted).toEqual([1, 2, 3]);
      expect(leased).toEqual([1, 1, 0]);
      expect(await factsOf(box)).toBe("");
      expect(box.eventsOf("unreadable")).toMatchObject([
        {
          table: "_mailbox_meta",
          id: "lease",
          column: "value",
          error: { name: "UnreadableRowError", message: expect.stringContaining("is leased") },
        },
      ]);
    },
  );

  it.each<Bad>([...noJson, ["an object", "{}"]])(
    "is no suspicion of old: what is due is leased: %s",
    async (_, text) => {
      const { box, noted } = noter();
      await box.ref.send("note", 1);
      await setFact(box, "suspiciousUntil", text);
      await wake(box);
      expect(noted).toEqual([1]);
      expect(await factsOf(box)).toBe("");
      expect(box.eventsOf("unreadable")).toMatchObject([{ id: "suspiciousUntil" }]);
    },
  );

  it.each(BAD_ALARMS)("is no alarm of the user's: it is dropped, and says so: %s", async (_, text) => {
    const { box, noted } = noter();
    await setFact(box, "alarm", text);
    await box.ref.send("note", 1);
    expect(await box.inside((_self, { storage }) => storage.getAlarm())).toBeNull();
    await wake(box);
    expect(noted).toEqual([1]);
    expect(await factsOf(box)).toBe("");
    expect(box.eventsOf("alarmDropped")).toMatchObject([
      { error: { name: "UnreadableRowError", message: expect.stringContaining("set it again") } },
    ]);
    await box.inside((_self, { storage }) => storage.setAlarm(Date.now() + 10));
    moveClock(10);
    await wake(box);
    expect(noted).toEqual([1, "alarm"]);
  });

  it.each(BAD_ALARMS)("makes way for an alarm that the user sets anew: %s", async (_, text) => {
    const { box, noted } = noter();
    await setFact(box, "alarm", text);
    await box.inside((_self, { storage }) => storage.setAlarm(Date.now() + 10));
    moveClock(10);
    await wake(box);
    expect(noted).toEqual(["alarm"]);
    expect(box.eventsOf("alarmDropped")).toEqual([]);
  });

  it.each(noJson)(
    "leaves a mailbox paused that was paused, until somebody resumes it: %s",
    async (_, text) => {
      const { box, noted } = noter();
      await box.ref.send("note", 1);
      await setFact(box, "paused", text);
      expect(await box.ref.stats()).toMatchObject({ paused: true });
      await wake(box);
      expect(noted).toEqual([]);
      await box.ref.resume();
      await wake(box);
      expect(noted).toEqual([1]);
      expect(await factsOf(box)).toBe("");
    },
  );

  it("is told on the console", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const { box } = noter();
    box.deploy({ receive: {}, settings: { console: true } });
    await setFact(box, "lease", "garbage");
    await wake(box);
    expect(error.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^durable-mailbox: ScriptedActor "actor-.*" [0-9a-f]{64}: the column value of _mailbox_meta, row lease, cannot be read\nUnreadableRowError: /,
        ),
      ],
    ]);
    error.mockRestore();
  });
});
