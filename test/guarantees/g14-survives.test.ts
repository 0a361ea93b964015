// G14, the user's own alarm through the deaths of its object, alone and beside tasks.

import { describe, expect, it } from "vitest";
import { actor, crashAll, until } from "../support/scripted.ts";
import { tasked } from "../support/tasks.ts";

describe("G14 the user's own alarm survives", () => {
  it.each([
    ["an eviction", (one: { evict(): Promise<void> }) => one.evict()],
    ["a crash", () => crashAll()],
  ])("%s, and runs at its time", async (_, end) => {
    const ran: { scheduledTime: number; at: number }[] = [];
    const one = actor({
      receive: {},
      alarm: ({ scheduledTime }) => ran.push({ scheduledTime, at: Date.now() }),
    });
    const at = Date.now() + 400;
    await one.inside((_object, { storage }) => storage.setAlarm(at));
    await end(one);
    await until(() => ran.length > 0, "the alarm");
    expect(ran[0]?.scheduledTime).toBe(at);
    expect(ran[0]?.at).toBeGreaterThanOrEqual(at);
    await scheduler.wait(50);
    expect(ran).toHaveLength(1);
  });

  it("an alarm that kills its object is charged, and the mailbox goes on", async () => {
    const received: unknown[] = [];
    const counts: number[] = [];
    const one = actor((self) => ({
      receive: { note: (payload) => received.push(payload) },
      alarm: ({ retryCount }) => {
        counts.push(retryCount);
        if (retryCount < 2) self.state.abort("killed by the alarm");
      },
    }));
    await one
      .inside(({ sendIn }, { storage }) => {
        sendIn(100, "note", "beside");
        return storage.setAlarm(Date.now() + 50);
      })
      .catch(() => {});
    await until(() => counts.includes(2), "the second counted retry");
    // At most two runs go uncounted.
    expect(counts.filter((count) => count === 0).length).toBeLessThanOrEqual(3);
    await until(() => received.length === 1, "the message");
    expect(one.eventsOf("alarmFailed").map(({ error }) => error.name)).toContain("ObjectDied");
    expect(await one.inside((_, { storage }) => storage.getAlarm())).toBeNull();
  });
});

describe("a class that uses its own alarm and tasks together", () => {
  it.each([
    ["an eviction", (one: { evict(): Promise<void> }) => one.evict()],
    ["a crash", () => crashAll()],
  ])("runs both on time through %s", async (_, end) => {
    const ran: { what: string; dueAt: number | undefined; at: number }[] = [];
    const [taskAt, alarmAt, laterAt] = [300, 400, 500].map((ms) => Date.now() + ms) as [
      number,
      number,
      number,
    ];
    const one = tasked({
      process: ({ context, scheduledAt }) =>
        ran.push({ what: String(context), dueAt: scheduledAt, at: Date.now() }),
      alarm: (info) => ran.push({ what: "alarm", dueAt: info?.scheduledTime, at: Date.now() }),
    });
    await one.inside(async ({ tasks, state: { storage } }) => {
      await tasks.scheduleTaskAt(laterAt, "later");
      await storage.setAlarm(alarmAt);
      await tasks.scheduleTaskAt(taskAt, "task");
    });
    await end(one);
    await until(() => ran.length === 3, "all three");
    // In a wake that comes late the alarm goes first, so that it waits for no backlog: each once, whatever the order.
    expect(
      ran.map(({ what, dueAt = 0 }) => [what, dueAt] as const).toSorted(([, a], [, b]) => a - b),
    ).toEqual([
      ["task", taskAt],
      ["alarm", alarmAt],
      ["later", laterAt],
    ]);
    for (const { dueAt = Number.NaN, at } of ran) expect(at).toBeGreaterThanOrEqual(dueAt);
  });
});
