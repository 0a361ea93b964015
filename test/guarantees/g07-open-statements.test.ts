// A statement that a handler has begun and not read to its end holds its transaction open: SQLite
// refuses to end the savepoint, and, while it stays open, to commit anything at all.

import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type Scripted, type ScriptedActor, until } from "../support/scripted.ts";

/** Writes two rows, and reads only one of the answers. */
function writeHalfRead(self: ScriptedActor): SqlStorageCursor<Record<string, SqlStorageValue>> {
  const cursor = self.state.storage.sql.exec("INSERT INTO done VALUES (1), (2) RETURNING n");
  cursor.next();
  return cursor;
}

function createTable(box: Scripted): Promise<void> {
  return box.inside((_, { storage }) => void storage.sql.exec("CREATE TABLE done (n INTEGER)"));
}

function done(box: Scripted): Promise<unknown[]> {
  return box.inside((_, { storage }) => storage.sql.exec("SELECT n FROM done").toArray());
}

describe("G7 A sync handler that leaves a statement open", () => {
  startClockAfterEach();

  it("for ever, uses up its own attempts and becomes a dead letter, and the others are delivered", async () => {
    const noted: unknown[] = [];
    const box = actor((self) => ({
      receive: {
        work: () => void writeHalfRead(self),
        note: (payload) => void noted.push(payload),
      },
      policy: { maxAttempts: 2, backoff: 10 },
    }));
    await createTable(box);
    const [id = ""] = await box.ref.sendAll([
      { type: "work", payload: 1 },
      { type: "note", payload: "behind it" },
    ]);
    const letter = await until(() => box.ref.deadLetter(id).catch(() => undefined), "its end");
    expect(letter).toMatchObject({ reason: "crashed", attempts: 2 });
    await until(() => noted.length > 0);
    expect(noted).toEqual(["behind it"]);
    expect(await done(box)).toEqual([]);
  });

  it("until it has returned, loses neither its message nor its work", async () => {
    stopClockAhead();
    const attempts: number[] = [];
    const box = actor((self) => ({
      receive: {
        work: (_, { attempt }) => {
          attempts.push(attempt);
          const cursor = writeHalfRead(self);
          if (attempts.length > 1) cursor.toArray();
          // The savepoint cannot end, and is taken back; then the commit of the rest can.
          else queueMicrotask(() => void cursor.toArray());
        },
      },
    }));
    await createTable(box);
    const id = await box.ref.send("work", 1);
    await expect(box.drain()).rejects.toThrow();
    expect(await done(box)).toEqual([]);
    expect(await box.ref.get(id)).toMatchObject({ state: "waiting" });
    moveClock(2_000);
    await box.drain({ isRetry: true, retryCount: 1, scheduledTime: Date.now() - 2_000 });
    expect(attempts.length).toBeGreaterThan(1);
    expect(await done(box)).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
