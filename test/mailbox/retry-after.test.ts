import { describe, expect, it } from "vitest";
import {
  InvalidDurationError,
  InvalidMomentError,
  InvalidOptionError,
  RetryAfterError,
} from "../../actors/index.ts";
import { retryAtOf } from "../../mailbox/host/retry-after.ts";
import { startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor } from "../support/scripted.ts";

const DAY = 86_400_000;
const MONDAY = Date.UTC(2026, 10, 30, 9);

/** How long after the present a thrown value asks to be attempted again. */
function waitOf(thrown: unknown): number | undefined {
  const at = retryAtOf(thrown, Date.now());
  return at === undefined ? undefined : at - Date.now();
}

function answer(retryAfter: string | null, status = 429, statusText = "Too Many Requests"): Response {
  return new Response(null, {
    status,
    statusText,
    headers: retryAfter === null ? {} : { "Retry-After": retryAfter },
  });
}

describe("RetryAfterError", () => {
  startClockAfterEach();

  it("names a wait by a duration, rounded up, or by a Date", () => {
    const now = stopClock();
    expect(waitOf(new RetryAfterError("2 hours"))).toBe(7_200_000);
    expect(waitOf(new RetryAfterError(1500.2))).toBe(1501);
    expect(waitOf(new RetryAfterError(0))).toBe(0);
    expect(waitOf(new RetryAfterError("30 days"))).toBe(30 * DAY);
    expect(waitOf(new RetryAfterError(new Date(now + 5000)))).toBe(5000);
    expect(waitOf(new RetryAfterError(new Date(now - 5000)))).toBe(-5000);
  });

  it("refuses a wait over 30 days, and what is none", () => {
    const now = stopClock();
    expect(() => new RetryAfterError(30 * DAY + 1)).toThrow(InvalidDurationError);
    expect(() => new RetryAfterError("31 days")).toThrow("RetryAfterError: 31 d is over 30 days");
    expect(() => new RetryAfterError(new Date(now + 30 * DAY + 1))).toThrow(InvalidMomentError);
    expect(() => new RetryAfterError(now + 5000)).toThrow("looks like a moment; pass a Date");
    expect(() => new RetryAfterError("5")).toThrow(InvalidDurationError);
    expect(() => new RetryAfterError(undefined as never)).toThrow(InvalidDurationError);
    expect(() => new RetryAfterError(-1)).toThrow(InvalidDurationError);
    expect(() => new RetryAfterError("1 s", { reason: "busy" } as never)).toThrow(InvalidOptionError);
  });

  it("tells in its message how long, and why", () => {
    stopClock();
    const cause = new Error("the quota is used up");
    const error = new RetryAfterError("2 hours", { cause });
    expect(error).toMatchObject({
      name: "RetryAfterError",
      message: "Retry after 2 h: the quota is used up",
      cause,
    });
    expect(new RetryAfterError(new Date(MONDAY)).message).toBe("Retry at 2026-11-30T09:00:00.000Z");
    expect(new RetryAfterError("1 s", { cause: "busy" }).message).toBe("Retry after 1 s: busy");
    expect(new RetryAfterError("1 s", { cause: Object.create(null) }).message).toBe(
      "Retry after 1 s: an object",
    );
    expect(new RetryAfterError("1 s").cause).toBeUndefined();
    expect(RetryAfterError.of(answer("30"), { cause }).message).toBe(
      "429 Too Many Requests; retry after 30 s: the quota is used up",
    );
    expect(RetryAfterError.of(answer(null, 503, "")).message).toBe("503");
  });

  const headers: readonly [header: string, ms: number | undefined][] = [
    ["1", 1000],
    [" 120 ", 120_000],
    ["1.5", 1500],
    ["0", 0],
    ["99999999999999999999", 30 * DAY],
    ["-5", undefined],
    ["soon", undefined],
    ["", undefined],
    ["30 s", undefined],
    ["2030", 2_030_000],
    ["1 Jan 2030 00:00:00 GMT", undefined],
    ["Thu, 01 Jan 1970 00:00:00 GMT", -MONDAY],
    ["Thursday, 01-Jan-70 00:00:00 GMT", -MONDAY],
    ["Thu Jan  1 00:00:00 1970", -MONDAY],
    ["Fri, 31 Dec 9999 23:59:59 GMT", 30 * DAY],
    ["Wed, nonsense", undefined],
  ];
  it.each(headers)("reads the header of a response: %j", (header, ms) => {
    stopClock(MONDAY);
    expect(waitOf(RetryAfterError.of(answer(header)))).toBe(ms);
  });

  it("reads a date in the header as the moment that it is", () => {
    const now = stopClock();
    const at = Math.floor(now / 1000) * 1000 + 90_000;
    const error = RetryAfterError.of(answer(new Date(at).toUTCString()));
    expect(retryAtOf(error, now)).toBe(at);
    expect(retryAtOf(error, now + 60_000)).toBe(at);
  });

  it("names no wait for a response without the header", () => {
    expect(waitOf(RetryAfterError.of(answer(null)))).toBeUndefined();
  });

  it.each([undefined, null, "429", {}])("refuses what is no response: %o", (none) => {
    expect(() => RetryAfterError.of(none as never)).toThrow(InvalidOptionError);
  });

  const others: readonly unknown[] = [
    Object.assign(new Error("busy"), { retryAfter: 1500 }),
    Object.assign(new Error("busy"), { retryAfterMs: 1500, name: "RetryAfterError" }),
    { retryAfter: 0 },
    new Error("plain"),
    "text",
    null,
    undefined,
  ];
  it.each(others)("is the only way to name one: %o", (error) => expect(waitOf(error)).toBeUndefined());

  it("is looked for without a throw, whatever was thrown", () => {
    const trap = (): never => {
      throw new Error("no");
    };
    expect(waitOf(new Proxy({}, { has: trap, get: trap, getPrototypeOf: trap }))).toBeUndefined();
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(waitOf(proxy)).toBeUndefined();
  });
});

