// examples/taskmanager: a class written for do-taskmanager, with only its import changed.

import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { until } from "../support/scripted.ts";

interface Seen {
  readonly state: string;
  readonly endsAt: number | null;
  readonly log: readonly { readonly at: number; readonly what: string }[];
}

const DAY = Number(env.TRIAL_DAY_MS);
const WELCOME = "mail: Welcome, after: The mail server is busy.";
const REPORT = "report: usage";

const whats = (log: Seen["log"]): readonly string[] => log.map(({ what }) => what);

function trial() {
  const stub = env.TRIALS.getByName(`trial-${crypto.randomUUID()}`);
  const call = async (verb: string): Promise<Seen> => (await stub.fetch(`https://trials/t/${verb}`)).json();
  const waitFor = (what: string, check: (seen: Seen) => boolean): Promise<Seen> =>
    until(async () => {
      const seen = await call("");
      return check(seen) ? seen : undefined;
    }, what);
  return { call, waitFor };
}

describe("a trial, written for do-taskmanager", () => {
  it("mails, retries, reports each day, and ends by its own alarm", async () => {
    const { call, waitFor } = trial();
    const begun = Date.now();
    const { endsAt } = await call("start");
    expect(endsAt).toBeGreaterThanOrEqual(begun + 3 * DAY);
    const { log: lines, ...rest } = await waitFor("its end", ({ state }) => state === "ended");
    const log = whats(lines);
    expect(Date.now()).toBeGreaterThanOrEqual(endsAt ?? 0);
    expect(rest).toEqual({ state: "ended", endsAt: null });
    expect(log[0]).toBe(WELCOME);
    expect(log.at(-1)).toBe("the trial has ended");
    expect(log.filter((line) => line === "mail: One day left")).toHaveLength(1);
    expect(log.filter((line) => line === REPORT).length).toBeGreaterThanOrEqual(2);
    // The reports end with the trial.
    await scheduler.wait(2 * DAY);
    expect((await call("")).log).toEqual(lines);
  });

  it("bought, it neither reminds nor ends; its reports go on", async () => {
    const { call, waitFor } = trial();
    await call("start");
    expect(await call("buy")).toMatchObject({ state: "bought", endsAt: null });
    const { log } = await waitFor(
      "four reports",
      ({ log }) => whats(log).filter((line) => line === REPORT).length >= 4,
    );
    expect(new Set(whats(log))).toEqual(new Set([WELCOME, REPORT]));
    await call("close");
  });

  it("closed, it has no tasks, no alarm and no memory", async () => {
    const { call } = trial();
    await call("start");
    const closed: Seen = { state: "none", endsAt: null, log: [] };
    expect(await call("close")).toEqual(closed);
    await scheduler.wait(2 * DAY);
    expect(await call("")).toEqual(closed);
  });
});
