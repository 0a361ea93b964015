// The real local runtime, as a process of its own that can be killed: workerd itself, without wrangler's
// proxy before it, on storage in a folder that outlives it.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Question, Reply } from "./testimony.ts";

const root = join(import.meta.dirname, "../..");
// What wrangler brings: the runtime that `npm start` uses, and the bundler.
const fromWrangler = createRequire(join(root, "node_modules/wrangler/package.json"));
const START_MS = 30_000;
/** Where it says which port it has taken. */
const CONTROL_FD = 3;
const ANSWER_MS = 40_000;

interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>;
}

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
    const { build } = fromWrangler("esbuild") as Esbuild;
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, "worker/index.ts")],
      bundle: true,
      format: "esm",
      target: "es2024",
      conditions: ["workerd", "worker", "browser"],
      external: ["cloudflare:*", "node:*"],
      write: false,
      logLevel: "error",
    });
    const [bundle] = outputFiles;
    if (bundle === undefined) throw new Error("The Worker gave no bundle.");
    writeFileSync(join(folder, "worker.js"), bundle.contents);
    mkdirSync(join(folder, "data"));
    return new Runtime(folder);
  }

  /** Starts it on what is stored, with the code or with an older version of it; resolves when it listens. */
  async start(isOld = false): Promise<void> {
    this.lives += 1;
    const config = join(this.#folder, "config.capnp");
    writeFileSync(config, configOf(join(this.#folder, "data"), isOld));
    const output = openSync(this.#outputOf(this.lives), "a");
    const { default: binary } = fromWrangler("workerd") as { default: string };
    const child = spawn(binary, ["serve", `--control-fd=${CONTROL_FD}`, config], {
      stdio: ["ignore", output, output, "pipe"],
    });
    closeSync(output);
    this.#life = { child };
    const port = await portOf(child);
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

  #outputOf(life: number): string {
    return join(this.#folder, `output-${life}.log`);
  }
}

/** Which port it has taken, as it says itself; undefined when it ends, or says nothing for too long. */
function portOf(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, START_MS, undefined);
    const done = (port: number | undefined): void => {
      clearTimeout(timer);
      resolve(port);
    };
    child.once("exit", () => done(undefined));
    let text = "";
    child.stdio[CONTROL_FD]?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const port = /"event":"listen","socket":"http","port":(\d+)/.exec(text)?.[1];
      if (port !== undefined) done(Number(port));
    });
  });
}

/** A runtime that ends by itself is no part of the plan. */
function refuseEnded({ exitCode, signalCode }: ChildProcess): void {
  if (exitCode !== null || signalCode !== null)
    throw new Error(`workerd has ended by itself, with ${exitCode ?? signalCode}.`);
}

function configOf(data: string, isOld: boolean): string {
  return `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = ${JSON.stringify(data)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-20",
  durableObjectNamespaces = [(className = "Clerk", uniqueKey = "Clerk", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "CLERKS", durableObjectNamespace = "Clerk"),
    (name = "IS_OLD", json = "${isOld}"),
  ],
);
`;
}
