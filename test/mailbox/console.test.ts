import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, type Mock, vi } from "vitest";
import { moveClock, startClockAfterEach, stopClock, stopClockAhead } from "../support/clock.ts";
import { actor, type Script, type Scripted, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

const failing = (message: string): Script["receive"][string] => ({
  maxAttempts: 2,
  backoff: "1 second",
  handle: () => {
    throw new Error(message);
  },
});

interface Lines {
  readonly warn: () => string[];
  readonly error: () => string[];
  readonly all: () => string[];
}

/** What is written on the console from now on, until the test ends. */
function lines(): Lines {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const textOf = (spy: Mock): string[] => spy.mock.calls.map(([line]) => String(line));
  return {
    warn: () => textOf(warn as Mock),
    error: () => textOf(error as Mock),
    all: () => [...textOf(warn as Mock), ...textOf(error as Mock)],
  };
}

/** What every line begins with. */
function whose(box: Scripted): string {
  return `durable-mailbox: ScriptedActor "${box.name}" ${env.ACTORS.idFromName(box.name).toString()}: `;
}

const heard = { settings: { console: true } };

describe("the console", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  it("gets one line for a failed attempt and one for a dead letter, with all that a person needs", async () => {
    stopClock(Date.UTC(2026, 10, 24, 9));
    const { warn, error } = lines();
    const box = actor({ receive: { note: failing("the reason") }, ...heard });
    const id = await box.ref.send("note", 1);
    await box.drain();
    await until(() => warn().length === 1);
    const [first = ""] = warn();
    expect(first.startsWith(whose(box))).toBe(true);
    expect(first).toMatch(
      new RegExp(
        `: note ${id}, attempt 1 of 2 threw; next 2026-11-24T09:00:01.000Z\\nError: the reason\\n +at `,
      ),
    );
    moveClock(1_000);
    await box.drain();
    await until(() => error().length === 1);
    expect(error()[0]).toContain(
      `${whose(box)}note ${id} is a dead letter (exhausted) after 2 attempts\nError: the reason`,
    );
  });

  it("gets at most twenty lines a wake, and then how many more there were", async () => {
    stopClock();
    const { warn } = lines();
    const box = actor({ receive: { note: failing("each") }, ...heard });
    await box.ref.sendAll(Array.from({ length: 50 }, (_, n) => ({ type: "note", payload: n })));
    await box.drain();
    await until(() => warn().length >= 21);
    expect(warn()).toHaveLength(21);
    expect(warn().at(-1)).toBe(
      `${whose(box)}30 more lines of this wake were left out; settings.onEvent is told of each`,
    );
    moveClock(1_000);
    await box.drain();
    await until(() => warn().length >= 22, "the lines of the next wake");
  });

  it("gets them beside a listener, and none when the settings say so", async () => {
    const { all } = lines();
    const box = actor({ receive: { note: failing("heard") }, ...heard });
    await box.ref.send("note", 1);
    await until(() => box.eventsOf("deadLettered").length === 1 && all().length === 2);
    const silent = actor({ receive: { note: failing("heard") }, settings: { console: false } });
    await silent.ref.send("note", 1);
    await until(() => silent.eventsOf("deadLettered").length === 1);
    expect(all()).toHaveLength(2);
  });

  it("says once a wake that messages are parked, with the type and the handlers there are", async () => {
    stopClockAhead();
    const { warn } = lines();
    const box = actor({ receive: { told: () => {} } });
    const [id] = await box.ref.sendAll([1, 2, 3].map((n) => ({ type: "told", payload: n })));
    box.deploy({ receive: { told2: () => {}, other: () => {} }, ...heard });
    await box.evict();
    await box.drain();
    await until(() => warn().length >= 2);
    expect(warn()).toEqual([
      `${whose(box)}messages of the type "told" are parked, ${id} for one, because receive has no handler for it; it has told2, other`,
      `${whose(box)}2 more lines of this wake were left out; settings.onEvent is told of each`,
    ]);
  });

  const stuck: Readonly<Record<string, [act: (box: Scripted) => unknown, line: RegExp]>> = {
    "an alarm that was lost": [
      async (box) => {
        await box.ref.sendIn("1 hour", "note", 1);
        await box.inside(({ realStorage }) => realStorage.deleteAlarm());
        moveClock(10_000);
        await box.ref.stats();
      },
      /the alarm was lost, and something was to be done .*Z: it is set anew$/,
    ],
    "occurrences that were skipped": [
      async (box) => {
        await box.ref.sendEvery("1 minute", "note", 1);
        moveClock(HOUR);
        await box.drain();
      },
      /: 59 occurrences of every:note: were skipped, planned from .*Z to .*Z$/,
    ],
    "an alarm of the object's own that fails": [
      async (box) => {
        await box.inside(({ state }) => state.storage.setAlarm(Date.now()));
        await box.drain();
      },
      /: the object's own alarm failed; next .*Z\nError: the alarm's/,
    ],
    "dead letters that were deleted": [
      async (box) => {
        await box.ref.send("fails", 1);
        await box.drain();
        moveClock(31 * 24 * HOUR);
        await box.drain();
      },
      /: 1 dead letters past their retention were deleted$/,
    ],
    "a target without a binding": [
      async (box) => {
        await box.inside((self) => void self.other("somebody").send("note", 1));
        await box.inside(({ realStorage: { sql } }) => {
          for (const table of ["outbox", "targets"])
            sql.exec(`UPDATE _mailbox_${table} SET target = replace(target, 'ACTORS', 'GONE')`);
        });
        await box.evict();
        moveClock(HOUR);
        await box.drain();
      },
      /: messages wait for GONE\/somebody, which takes none: no binding of this code leads there$/,
    ],
  };

  it.each(Object.entries(stuck))("says what a person would want to know of: %s", async (_, [act, line]) => {
    stopClockAhead();
    const { all } = lines();
    const box = actor({
      receive: {
        note: () => {},
        fails: {
          maxAttempts: 1,
          handle: () => {
            throw new Error("no");
          },
        },
      },
      alarm: () => {
        throw new Error("the alarm's");
      },
      ...heard,
    });
    await act(box);
    await until(() => all().some((each) => line.test(each)), String(line));
    expect(all().filter((each) => line.test(each))).toHaveLength(1);
  });
});
