// A batch that was sent and not answered is in doubt: its receiver may have it or not. Until it is
// answered nothing of it is changed, nothing is forgotten, and nothing more is known of it.

import { describe, expect, it } from "vitest";
import { batchOf, quiet } from "../support/batches.ts";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, type Scripted, until } from "../support/scripted.ts";

const HOUR = 3_600_000;

/** An actor that notes payloads, and what comes of each batch that is sent to it, by its number. */
function listener(seen: unknown[], answer: (batch: number, next: () => Promise<string>) => Promise<string>) {
  let batches = 0;
  const box: Scripted = actor({
    receive: { note: (payload) => void seen.push(payload) },
    onCall: (call, next) => {
      if (batchOf(call) === undefined) return next();
      batches += 1;
      return answer(batches, next);
    },
  });
  return { box, batches: () => batches };
}

const lost = (): Promise<never> => Promise.reject(new Error("the reply is lost"));

describe("G8 a batch in doubt", () => {
  startClockAfterEach();

  it("is not cancelled by what says so: its last message is delivered or cancelled, never both", async () => {
    const seen: unknown[] = [];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const to = listener(seen, async (_, next) => {
      await held;
      return next();
    });
    const from = actor({ receive: {} });
    const [, last = ""] = await from.inside((self) =>
      [1, 2].map((n) => self.other(to.box.name).send("note", n)),
    );
    await until(() => to.batches() === 1);
    // Whether it can say so at all is another matter.
    const cancelled = from
      .inside((self) => self.other(to.box.name).cancel(last))
      .catch(() => !seen.includes(2));
    await scheduler.wait(50);
    release();
    const wasCancelled = await cancelled;
    await quiet(from);
    await quiet(to.box);
    expect(seen).toEqual(wasCancelled ? [1] : [1, 2]);
  });

  it("is left alone for as long as its call may take, also by the wake that did not wait for it", async () => {
    const seen: unknown[] = [];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const to = listener(seen, async (_, next) => {
      await held;
      return next();
    });
    const from = actor({ receive: {} });
    const started = Date.now();
    await from.inside((self) => {
      self.other(to.box.name).send("note", 1);
    });
    await until(async () => {
      const [row] = (await from.ref.outbox()).items;
      return (row?.nextTryAt ?? 0) >= started + 15_000;
    }, "the end of the wake");
    release();
    await quiet(from);
    await quiet(to.box);
    expect(seen).toEqual([1]);
    expect(to.batches()).toBe(1);
  });

  it("is remembered by its receiver for longer than its sender repeats it", async () => {
    stopClock();
    const seen: unknown[] = [];
    const to = listener(seen, async (batch, next) => {
      const answer = await next();
      return batch === 1 ? lost() : answer;
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: "2 hours" } } });
    await from.inside((self) => {
      self.other(to.box.name).send("note", "once");
    });
    await until(() => from.eventsOf("outboxFailed").length === 1);
    await quietly(to.box);
    moveClock(2 * HOUR - 1);
    // A new instance forgets at its first wake what it may.
    await to.box.evict();
    await to.box.drain();
    await from.drain();
    expect(to.batches()).toBe(2);
    await to.box.drain();
    expect(seen).toEqual(["once"]);
    expect((await from.ref.stats()).outbox).toBe(0);
  });

  it("is taken once by a receiver that had it, when it was given up and its letter is redriven", async () => {
    const seen: unknown[] = [];
    let isHeard = false;
    const to = listener(seen, async (_, next) => {
      const answer = await next();
      return isHeard ? answer : lost();
    });
    const from = actor({ receive: {}, settings: { outbox: { maxAge: 300 } } });
    const id = await from.inside((self) => self.other(to.box.name).sendIn("1 hour", "note", "once"));
    await until(async () => (await from.ref.stats()).deadLetters === 1, "its letter");
    isHeard = true;
    const due = Date.now() + HOUR;
    await from.inside(({ mailbox }) => mailbox.redrive(id, { at: due }));
    await from.inside((self) => {
      self.other(to.box.name).sendIn("1 hour", "note", "behind it");
    });
    await quiet(from);
    const { items } = await to.box.ref.pending();
    expect(items.map(({ payload }) => payload)).toEqual(["once", "behind it"]);
  });

  it("does not expire when it is redriven long after", async () => {
    stopClock();
    const seen: unknown[] = [];
    const to = listener(seen, (batch, next) => (batch === 1 ? lost() : next()));
    const from = actor({ receive: {}, settings: { outbox: { maxAge: "10 minutes" } } });
    const id = await from.inside((self) =>
      self.other(to.box.name).send("note", "late", { expires: "1 hour" }),
    );
    await until(() => from.eventsOf("outboxFailed").length === 1);
    moveClock(2 * HOUR);
    await from.drain();
    expect(await from.ref.deadLetter(id)).toMatchObject({ reason: "undeliverable" });
    expect(await from.ref.redrive(id)).toBe(true);
    await from.drain();
    await to.box.drain();
    expect(seen).toEqual(["late"]);
  });
});

describe("G8 a message that is refused", () => {
  it("is its sender's to keep also when nothing is behind it, and holds up nobody", async () => {
    const seen: unknown[] = [];
    const to = actor({
      receive: { note: (payload) => void seen.push(payload) },
      settings: { maxPayloadBytes: 100 },
    });
    const from = actor({ receive: {} });
    const id = await from.inside((self) => {
      self.other(to.name).send("note", "before");
      return self.other(to.name).send("note", "x".repeat(200));
    });
    await quiet(from);
    expect(await from.ref.deadLetter(id)).toMatchObject({ reason: "undeliverable" });
    await from.inside((self) => {
      self.other(to.name).send("note", "after");
    });
    await quiet(from);
    await quiet(to);
    expect(seen).toEqual(["before", "after"]);
  });
});

describe("G8 who is replied to", () => {
  it("is who has sent the message, whatever name it gives itself", async () => {
    const answers: unknown[] = [];
    const listening = (name: string): Scripted =>
      actor({ receive: { answer: (payload) => void answers.push([name, payload]) } });
    const from = listening("the sender");
    const other = listening("somebody else");
    let call = "";
    const to = actor({
      receive: { ask: (_, delivery) => delivery.reply("answer", "for the sender") },
      onCall: (text, next) => {
        if (batchOf(text) === undefined || call !== "") return next();
        call = text;
        return lost();
      },
    });
    await from.inside((self) => {
      self.other(to.name).sendIn("1 hour", "ask", undefined);
      self.other(to.name).send("ask", undefined);
    });
    await until(() => call !== "");
    await to.stub().mailboxCall(call.replaceAll(from.name, other.name));
    await until(() => answers.length > 0);
    expect(answers).toEqual([["the sender", "for the sender"]]);
  });
});

async function quietly(box: Scripted): Promise<void> {
  await until(async () => (await box.ref.stats()).pending === 0);
}
