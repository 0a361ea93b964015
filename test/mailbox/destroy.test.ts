import { describe, expect, it } from "vitest";
import { RefusedInHandlerError } from "../../actors/index.ts";
import { startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

describe("destroy", () => {
  startClockAfterEach();

  it("empties mailbox, recurrences, dead letters and outbox, and an event says how many", async () => {
    stopClock();
    const box = actor({
      receive: {
        note: () => {},
        doomed: {
          maxAttempts: 1,
          handle: () => {
            throw new Error("no");
          },
        },
      },
    });
    await box.ref.send("doomed", 1);
    await box.drain();
    await box.inside(async (self) => {
      self.state.storage.sql.exec("CREATE TABLE users_own (n INTEGER)");
      self.sendIn("1 hour", "note", 1);
      self.sendIn("1 hour", "note", 2, { key: "k" });
      self.sendEvery("1 hour", "note", 3);
      self.other("nobody").sendIn("1 hour", "note", 4);
      await self.mailbox.destroy();
    });
    await until(() => box.eventsOf("destroyed").length === 1, "the event");
    expect(box.eventsOf("destroyed")).toEqual([
      { event: "destroyed", pending: 2, recurrences: 1, deadLetters: 1, outbox: 1 },
    ]);
    expect(await box.ref.stats()).toMatchObject({
      pending: 0,
      outbox: 0,
      deadLetters: 0,
      nextWake: undefined,
    });
    const tables = await box.inside(
      (self) =>
        self.state.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'users_own'").toArray().length,
    );
    expect(tables, "the user's own table stays").toBe(1);
  });

  it("leaves a mailbox that works", async () => {
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await box.ref.sendIn("1 hour", "note", 1);
    await box.inside((self) => self.mailbox.destroy());
    await box.ref.send("note", 2);
    await until(() => seen.length === 1);
    expect(seen).toEqual([2]);
  });

  for (const who of ["a request", "the attempt itself"]) {
    it(`by ${who} leaves nothing to follow from the attempt that runs, and aborts it if it is another's`, async () => {
      let isRunning = false;
      const aborted: unknown[] = [];
      const box = actor((self) => ({
        receive: {
          ending: async (_, { signal }) => {
            isRunning = true;
            if (who === "a request") await until(() => signal.aborted, "the abort");
            else await self.mailbox.destroy();
            aborted.push(signal.reason);
            throw new Error("after the end");
          },
        },
      }));
      await box.ref.send("ending", undefined);
      await until(() => isRunning);
      if (who === "a request") await box.inside((self) => self.mailbox.destroy());
      await until(() => aborted.length > 0);
      await until(async () => (await box.ref.stats()).leased === 0);
      expect(aborted).toEqual([who === "a request" ? expect.any(Error) : undefined]);
      expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0 });
      expect(box.eventsOf("attemptFailed")).toEqual([]);
    });
  }

  it("is refused in a synchronous handler, because it works in pages", async () => {
    let refusal: unknown;
    const box = actor((self) => ({
      receive: {
        ending: () => {
          void self.mailbox.destroy().catch((error: unknown) => {
            refusal = error;
          });
        },
      },
    }));
    await box.ref.send("ending", undefined);
    await until(() => refusal !== undefined, "the refusal");
    expect(refusal).toBeInstanceOf(RefusedInHandlerError);
  });

  it("takes what the attempt that asks for it has sent before, and nothing of after", async () => {
    stopClock();
    const box = actor((self) => ({
      receive: {
        note: () => {},
        ending: async () => {
          self.sendIn("1 hour", "note", "before");
          self.sendEvery("1 hour", "note", "before");
          await self.mailbox.destroy();
          self.sendIn("1 hour", "note", "after");
        },
      },
    }));
    await box.ref.send("ending", undefined);
    await box.drain();
    expect((await box.ref.pending()).items).toMatchObject([{ payload: "after" }]);
    expect(await box.ref.recurrences()).toEqual({ items: [] });
  });

  it("cannot be called through a ref, nor by hand", async () => {
    const box = actor({ receive: {} });
    expect(box.ref).not.toHaveProperty("destroy");
    const answer = await box.stub().mailboxCall('{"v":1,"verb":"destroy","args":"{\\"json\\":[]}"}');
    expect(JSON.parse(answer)).toMatchObject({ ok: false, code: "unsupported_version" });
  });
});
