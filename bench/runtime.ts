// A bundled Worker in the local runtime: workerd itself, without a proxy before it.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { builtinModules, createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const root = join(import.meta.dirname, "..");
// What wrangler brings: the runtime that `npm start` uses, and the bundler.
const fromWrangler = createRequire(join(root, "node_modules/wrangler/package.json"));

interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>;
}

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

const options = {
  bundle: true,
  format: "esm",
  target: "es2024",
  conditions: ["workerd", "worker", "browser"],
  mainFields: ["browser", "module", "main"],
  external: ["cloudflare:*", "node:*"],
  plugins: [platformModules],
  write: false,
  logLevel: "error",
} as const;

/** Bundles a file for workerd. */
export async function bundle(entry: string, isMinified = false): Promise<Uint8Array> {
  const { build } = fromWrangler("esbuild") as Esbuild;
  const { outputFiles } = await build({
    ...options,
    entryPoints: [join(root, entry)],
    minify: isMinified,
    nodePaths: [join(root, "bench/node_modules"), join(root, "node_modules")],
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry} gave no bundle.`);
  return file.contents;
}

/** How large an entry point is when it is deployed, dependencies included. */
export async function sizeOf(entry: string): Promise<{ readonly bytes: number; readonly gzip: number }> {
  const contents = await bundle(entry, true);
  return { bytes: contents.byteLength, gzip: gzipSync(contents, { level: 9 }).byteLength };
}

const classes = { FLOOR: "Floor", OURS: "Ours", AGENTS: "AgentsContestant", ACTORS: "ActorsContestant" };

export class Runtime {
  readonly #process: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.#url = url;
  }

  /** Starts workerd with a bundle, its data in `folder`; resolves when it listens. */
  static async start(
    folder: string,
    script: Uint8Array,
    bindings: readonly (keyof typeof classes)[],
    webhook: unknown,
  ): Promise<Runtime> {
    mkdirSync(join(folder, "data"), { recursive: true });
    const port = await freePort();
    writeFileSync(join(folder, "worker.js"), script);
    writeFileSync(join(folder, "webhook.json"), JSON.stringify(webhook));
    writeFileSync(join(folder, "config.capnp"), config(folder, port, bindings));
    const log = openSync(join(folder, "workerd.log"), "a");
    const { default: binary } = fromWrangler("workerd") as { default: string };
    const child = spawn(binary, ["serve", join(folder, "config.capnp")], { stdio: ["ignore", log, log] });
    const runtime = new Runtime(child, `http://127.0.0.1:${port}/`);
    const started = performance.now();
    while (!(await runtime.#answers())) {
      if (child.exitCode !== null || performance.now() - started > 30_000)
        throw new Error(`workerd did not start:\n${readFileSync(join(folder, "workerd.log"), "utf8")}`);
      await sleep(2);
    }
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

  async #answers(): Promise<boolean> {
    try {
      await (await fetch(this.#url, { method: "POST", body: "{}" })).arrayBuffer();
      return true;
    } catch {
      return false;
    }
  }
}

function config(folder: string, port: number, bindings: readonly (keyof typeof classes)[]): string {
  const names = bindings.map((name) => ({ name, className: classes[name] }));
  return `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = ${JSON.stringify(join(folder, "data"))}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-20",
  durableObjectNamespaces = [${names
    .map(({ className }) => `(className = "${className}", uniqueKey = "${className}", enableSql = true)`)
    .join(", ")}],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "WEBHOOK", json = embed "webhook.json"),
    ${names.map(({ name, className }) => `(name = "${name}", durableObjectNamespace = "${className}"),`).join("\n    ")}
  ],
);
`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
