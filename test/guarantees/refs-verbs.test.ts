// The verbs of a ref whose answer is lost: what a repeat may answer, and what is never done twice.

import { env } from "cloudflare:workers";
import { describe, expect, it, beforeEach } from "vitest";
import { NoMailboxError, ref, type Ref, UnreachableError } from "../../actors/index.ts";
import type { AnyNamespace } from "../../mailbox/outbox/address.ts";
import { startClockAfterEach, stopClockAhead } from "../support/clock.ts";
import { actor, type AnyMessages, type Scripted, until } from "../support/scripted.ts";

/** A ref that loses one answer, after the actor has done what it was asked to. */
function losing(box: Scripted, meanwhile: () => unknown = () => {}): Ref<AnyMessages> {
  let calls = 0;
  const namespace = {
    idFromName: (name: string) => name,
    get: () => ({
      mailboxCall: async (call: string) => {
        const answer = await box.stub().mailboxCall(call);
        if ((calls += 1) > 1) return answer;
        await meanwhile();
        throw Object.assign(new Error("Network connection lost."), { retryable: true });
      },
    }),
  } as unknown as AnyNamespace;
  return ref<AnyMessages>(namespace, box.name);
}

/** An actor with one message that waits, under a key, and so many that are dead. */
async function laden(dead = 0): Promise<{ box: Scripted; id: string; letters: string[] }> {
  const box = actor({
    receive: {
      note: () => {},
      dies: () => {
        throw new Error("it dies");
      },
    },
    policy: { maxAttempts: 1 },
  });
  const letters: string[] = [];
  for (let n = 0; n < dead; n += 1) letters.push(await box.ref.send("dies", n));
  await box.drain();
  const id = await box.ref.sendIn("1 hour", "note", "waits", { key: "k" });
  return { box, id, letters };
}

const key = { type: "note", key: "k" } as const;

