// A bundled Worker in the local runtime: workerd itself, without a proxy before it.

import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bundleFor, startWorkerd, workerdConfig } from "../scripts/workerd.ts";

const root = join(import.meta.dirname, "..");

interface Build {
  onResolve(options: { filter: RegExp }, resolve: (args: { path: string }) => object | undefined): void;
  onLoad(options: { filter: RegExp; namespace: string }, load: (args: { path: string }) => object): void;
}

/** CommonJS dependencies of the neighbours `require` Node's modules by their bare names. */
const platformModules = {
  name: "platform-modules",
  setup(build: Build): void {
    build.onResolve({ filter: /^[a-z_]+$/ }, ({ path }) =>
      builtinModules.includes(path) ? { path, namespace: "builtin" } : undefined,
    );
    // workerd has it only with a mail service, which the bench has not.
    build.onResolve({ filter: /^cloudflare:email$/ }, ({ path }) => ({ path, namespace: "mail" }));
    build.onLoad({ filter: /.*/, namespace: "mail" }, () => ({ contents: "export class EmailMessage {}" }));
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `export * from "node:${path}"; export { default } from "node:${path}";`,
    }));
  },
};

/** Bundles a file for workerd, with the neighbours' dependencies where it has any. */
export function bundle(entry: string, isMinified = false): Promise<Uint8Array> {
  return bundleFor(entry, {
    mainFields: ["browser", "module", "main"],
    plugins: [platformModules],
    minify: isMinified,
    nodePaths: [join(root, "bench/node_modules"), join(root, "node_modules")],
  });
}

/** How large an entry point is when it is deployed, dependencies included. */
export async function sizeOf(entry: string): Promise<{ readonly bytes: number; readonly gzip: number }> {
  const contents = await bundle(entry, true);
  return { bytes: contents.byteLength, gzip: gzipSync(contents, { level: 9 }).byteLength };
}

const classes = { FLOOR: "Floor", OURS: "Ours", AGENTS: "AgentsContestant", ACTORS: "ActorsContestant" };

export class Runtime {
  static readonly #running = new Set<ChildProcess>();

  readonly #process: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.#url = url;
  }

  /** For the end of this process, which waits for nothing. */
  static killAll(): void {
    for (const child of Runtime.#running) child.kill("SIGKILL");
  }

  /** Starts workerd with a bundle, its data in `folder`; resolves when it listens. */
  static async start(
    folder: string,
    script: Uint8Array,
    bindings: readonly (keyof typeof classes)[],
    webhook: unknown,
  ): Promise<Runtime> {
    mkdirSync(join(folder, "data"), { recursive: true });
    const file = join(folder, "config.capnp");
    const log = join(folder, "workerd.log");
    const names = bindings.map((name) => classes[name]);
    writeFileSync(join(folder, "worker.js"), script);
    writeFileSync(join(folder, "webhook.json"), JSON.stringify(webhook));
    writeFileSync(
      file,
      workerdConfig(
        join(folder, "data"),
        names,
        [
          `(name = "WEBHOOK", json = embed "webhook.json")`,
          ...bindings.map((name) => `(name = "${name}", durableObjectNamespace = "${classes[name]}")`),
        ],
        ["--expose-gc"],
      ),
    );
    const { child, port: started } = startWorkerd(file, log);
    Runtime.#running.add(child);
    child.once("exit", () => Runtime.#running.delete(child));
    const port = await started;
    if (port === undefined) throw new Error(`workerd did not start:\n${readFileSync(log, "utf8")}`);
    const runtime = new Runtime(child, `http://127.0.0.1:${port}/`);
    // Its first answer belongs to its start.
    await (await fetch(runtime.#url, { method: "POST", body: "{}" })).arrayBuffer();
    return runtime;
  }

  /** Calls a method of an object. */
  async call<T>(contestant: string, object: string, method: string, ...args: readonly unknown[]): Promise<T> {
    const response = await fetch(this.#url, {
      method: "POST",
      body: JSON.stringify({ contestant, object, method, args }),
    });
    const answer = (await response.json()) as { value?: T; error?: string };
    if (answer.error !== undefined) throw new Error(`${contestant} ${method}: ${answer.error}`);
    return answer.value as T;
  }

  /** Memory of the process in MiB, now and at its peak since {@link resetPeak}; undefined where there is no /proc. */
  memory(): { readonly now: number; readonly peak: number } | undefined {
    const file = `/proc/${this.#process.pid}/status`;
    if (!existsSync(file)) return undefined;
    const status = readFileSync(file, "utf8");
    const field = (name: string): number =>
      Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
    return { now: field("VmRSS"), peak: field("VmHWM") };
  }

  resetPeak(): void {
    const file = `/proc/${this.#process.pid}/clear_refs`;
    if (existsSync(file)) writeFileSync(file, "5");
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => {
      this.#process.once("exit", resolve);
    });
    this.#process.kill("SIGKILL");
    await ended;
  }
}
