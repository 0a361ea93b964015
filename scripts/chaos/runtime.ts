// The real local runtime, as a process of its own that can be killed: workerd itself, without wrangler's
// proxy before it, on storage in a folder that outlives it.

import type { ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { bundleFor, startWorkerd, workerdConfig } from "../workerd.ts";
import { GOOD, type Present } from "./life.ts";
import type { Question, Reply } from "./testimony.ts";

const ANSWER_MS = 40_000;

export class Runtime {
  readonly #folder: string;
  #life: { readonly child: ChildProcess } | undefined;
  #port = 0;
  /** How often it was started. */
  lives = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Prepares a folder: the bundled Worker, its data, its output. */
  static async prepare(folder: string): Promise<Runtime> {
    writeFileSync(join(folder, "worker.js"), await bundleFor("scripts/chaos/worker/index.ts"));
    const runtime = new Runtime(folder);
    mkdirSync(runtime.#data);
    return runtime;
  }

  /** Starts it on what is stored, in one of the lives that the plan has for it; resolves when it listens. */
  async start({ code, outages, lossRate }: Present = GOOD): Promise<void> {
    this.lives += 1;
    const config = join(this.#folder, "config.capnp");
    const bindings = [
      `(name = "CLERKS", durableObjectNamespace = "Clerk")`,
      `(name = "NAMELESS", durableObjectNamespace = "Nameless")`,
      `(name = "PRESENT", json = ${JSON.stringify(JSON.stringify({ code, outages, lossRate }))})`,
    ];
    writeFileSync(config, workerdConfig(this.#data, ["Clerk", "Nameless"], bindings));
    const started = startWorkerd(config, this.#outputOf(this.lives));
    this.#life = started;
    const port = await started.port;
    if (port === undefined)
      throw new Error(`workerd did not start:\n${this.output(this.lives).slice(-2_000)}`);
    this.#port = port;
  }

  /** SIGKILL, and until the process is gone; answers when it was sent. */
  async kill(): Promise<number> {
    const at = Date.now();
    if (this.#life === undefined) return at;
    const { child } = this.#life;
    this.#life = undefined;
    refuseEnded(child);
    const gone = new Promise((resolve) => {
      child.once("exit", resolve);
    });
    child.kill("SIGKILL");
    await gone;
    return at;
  }

  /** Keeps a copy of all storage. Only while it is down, as the rest of its life is in files beside. */
  keepCopy(): void {
    rmSync(this.#copy, { recursive: true, force: true });
    cpSync(this.#data, this.#copy, { recursive: true });
  }

  /** Puts the copy back: all of it, or what is of one object. */
  putBack(id?: string): void {
    const isOf = (file: string): boolean => id === undefined || file.includes(id);
    for (const file of filesOf(this.#data)) if (isOf(file)) rmSync(join(this.#data, file));
    for (const file of filesOf(this.#copy))
      if (isOf(file)) cpSync(join(this.#copy, file), join(this.#data, file));
  }

  /** For the end of this process: at once, and without waiting. */
  killNow(): void {
    this.#life?.child.kill("SIGKILL");
    this.#life = undefined;
  }

  /** Asks the Worker. A call that a kill cuts off is `unknown`. */
  async ask(question: Question): Promise<Reply> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/`, {
        method: "POST",
        body: JSON.stringify(question),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (!response.ok)
        return { kind: "unknown", message: `${response.status}: ${(await response.text()).slice(0, 200)}` };
      return (await response.json()) as Reply;
    } catch (error) {
      if (this.#life !== undefined) refuseEnded(this.#life.child);
      return { kind: "unknown", message: error instanceof Error ? error.message : String(error) };
    }
  }

  /** How much its present life has printed. */
  get printed(): number {
    return statSync(this.#outputOf(this.lives)).size;
  }

  /** All that one life of it has printed. */
  output(life: number): string {
    return readFileSync(this.#outputOf(life), "utf8");
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  get #copy(): string {
    return join(this.#folder, "copy");
  }

  #outputOf(life: number): string {
    return join(this.#folder, `output-${life}.log`);
  }
}

/** All files below a folder, by their paths in it. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [relative(folder, join(entry.parentPath, entry.name))] : [],
  );
}

/** A runtime that ends by itself is no part of the plan. */
function refuseEnded({ exitCode, signalCode }: ChildProcess): void {
  if (exitCode !== null || signalCode !== null)
    throw new Error(`workerd has ended by itself, with ${exitCode ?? signalCode}.`);
}
