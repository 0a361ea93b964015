import { describe, expect, it } from "vitest";
import { moveClock, startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";
import { newId } from "../../mailbox/message/id.ts";
import { formatAccept, parseReply } from "../../mailbox/message/wire.ts";
import { VOID_PAYLOAD } from "../../mailbox/payload/codec.ts";

const HOUR = 3_600_000;

describe("G3 Never early", () => {
  startClockAfterEach();

  it("delivers at the due millisecond, not one before", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { note: (payload) => void seen.push(payload) } });
    await box.ref.sendIn("1 hour", "note", "in");
    await box.ref.sendLater(new Date(Date.now() + HOUR), "note", "later");
    moveClock(HOUR - 1);
    await box.drain();
    expect(seen).toEqual([]);
    moveClock(1);
    await box.drain();
    expect(seen).toEqual(["in", "later"]);
  });

  it("rounds fractions of a millisecond up", async () => {
    const now = stopClock();
    const box = actor({ receive: { note: () => {} } });
    const due = async (id: string): Promise<number> => ((await box.ref.get(id))?.dueAt ?? 0) - now;
    await box.ref.pause();
    expect(await due(await box.ref.sendIn(0.5, "note", 1))).toBe(1);
    expect(await due(await box.ref.sendIn(1_000.01, "note", 1))).toBe(1_001);
    expect(await due(await box.ref.sendIn("0.0005 seconds", "note", 1))).toBe(1);
    expect(await due(await box.ref.sendLater(now + 1.5, "note", 1))).toBe(2);
  });

  it("holds for redeliveries, defers and reschedules", async () => {
    stopClock();
    const seen: string[] = [];
    const box = actor({
      receive: {
        failing: {
          backoff: "1 minute",
          maxAttempts: 2,
          handle: () => {
            seen.push("failing");
            throw new Error("no");
          },
        },
        deferring: (_, delivery) => {
          seen.push("deferring");
          if (seen.length < 3) delivery.defer("1 minute");
        },
        note: () => void seen.push("note"),
      },
    });
    await box.ref.sendAll([
      { type: "failing", payload: 1 },
      { type: "deferring", payload: 1 },
    ]);
    const id = await box.ref.send("note", 1);
    await box.ref.reschedule(id, Date.now() + 60_000);
    await box.drain();
    moveClock(59_999);
    await box.drain();
    expect(seen).toEqual(["failing", "deferring"]);
    moveClock(1);
    await box.drain();
    expect(seen.toSorted()).toEqual(["deferring", "deferring", "failing", "failing", "note"]);
  });

  it("is true of real alarms", async () => {
    const early: number[] = [];
    let delivered = 0;
    const box = actor({
      receive: {
        note: (dueAt) => {
          delivered += 1;
          if (Date.now() < (dueAt as number)) early.push(Date.now() - (dueAt as number));
        },
      },
    });
    const now = Date.now();
    await box.ref.sendAll(
      Array.from({ length: 60 }, (_, n) => ({ type: "note", payload: now + n * 13, at: now + n * 13 })),
    );
    await until(() => delivered === 60);
    expect(early).toEqual([]);
  });

  it("goes by the receiver's clock for a message of a time, and delays nobody for a sender whose clock is ahead", async () => {
    const now = stopClock();
    const seen: string[] = [];
    const box = actor({
      receive: { now: () => void seen.push("now"), later: () => void seen.push("later") },
    });
    // What a sender whose clock is two minutes ahead says over RPC.
    const ahead = now + 120_000;
    const message = (type: string, immediate: boolean): Parameters<typeof formatAccept>[0][number] => ({
      id: newId(ahead, ahead),
      due: ahead,
      type,
      payload: VOID_PAYLOAD,
      immediate,
    });
    const reply = parseReply(
      await box.stub().mailboxCall(formatAccept([message("now", true), message("later", false)])),
    );
    const ids = reply.kind === "value" ? (reply.value as string[]) : [];
    await box.drain();
    expect(seen).toEqual(["now"]);
    expect(await box.ref.get(ids[1] ?? "")).toMatchObject({ dueAt: ahead });
    moveClock(120_000);
    await box.drain();
    expect(seen).toEqual(["now", "later"]);
  });

  it("takes up a message of a slow sender at once, in its place", async () => {
    const now = stopClock();
    const seen: string[] = [];
    const box = actor({ receive: { note: () => void seen.push("note") } });
    const behind = now - 120_000;
    await box
      .stub()
      .mailboxCall(
        formatAccept([
          { id: newId(behind, behind), due: behind, type: "note", payload: VOID_PAYLOAD, immediate: true },
        ]),
      );
    await box.drain();
    expect(seen).toEqual(["note"]);
  });
});
