// Rows of the outbox whose `options` or `target` something else than the mailbox has written.

import { describe, expect, it } from "vitest";
import { UnreadableRowError } from "../../actors/index.ts";
import { batchOf, quiet } from "../support/batches.ts";
import { type Bad, damage, stored } from "../support/damage.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const BAD: readonly Bad[] = [
  ["no JSON", "garbage"],
  ["nothing", ""],
  ["null", "null"],
  ["a list", "[]"],
  ["a text", '"x"'],
  ["a key that is a number", '{"key":5}'],
  ["options that are null", '{"options":null}'],
  ["options with a policy that is a number", '{"options":{"policy":5}}'],
  ["a declaration that is a text", '{"declaration":"daily"}'],
  ["a history that is a list", '{"history":[]}'],
  ["a number of earlier attempts that is a text", '{"earlierAttempts":"x"}'],
];

interface Pair {
  readonly to: Scripted;
  readonly from: Scripted;
  readonly seen: unknown[];
  readonly ids: readonly string[];
  /** Lets batches through to the target, from now on. */
  readonly open: () => void;
}

/** An actor with three messages in its outbox, 1, 2 and 3, whose target cannot be reached yet. */
async function pair(): Promise<Pair> {
  const seen: unknown[] = [];
  let isOpen = false;
  const to = actor({
    receive: { note: (payload) => void seen.push(payload) },
    onCall: (call, next) => (isOpen || batchOf(call) === undefined ? next() : new Promise(() => {})),
  });
  const from = actor({ receive: {} });
  const ids = await from.inside((self) =>
    self
      .other(to.name)
      .sendAll([1, 2, 3].map((payload) => ({ type: "note", payload, ...(payload === 3 && { key: "k" }) }))),
  );
  const open = (): void => {
    isOpen = true;
  };
  return { to, from, seen, ids, open };
}

/** Has what waits sent now, and not at the end of a backoff. */
async function hurry({ from, to, open }: Pair): Promise<void> {
  open();
  await from.kill();
  await damage(from, "UPDATE _mailbox_targets SET next_try = 0");
  await from.evict();
  await from.drain();
  await quiet(from);
  await quiet(to);
}

const setOptions = (box: Scripted, text: string, n: number): Promise<void> =>
  damage(box, "UPDATE _mailbox_outbox SET options = ? WHERE n = ?", text, n);

