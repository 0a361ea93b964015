import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { NoAlarmError, NotSqliteError, ref } from "../../actors/index.ts";

describe("a host without alarm()", () => {
  it("tells a ref that nothing would be delivered, at the first send and at all that follow", async () => {
    const handle = ref(env.NoAlarm, "by a ref");
    for (let n = 0; n < 2; n += 1) {
      await expect(handle.send("note", n)).rejects.toThrow(NoAlarmError);
      await expect(handle.send("note", n)).rejects.toThrow(
        /NoAlarm has no alarm\(\), so nothing .* add: alarm\(info\) \{ return this\.mailbox\.wake\(info\); \}/,
      );
    }
    await expect(handle.stats()).rejects.toMatchObject({ code: "no_alarm" });
  });

  it("throws it at the next verb inside", async () => {
    const stub = env.NoAlarm.getByName("inside");
    await runInDurableObject(stub, async ({ mailbox }) => {
      mailbox.send("note", 1);
      await scheduler.wait(1);
      expect(() => mailbox.send("note", 2)).toThrow(NoAlarmError);
      expect(() => mailbox.stats()).toThrow(NoAlarmError);
    });
  });

  it("can be asked what needs no alarm", async () => {
    expect(await ref(env.NoAlarm, "asked").stats()).toMatchObject({ pending: 0 });
  });
});

describe("an actor whose class is not SQLite-backed", () => {
  afterEach(() => vi.restoreAllMocks());

  it("can be made, and says what to declare at every verb, inside and by a ref", async () => {
    await expect(ref(env.KeyValueActor, "one").send("note", 1)).rejects.toThrow(NotSqliteError);
    await expect(ref(env.KeyValueActor, "one").stats()).rejects.toThrow(
      /KeyValueActor is not SQLite-backed.* new_sqlite_classes/,
    );
    const answer = await env.KeyValueActor.getByName("one").mailboxCall(
      JSON.stringify({ v: 1, verb: "stats", args: '{"json":[]}' }),
    );
    expect(JSON.parse(answer)).toMatchObject({ ok: false, code: "not_sqlite" });
  });

  it("has no wake that rejects", async () => {
    const lines = vi.spyOn(console, "error").mockImplementation(() => {});
    await runInDurableObject(env.KeyValueActor.getByName("one"), (actor: DurableObject) =>
      actor.alarm?.({ isRetry: false, retryCount: 0, scheduledTime: Date.now() }),
    );
    await vi.waitFor(() => expect(lines).toHaveBeenCalled());
    expect(String(lines.mock.calls[0])).toContain("new_sqlite_classes");
  });
});
