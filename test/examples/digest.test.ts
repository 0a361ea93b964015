// examples/digest: a recurring message by the clocks of a time zone.

import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { InvalidRecurrenceError, ref } from "../../actors/index.ts";
import { releaseClock, setClock, wake } from "../support/by-hand.ts";

const AT_NINE = { cron: "0 9 * * *", timeZone: "Europe/Berlin" };
// Berlin puts its clocks forward on Sunday, 2030-03-31.
const FRIDAY_NOON = Date.parse("2030-03-29T12:00:00Z");
const SATURDAY_AT_NINE = Date.parse("2030-03-30T08:00:00Z");
const SUNDAY_AT_NINE = Date.parse("2030-03-31T07:00:00Z");

afterEach(releaseClock);

/** A digest on a Friday at noon, and its recurrence, if one was declared. */
function setup() {
  setClock(FRIDAY_NOON);
  const name = crypto.randomUUID();
  const digest = ref(env.DIGESTS, name);
  const stub = env.DIGESTS.getByName(name);
  return { digest, stub, recurrence: async () => (await digest.recurrences()).items[0] };
}

describe("a digest", () => {
  it("is compiled at nine by the clocks of Berlin, in winter time and in summer time", async () => {
    const { digest, stub, recurrence } = setup();
    await digest.sendEvery(AT_NINE, "compile");
    expect((await recurrence())?.nextAt).toBe(SATURDAY_AT_NINE);
    await digest.send("noted", { text: "one" });
    await digest.send("noted", { text: "two" });
    await wake(stub);
    setClock(SATURDAY_AT_NINE - 1);
    await wake(stub);
    expect(await stub.digests()).toEqual([]);

    setClock(SATURDAY_AT_NINE);
    await wake(stub);
    expect(await stub.digests()).toEqual([{ plannedAt: SATURDAY_AT_NINE, text: "one\ntwo" }]);
    expect((await recurrence())?.nextAt).toBe(SUNDAY_AT_NINE);

    await digest.send("noted", { text: "three" });
    setClock(SUNDAY_AT_NINE);
    await wake(stub);
    expect((await stub.digests()).at(-1)).toEqual({ plannedAt: SUNDAY_AT_NINE, text: "three" });
    expect(await recurrence()).toMatchObject({ delivered: 2, lastAt: SUNDAY_AT_NINE });
  });

  it("is compiled once, from all notes, after days in which nothing ran", async () => {
    const { digest, stub, recurrence } = setup();
    await digest.sendEvery(AT_NINE, "compile");
    await digest.send("noted", { text: "one" });
    setClock(SUNDAY_AT_NINE + 60_000);
    await wake(stub);
    expect(await stub.digests()).toEqual([{ plannedAt: SUNDAY_AT_NINE, text: "one" }]);
    expect(await recurrence()).toMatchObject({ delivered: 1, skipped: 1 });
  });

  it("is not made of nothing", async () => {
    const { digest, stub, recurrence } = setup();
    await digest.sendEvery(AT_NINE, "compile");
    setClock(SATURDAY_AT_NINE);
    await wake(stub);
    expect(await stub.digests()).toEqual([]);
    expect((await recurrence())?.delivered).toBe(1);
  });

  it("follows its reader to another time zone, and stays when nothing changed", async () => {
    const { digest, recurrence } = setup();
    const id = await digest.sendEvery(AT_NINE, "compile");
    const before = await recurrence();
    expect(await digest.sendEvery(AT_NINE, "compile")).toBe(id);
    expect(await recurrence()).toEqual(before);
    await digest.sendEvery({ ...AT_NINE, timeZone: "America/New_York" }, "compile");
    expect((await recurrence())?.nextAt).toBe(Date.parse("2030-03-29T13:00:00Z"));
  });

  it("ends when it is cancelled by its id", async () => {
    const { digest, recurrence } = setup();
    expect(await digest.cancel(await digest.sendEvery(AT_NINE, "compile"))).toBe(true);
    expect(await recurrence()).toBeUndefined();
  });

  it("is refused for a time zone that nobody knows", async () => {
    const { digest } = setup();
    await expect(
      digest.sendEvery({ ...AT_NINE, timeZone: "Europe/Atlantis" }, "compile"),
    ).rejects.toBeInstanceOf(InvalidRecurrenceError);
  });
});