describe("a message in the outbox whose options cannot be read", () => {
  it.each(BAD)("is its sender's dead letter, and all others arrive: %s", async (_, text) => {
    const two = await pair();
    const { from, seen, ids } = two;
    const id = ids[1] ?? "";
    await setOptions(from, text, 2);
    expect((await from.ref.outbox()).items.map((item) => item.id)).toEqual(ids);
    await hurry(two);
    expect(seen).toEqual([1, 3]);
    expect(await from.ref.deadLetter(id)).toMatchObject({
      reason: "unreadable",
      payload: 2,
      target: expect.stringContaining(two.to.name),
      errors: [
        {
          outcome: "unreadable",
          name: "UnreadableRowError",
          message: expect.stringContaining("The column options of its row in the outbox cannot be read"),
        },
      ],
    });
    await expect(from.ref.redrive(id)).rejects.toBeInstanceOf(UnreadableRowError);
    expect(await from.ref.redriveAll()).toBe(0);
    await damage(from, "UPDATE _mailbox_dead_letters SET options = NULL");
    expect(await from.ref.redrive(id)).toBe(true);
    await until(() => seen.length === 3);
    expect(seen).toEqual([1, 3, 2]);
  });

  it.each([1, 2, 3])("is no dead letter when its target has it already, whichever it is: number %i", async (n) => {
    const seen: unknown[] = [];
    let batches = 0;
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      onCall: async (call, next) => {
        const answer = await next();
        // The answer to the first is lost.
        if (batchOf(call) !== undefined && (batches += 1) === 1) throw new Error("lost");
        return answer;
      },
    });
    const from = actor({ receive: {} });
    await from.inside((self) => {
      self.other(to.name).sendAll([1, 2, 3].map((payload) => ({ type: "note", payload })));
    });
    await until(async () => (await from.ref.outbox()).items.at(0)?.error);
    await setOptions(from, "garbage", n);
    await hurry({ from, to, seen, ids: [], open: () => {} });
    expect(batches).toBeGreaterThan(1);
    expect(seen).toEqual([1, 2, 3]);
    expect(await from.ref.stats()).toMatchObject({ deadLetters: 0, outbox: 0 });
    expect(from.eventsOf("outboxForked")).toEqual([]);
    await from.inside((self) => void self.other(to.name).send("note", 4));
    await until(() => seen.length === 4);
  }); // prettier-ignore

  it("is its sender's dead letter too when its target does not answer in time", async () => {
    const two = await pair();
    const { from, ids } = two;
    await until(async () => Number(await stored(from, "SELECT COUNT(*) FROM _mailbox_targets")) === 1);
    await setOptions(from, "garbage", 2);
    await from.kill();
    await damage(from, "UPDATE _mailbox_targets SET next_try = 0, first_try = 1");
    await from.evict();
    await from.drain();
    await until(async () => (await from.ref.stats()).deadLetters === 3);
    expect(await from.ref.deadLetter(ids[0] ?? "")).toMatchObject({ reason: "undeliverable" });
    expect(await from.ref.deadLetter(ids[1] ?? "")).toMatchObject({ reason: "unreadable" });
    expect((await from.ref.stats()).outbox).toBe(0);
  });

  it("hides no other from the verbs that look for a key", async () => {
    const to = actor({ receive: { note: () => {} } });
    const from = actor({ receive: {} });
    await from.inside(async (self) => {
      const other = self.other(to.name);
      const [first = "", second = "", third = ""] = other.sendAll(
        ["a", "b", "c"].map((key) => ({ type: "note", payload: key, key, in: "1 hour" })),
      );
      self.realStorage.sql.exec("UPDATE _mailbox_outbox SET options = 'garbage' WHERE id = ?", first);
      expect(await other.get({ type: "note", key: "b" })).toMatchObject({ id: second });
      expect(await other.cancel({ type: "note", key: "b" })).toBe(true);
      expect(await other.reschedule({ type: "note", key: "c" }, Date.now() + 1_000)).toBe(true);
      expect(await other.get(third)).toMatchObject({ key: "c" });
      expect(await other.get(first)).toMatchObject({ payload: "a" });
      // It keeps its text, to be seen when it dies.
      expect(await other.reschedule(first, Date.now() + 1_000)).toBe(true);
      expect(
        self.realStorage.sql.exec("SELECT options FROM _mailbox_outbox WHERE id = ?", first).one(),
      ).toEqual({ options: "garbage" });
      expect(await other.cancel(first)).toBe(true);
    });
  });
});

describe("a row in the outbox whose target cannot be read", () => {
  it.each<Bad>([
    ["no JSON", "garbage"],
    ["null", "null"],
    ["an object", "{}"],
    ["a list of numbers", "[1,2,3]"],
    ["an empty list", "[]"],
  ])("waits, says so, and holds up no other: %s", async (_, text) => {
    const seen: unknown[] = [];
    const to = actor({ receive: { note: (payload) => void seen.push(payload) } });
    const from = actor({ receive: {} });
    const ids = await from.inside((self) => {
      const sent = self.other(to.name).sendAll([1, 2, 3].map((payload) => ({ type: "note", payload })));
      self.realStorage.sql.exec("UPDATE _mailbox_outbox SET target = ? WHERE n = 2", text);
      return self.realStorage.sync().then(() => sent);
    });
    await from.kill();
    await from.drain();
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 3]);
    await until(() => from.eventsOf("outboxUnbound").length > 0);
    const { items } = await from.ref.outbox();
    expect(items).toMatchObject([{ id: ids[1], target: text, error: expect.stringContaining("no binding") }]);
    expect(from.eventsOf("outboxUnbound")).toMatchObject([{ target: text }]);
    // Not tried over and over.
    expect(items[0]?.nextTryAt).toBeGreaterThan(Date.now() + 60_000);
  });
});
