// The local runtime as a process of its own: workerd itself, without wrangler's proxy before it. The
// bench measures in it, the chaos harness kills it, the tracer listens to it.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
// What wrangler brings: the runtime that `npm start` uses, and the bundler.
const fromWrangler = createRequire(join(root, "node_modules/wrangler/package.json"));
const START_MS = 30_000;
/** Where it says which port it has taken. */
const CONTROL_FD = 3;

interface Esbuild {
  build(options: object): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>;
}

/** Bundles a file of the project for workerd. */
export async function bundleFor(entry: string, options: object = {}): Promise<Uint8Array> {
  const { build } = fromWrangler("esbuild") as Esbuild;
  const { outputFiles } = await build({
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    write: false,
    logLevel: "error",
    ...options,
    entryPoints: [join(root, entry)],
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`${entry} gave no bundle.`);
  return file.contents;
}

/**
 * A configuration of one Worker, `worker.js` beside it, with its objects' data in a folder.
 *
 * @param classes the classes of its objects, each with its own namespace
 * @param bindings lines of the Worker's bindings
 * @param v8Flags for the engine
 * @param tail the code of a Tail Worker of it
 */
export function workerdConfig(
  data: string,
  classes: readonly string[],
  bindings: readonly string[],
  v8Flags: readonly string[] = [],
  tail?: string,
): string {
  const namespaces = classes.map(
    (name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`,
  );
  return `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    ${tail === undefined ? "" : `(name = "tail", worker = (modules = [(name = "tail", esModule = ${JSON.stringify(tail)})], compatibilityDate = "2026-10-20")),`}
    (name = "disk", disk = (path = ${JSON.stringify(data)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
  v8Flags = ${JSON.stringify(v8Flags)},
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-20",
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (localDisk = "disk"),
  ${tail === undefined ? "" : `tails = ["tail"],`}
  bindings = [
    ${bindings.map((binding) => `${binding},`).join("\n    ")}
  ],
);
`;
}

/** A runtime that was started. */
export interface Started {
  readonly child: ChildProcess;
  /** Resolves when it listens; undefined when it ends before, or says nothing for too long. */
  readonly port: Promise<number | undefined>;
}

/** Starts it, its output appended to a file. Answers at once, so that whoever is stopped meanwhile can kill it. */
export function startWorkerd(config: string, outputFile: string): Started {
  const { default: binary } = fromWrangler("workerd") as { default: string };
  const output = openSync(outputFile, "a");
  const child = spawn(binary, ["serve", `--control-fd=${CONTROL_FD}`, config], {
    stdio: ["ignore", output, output, "pipe"],
  });
  closeSync(output);
  return { child, port: portOf(child) };
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
