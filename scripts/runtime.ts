// The local runtime with a Worker of the project on storage that outlives it: it can be killed and
// started again, with the same code or with other code. The chaos harness and test/slow live in it.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleFor, startWorkerd, workerdConfig } from "./workerd.ts";

/** What runs. */
export interface Deployment {
  /** The Worker's file, from the project's root. */
  readonly worker: string;
  /** The class of the objects behind each binding. */
  readonly objects: Readonly<Record<string, string>>;
  /** What else is in its `env`. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** The code of its Tail Worker, if it has one. */
  readonly tail?: string;
}

export class Runtime {
  readonly #folder: string;
  readonly #bundles = new Map<string, Uint8Array>();
  #life: { readonly child: ChildProcess } | undefined;
  #port = 0;
  /** How often it was started. */
  lives = 0;

  /** @param folder an empty one, for the bundle, the data and the output */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, "data"));
  }

  /** Starts on what is stored; resolves when it listens. */
  async deploy({ worker, objects, vars = {}, tail }: Deployment): Promise<void> {
    const bundle = this.#bundles.get(worker) ?? (await bundleFor(worker));
    this.#bundles.set(worker, bundle);
    writeFileSync(join(this.#folder, "worker.js"), bundle);
    const config = join(this.#folder, "config.capnp");
    const bindings = [
      ...Object.entries(objects).map(
        ([name, className]) => `(name = "${name}", durableObjectNamespace = "${className}")`,
      ),
      ...Object.entries(vars).map(
        ([name, value]) => `(name = "${name}", json = ${JSON.stringify(JSON.stringify(value))})`,
      ),
    ];
    const classes = [...new Set(Object.values(objects))];
    writeFileSync(config, workerdConfig(join(this.#folder, "data"), classes, bindings, [], tail));
    this.lives += 1;
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
    this.refuseEnded();
    const { child } = this.#life;
    this.#life = undefined;
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

  /** A runtime that ends by itself is no part of any plan. */
  refuseEnded(): void {
    if (this.#life === undefined) return;
    const { exitCode, signalCode } = this.#life.child;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`workerd has ended by itself, with ${exitCode ?? signalCode}.`);
  }

  /** Where its Worker answers. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
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
