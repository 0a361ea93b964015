// A class that uses its own alarm and tasks together, through a kill of the whole runtime: the example
// of examples/taskmanager under `wrangler dev`, with its storage on disk.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";

const DAY_MS = 4_000;
/** So long after all is due somebody looks: on a slow machine too, all has run by itself before. */
const LATER_MS = 30_000;

interface Seen {
  readonly state: string;
  readonly endsAt: number | null;
  readonly log: readonly { readonly at: number; readonly what: string }[];
}

const folders: string[] = [];
const processes: ChildProcess[] = [];

afterEach(() => {
  for (const child of processes.splice(0)) kill(child);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Kills wrangler and the runtime that it started, at once. */
function kill({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  if (address === null || typeof address === "string") throw new Error("No port was given.");
  return address.port;
}

/** Starts the examples on some storage; resolves when they answer. */
async function start(persistTo: string) {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [
      "node_modules/wrangler/bin/wrangler.js",
      "dev",
      "--ip=127.0.0.1",
      `--port=${port}`,
      `--inspector-port=${await freePort()}`,
      `--persist-to=${persistTo}`,
      `--var=TRIAL_DAY_MS:${DAY_MS}`,
    ],
    { detached: true, stdio: "ignore", env: { ...process.env, CI: "true" } },
  );
  processes.push(child);
  const url = (path: string): string => `http://127.0.0.1:${port}/trials/${path}`;
  for (;;) {
    // Another object, so that the one of the test is woken by nobody.
    const isUp = await fetch(url("somebody-else")).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) break;
    if (child.exitCode !== null) throw new Error(`wrangler ended with ${child.exitCode}.`);
    await sleep(50);
  }
  return {
    call: async (path: string, method = "GET"): Promise<Seen> =>
      (await (await fetch(url(path), { method })).json()) as Seen,
    kill: () => kill(child),
  };
}

describe("a class that uses its own alarm and tasks together", () => {
  it("runs both, never early, after the runtime was killed, and though nobody woke the object", async () => {
    const folder = mkdtempSync(join(tmpdir(), "durable-mailbox-"));
    folders.push(folder);
    const first = await start(folder);
    const begun = Date.now();
    const { endsAt } = await first.call("acme/start", "POST");
    first.kill();
    const second = await start(folder);
    const alarmAt = endsAt ?? Number.NaN;
    await sleep(Math.max(alarmAt, Date.now()) + LATER_MS - Date.now());
    const lookedAt = Date.now();
    const { state, log } = await second.call("acme");
    const at = (what: string): number => log.find((line) => line.what === what)?.at ?? Number.NaN;
    expect(at("mail: One day left")).toBeGreaterThanOrEqual(begun + 2 * DAY_MS);
    expect(at("mail: One day left")).toBeLessThan(lookedAt);
    expect(at("the trial has ended")).toBeGreaterThanOrEqual(alarmAt);
    expect(at("the trial has ended")).toBeLessThan(lookedAt);
    expect(state).toBe("ended");
    expect(log.filter(({ what }) => what.startsWith("mail: Welcome"))).toHaveLength(1);
  });
});
