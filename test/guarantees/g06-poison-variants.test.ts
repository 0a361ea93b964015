import { describe, expect, it } from "vitest";
import { actor, type Scripted, until } from "../support/scripted.ts";

/** Waits for a message to be a dead letter. */
function dead(box: Scripted, id: string): ReturnType<typeof box.ref.deadLetter> {
  return until(() => box.ref.deadLetter(id).catch(() => undefined), "the dead letter");
}

describe("G6 what kills its object uses up its own attempts", () => {
  it("when it had sent something earlier than the head before it died", async () => {
    let runs = 0;
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload) => void seen.push(payload),
        poison: {
          maxAttempts: 3,
          backoff: 10,
          handle: () => {
            runs += 1;
            self.sendLater(Date.now() - 60_000, "note", "sent by it");
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const id = await box.ref.send("poison", undefined);
    expect((await dead(box, id))?.errors).toHaveLength(3);
    expect(runs).toBeLessThanOrEqual(3 + 2);
    expect(seen).toEqual([]);
  });

  it("when requests arm while it runs and while the object is down", async () => {
    let runs = 0;
    const seen = new Set<unknown>();
    const box = actor((self) => ({
      receive: {
        note: (payload) => void seen.add(payload),
        poison: {
          maxAttempts: 3,
          backoff: 10,
          handle: async () => {
            runs += 1;
            await self.other("somebody else").get("nothing");
            await scheduler.wait(20);
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    let sent = 0;
    let isOver = false;
    const others = (async () => {
      while (!isOver) {
        // Past times arm earlier than anything that is armed.
        const at = Date.now() - 3_600_000;
        await box.ref.sendLater(at, "note", sent).then(
          () => (sent += 1),
          () => {},
        );
        await scheduler.wait(15);
      }
    })();
    const id = await until(() => box.ref.send("poison", undefined).catch(() => undefined));
    const letter = await dead(box, id);
    isOver = true;
    await others;
    expect(letter?.errors).toHaveLength(3);
    expect(runs).toBeLessThanOrEqual(3 + 2);
    await until(async () => (await box.ref.stats()).pending === 0);
    expect(seen.size).toBe(sent);
  });

  it("when it may be attempted more often than the platform repeats an alarm", async () => {
    let runs = 0;
    const maxAttempts = 9;
    const box = actor((self) => ({
      receive: {
        poison: {
          maxAttempts,
          backoff: 5,
          handle: () => {
            runs += 1;
            self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const id = await box.ref.send("poison", undefined);
    // Nobody asks: only the platform's clock goes on.
    await until(() => box.eventsOf("deadLettered").length === 1, "the dead letter");
    const letter = await box.ref.deadLetter(id);
    expect(letter?.errors.map(({ attempt }) => attempt)).toEqual(
      Array.from({ length: maxAttempts }, (_, n) => n + 1),
    );
    expect(runs).toBeLessThanOrEqual(maxAttempts + 2);
  });

  it("when it is an occurrence: it dies, and its recurrence goes on", async () => {
    let runs = 0;
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload) => void seen.push(payload),
        tick: {
          maxAttempts: 2,
          backoff: 10,
          handle: (_, { id }) => {
            if (seen.length > 0) seen.push(id);
            else runs += 1;
            if (seen.length === 0) self.state.abort("killed by its handler");
          },
        },
      },
    }));
    const recurrence = await box.ref.sendEvery("1 second", "tick", undefined);
    const [letter] = await until(async () => {
      const { items } = await box.ref.deadLetters().catch(() => ({ items: [] }));
      return items.length > 0 && items;
    }, "the dead letter").then((items) => [items].flat(1));
    expect(letter).toMatchObject({ reason: "crashed", recurrence, attempts: 2 });
    expect(runs).toBeLessThanOrEqual(2 + 2);
    await until(() => box.ref.send("note", "it is well again").catch(() => undefined));
    await until(() => seen.length > 1, "the next occurrence");
    await until(() => box.ref.cancel(recurrence).catch(() => undefined));
  });

  it("when it is the hook of a dead letter: it is given up, and the letter stays", async () => {
    let runs = 0;
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        note: (payload) => void seen.push(payload),
        bad: {
          maxAttempts: 1,
          handle: () => {
            throw new Error("bad");
          },
        },
      },
      onDeadLetter: () => {
        runs += 1;
        self.state.abort("killed by the hook");
      },
    }));
    const id = await box.ref.send("bad", undefined);
    await until(() => runs > 0);
    await until(() => box.ref.send("note", "beside it").catch(() => undefined));
    await until(() => seen.length === 1, "the other message");
    await until(() => runs === 3, "the last try");
    await until(async () => (await box.ref.stats().catch(() => undefined))?.leased === 0, "its end");
    await scheduler.wait(2_500);
    expect(runs).toBe(3);
    expect((await box.ref.deadLetter(id))?.reason).toBe("exhausted");
  });

  it("when it is the object's own alarm: it is retried like one that throws, and the messages flow", async () => {
    let runs = 0;
    const seen: unknown[] = [];
    const box = actor((self) => ({
      receive: { note: (payload) => void seen.push(payload) },
      alarm: () => {
        runs += 1;
        self.state.abort("killed by the alarm");
      },
    }));
    await box.inside((self) => {
      void self.state.storage.setAlarm(Date.now() + 20);
      self.sendIn(25, "note", "beside it");
    });
    await until(() => seen.length === 1, "the message");
    expect(runs).toBeLessThanOrEqual(1 + 2);
    await until(() => box.eventsOf("alarmFailed").length >= 2, "two counted failures");
    expect(
      box
        .eventsOf("alarmFailed")
        .map(({ retry }) => retry)
        .slice(0, 2),
    ).toEqual([0, 1]);
    expect(runs).toBeLessThanOrEqual(2 + 2);
    await box.inside((self) => self.state.storage.deleteAlarm());
  });
});