describe("a verb whose answer was lost", () => {
  startClockAfterEach();
  beforeEach(() => void stopClockAhead());

  it("is answered as it was, by the instance that has done it", async () => {
    const at = Date.now() + 7_200_000;
    expect(await losing((await laden()).box).cancel(key)).toBe(true);
    const { box, id, letters } = await laden(5);
    expect(await losing(box).reschedule(key, at)).toBe(true);
    expect(await losing(box).redrive(letters[0] ?? "")).toBe(true);
    expect(await losing(box).purge(letters[1] ?? "")).toBe(true);
    expect(await losing(box).redriveAll({ ids: letters.slice(2, 3) })).toBe(1);
    expect(await losing(box).purgeAll()).toBe(2);
    expect(await losing(box).cancel(id)).toBe(true);
    expect(await losing(box).cancel(id)).toBe(false);
    await expect(losing(box).redriveAll({ reason: "bored" as never })).rejects.toThrow("reason is unknown");
  });

  it("cancels no second message that came under the key meanwhile", async () => {
    const { box } = await laden();
    const other: string[] = [];
    const to = losing(box, async () =>
      other.push(await box.ref.sendIn("1 hour", "note", "another", { key: "k" })),
    );
    expect(await to.cancel(key)).toBe(true);
    expect((await box.ref.pending()).items.map(({ id }) => id)).toEqual(other);
  });

  it("redrives no letter again that died again meanwhile", async () => {
    const { box } = await laden(2);
    const to = losing(box, () => box.drain());
    expect(await to.redriveAll()).toBe(2);
    expect((await box.ref.stats()).deadLetters).toBe(2);
    for (const { attempts } of (await box.ref.deadLetters()).items) expect(attempts).toBe(2);
  });

  describe("of an instance that is no more", () => {
    it("is run again by the id of a message or letter: true is true, and anything else is not known", async () => {
      const { box, id, letters } = await laden(2);
      const evict = (): Promise<void> => box.evict();
      // It moves what is there, as often as it is asked.
      expect(await losing(box, evict).reschedule(id, Date.now() + 7_200_000)).toBe(true);
      for (const verb of [
        (to: Ref<AnyMessages>) => to.cancel(id),
        (to: Ref<AnyMessages>) => to.redrive(letters[0] ?? ""),
        (to: Ref<AnyMessages>) => to.purge(letters[1] ?? ""),
        (to: Ref<AnyMessages>) => to.reschedule("nothing", Date.now()),
      ]) {
        const refusal: unknown = await verb(losing(box, evict)).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(UnreachableError);
        expect(String(refusal)).toContain("may have taken effect");
      }
      expect(await box.ref.get(id)).toBeUndefined();
      expect((await box.ref.deadLetters()).items).toEqual([]);
    });

    it("is never run again by a key, of a recurrence, or of many", async () => {
      const { box } = await laden(2);
      const every = await box.ref.sendEvery("1 hour", "note", 1);
      const again = async (): Promise<void> => {
        await box.evict();
        await box.ref.sendIn("1 hour", "note", "another", { key: "k" });
        await box.ref.sendEvery("1 hour", "note", 1);
      };
      for (const verb of [
        (to: Ref<AnyMessages>) => to.cancel(key),
        (to: Ref<AnyMessages>) => to.cancel(every),
        (to: Ref<AnyMessages>) => to.reschedule(key, Date.now()),
        (to: Ref<AnyMessages>) => to.purgeAll(),
        (to: Ref<AnyMessages>) => to.redriveAll(),
      ]) {
        await expect(verb(losing(box, again))).rejects.toThrow("may have taken effect");
      }
      expect((await box.ref.recurrences()).items).toHaveLength(1);
      expect(await box.ref.get(key)).toMatchObject({ payload: "another" });
    });

    it("is simply run again when it only looks, or pauses and resumes", async () => {
      const { box, id } = await laden(1);
      const evict = (): Promise<void> => box.evict();
      expect(await losing(box, evict).get(id)).toMatchObject({ payload: "waits" });
      expect((await losing(box, evict).deadLetters()).items).toHaveLength(1);
      await losing(box, evict).pause();
      expect(await losing(box, evict).stats()).toMatchObject({ paused: true });
      await losing(box, evict).resume();
      expect(await box.ref.stats()).toMatchObject({ paused: false });
    });
  });

  it("is remembered for no more than 1,000 calls", async () => {
    const { box, id } = await laden();
    const to = losing(box, async () => {
      for (let n = 0; n < 1_000; n += 1) await box.ref.cancel("nothing");
    });
    await expect(to.cancel(id)).rejects.toThrow("may have taken effect");
    expect(await box.ref.get(id)).toBeUndefined();
  });
});

describe("a class that has no mailbox", () => {
  it("is said to have none, at once and in words", async () => {
    const to = ref<AnyMessages>(env.PLAIN as unknown as AnyNamespace, "plain");
    for (const call of [to.send("note", 1), to.stats(), to.cancel("x")]) {
      const refusal: unknown = await call.catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(NoMailboxError);
      expect(refusal).toMatchObject({
        code: "no_mailbox",
        message: expect.stringContaining("extend Actor") as string,
      });
    }
  });

  it("is waited for by an outbox, because a deploy may make an actor of it", async () => {
    const from = actor({ receive: {} });
    await from.inside(
      (self) => void self.ref<AnyMessages>(env.PLAIN as unknown as AnyNamespace, "plain").send("note", 1),
    );
    const failed = await until(() => from.eventsOf("outboxFailed")[0]);
    expect(failed.error.name).toBe("NoMailboxError");
    expect(await from.inside((self) => self.mailbox.stats())).toMatchObject({ outbox: 1, deadLetters: 0 });
    await from.inside((self) => self.mailbox.destroy());
  });

  it("is another thing than a constructor that throws, which is the cause", async () => {
    const to = ref<AnyMessages>(env.UNMAKEABLE as unknown as AnyNamespace, "x");
    const refusal: unknown = await to.send("note", 1).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UnreachableError);
    expect(refusal).toMatchObject({
      cause: { message: expect.stringContaining("the constructor's own") as string },
    });
  });
});
