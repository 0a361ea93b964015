// The real local runtime with the library instrumented: what `npm run trace` drives.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { bundleFor, startWorkerd, workerdConfig } from "../workerd.ts";
import { instrument } from "./instrument.ts";

const root = join(import.meta.dirname, "../..");
const recorder = join(import.meta.dirname, "worker/recorder.ts");
const TRACED: readonly string[] = ["mailbox", "actors"];
const ANSWER_MS = 60_000;

interface Build {
  onLoad(
    options: { filter: RegExp },
    load: (args: { path: string }) => { contents: string; loader: "ts" } | undefined,
  ): void;
}

/** Instruments each source of the library as it is read; wherever in its folder it lies. */
const instrumented = {
  name: "instrumented",
  setup(build: Build): void {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const file = relative(root, path).split(sep).join("/");
      if (!TRACED.some((folder) => file.startsWith(`${folder}/`))) return undefined;
      return { contents: instrument(readFileSync(path, "utf8"), file, recorder).code, loader: "ts" };
    });
  },
};

export class Runtime {
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #url = "";

  /** @param folder an empty one, for the bundle, the data and the output */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const data = join(this.#folder, "data");
    mkdirSync(data);
    // As new as the runtime, which knows `using` itself.
    const options = { target: "esnext", plugins: [instrumented] };
    writeFileSync(join(this.#folder, "worker.js"), await bundleFor("scripts/trace/worker/index.ts", options));
    const config = join(this.#folder, "config.capnp");
    const bindings = [`(name = "PROBES", durableObjectNamespace = "Probe")`];
    writeFileSync(config, workerdConfig(data, ["Probe"], bindings));
    const { child, port: started } = startWorkerd(config, this.#log);
    this.#child = child;
    const port = await started;
    if (port === undefined) throw new Error(`workerd did not start:\n${this.output()}`);
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** For the end of this process, which waits for nothing. */
  killNow(): void {
    this.#child?.kill("SIGKILL");
  }

  async ask<T>(path: string, params: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.#url}${path}?${new URLSearchParams(params).toString()}`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}:\n${this.output()}`);
    return JSON.parse(text) as T;
  }

  /** What it has printed last. */
  output(): string {
    return readFileSync(this.#log, "utf8").slice(-2_000);
  }

  get #log(): string {
    return join(this.#folder, "workerd.log");
  }
}