describe("a handler that throws", () => {
  startClockAfterEach();

  it("RetryAfterError is attempted again at the moment that it named, whatever the backoff", async () => {
    const now = stopClock();
    const thrown: readonly (() => unknown)[] = [
      () => new RetryAfterError("90 seconds"),
      () => new RetryAfterError(new Date(now + 5_000)),
      () => new RetryAfterError(0),
      () => new RetryAfterError(new Date(now - 5_000)),
      () => RetryAfterError.of(answer("20")),
      // Without a header, and by what somebody else's error says, the policy's backoff holds.
      () => RetryAfterError.of(answer(null)),
      () => Object.assign(new Error("busy"), { retryAfter: 30 }),
    ];
    const box = actor({
      receive: {
        failing: {
          backoff: "7 seconds",
          handle: (n) => {
            throw thrown[n as number]?.();
          },
        },
      },
    });
    const ids = await box.ref.sendAll(thrown.map((_, n) => ({ type: "failing", payload: n })));
    await box.drain();
    const due = await Promise.all(ids.map(async (id) => ((await box.ref.get(id))?.dueAt ?? 0) - now));
    expect(due).toEqual([90_000, 5_000, 1, 1, 20_000, 7_000, 7_000]);
  });

  it("it for a promise counts an attempt as any failure does, and the letter says why", async () => {
    const now = stopClock();
    const box = actor({
      receive: {
        failing: {
          maxAttempts: 2,
          handle: async () => {
            await Promise.resolve();
            throw RetryAfterError.of(answer("20"), { cause: new Error("slow down") });
          },
        },
      },
    });
    const id = await box.ref.send("failing", 1);
    await box.drain();
    expect(await box.ref.get(id)).toMatchObject({ attempts: 1, dueAt: now + 20_000 });
    await box.ref.reschedule(id, now);
    await box.drain();
    expect(await box.ref.deadLetter(id)).toMatchObject({
      reason: "exhausted",
      attempts: 2,
      errors: [
        {},
        { name: "RetryAfterError", message: "429 Too Many Requests; retry after 20 s: slow down" },
      ],
    });
  });
});
