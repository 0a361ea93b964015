// For tests that need real minutes: real workerd, on storage that outlives it. A test deploys a Worker,
// asks it, deploys another version of it (or the same with other `vars`) on what is stored, and reads what
// all of them have printed. Nothing fakes the clock here, and nobody wakes an object but its alarm.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { Runtime } from "../../scripts/runtime.ts";
import type { Line } from "./line.ts";

/** How long a test waits for what it expects: a deadline is for what never comes, not for what is slow. */
const PATIENCE_MS = 120_000;

export class Lab {
  readonly #runtime: Runtime;

  /** Of one test, at whose end it is gone. */
  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "durable-mailbox-slow-"));
    this.#runtime = new Runtime(folder);
    const clear = (): void => {
      this.#runtime.killNow();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    };
    // Also when the whole run ends in the middle.
    process.once("exit", clear);
    onTestFinished(() => {
      process.off("exit", clear);
      clear();
    });
  }

  /**
   * Puts a Worker in the place of what runs, if anything does, on the same storage.
   *
   * @param worker its file in test/slow/worker
   * @param objects the class of the objects behind each binding
   * @param vars what else is in its `env`, to tell its versions apart
   * @param tail the code of its Tail Worker, if it has one
   */
  async deploy(
    worker: string,
    objects: Readonly<Record<string, string>>,
    vars: Readonly<Record<string, unknown>> = {},
    tail?: string,
  ): Promise<void> {
    await this.#runtime.kill();
    const tailed = tail === undefined ? {} : { tail };
    await this.#runtime.deploy({ worker: `test/slow/worker/${worker}`, objects, vars, ...tailed });
  }

  /** Kills what runs, at once, and leaves what is stored. */
  async kill(): Promise<void> {
    await this.#runtime.kill();
  }

  /** Asks the Worker. */
  async ask(path: string): Promise<string> {
    this.#runtime.refuseEnded();
    const response = await fetch(this.#runtime.url + path, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}: ${text}`);
    return text;
  }

  /** All that the Workers have printed of themselves, from the first deploy on. */
  lines(): Line[] {
    return Array.from({ length: this.#runtime.lives }, (_, life) => this.#runtime.output(life + 1))
      .join("\n")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);
  }

  /** Waits until a check answers something; nobody is asked meanwhile but what the check asks. */
  async until<T>(check: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      this.#runtime.refuseEnded();
      const value = await check();
      if (value !== undefined && value !== null && value !== false) return value;
      if (performance.now() > end) throw new Error(`${what} did not come true within ${PATIENCE_MS} ms.`);
      await sleep(50);
    }
  }
}
