// Measures the library beside the floor and its neighbours, in one run of the real local runtime.
//
//   npm run bench                   a table, a chart, and the README's section
//   npm run bench -- --json         the last line is one JSON object
//   npm run bench -- --full         every size for every payload and every neighbour
//   npm run bench -- --only drain   some works only: nothing is written

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exitOnSignals } from "../scripts/signals.ts";
import { targetTable, writeReport } from "./report.ts";
import { growthOf, type Result } from "./result.ts";
import { bundle, Runtime } from "./runtime.ts";
import { Bench, bundles, coldStart, type Group, memoryOf } from "./works.ts";

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});

const here = import.meta.dirname;
const NEAR_BYTES = 5_000;

install();
const folder = mkdtempSync(join(tmpdir(), "durable-mailbox-bench-"));
// Also when it ends in the middle, by an error or by Ctrl-C: no process and no folder stays.
process.on("exit", () => {
  Runtime.killAll();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
exitOnSignals();
await main();

async function main(): Promise<void> {
  const started = performance.now();
  const result: Record<string, unknown> = {};
  const work = async (name: string, run: () => Promise<unknown>): Promise<void> => {
    if (flags.only.length > 0 && !flags.only.includes(name)) return;
    const before = performance.now();
    result[name] = await run();
    console.error(`${name}: ${((performance.now() - before) / 1_000).toFixed(1)} s`);
    if (flags.only.length > 0) console.error(JSON.stringify(result[name], null, 1));
  };
  const script = await bundle("bench/worker/index.ts");
  const runtime = await Runtime.start(
    join(folder, "main"),
    script,
    ["FLOOR", "OURS", "AGENTS", "ACTORS"],
    webhook(),
  );
  const bench = new Bench(runtime, flags.full);
  const all = [1_000, 10_000, 100_000];
  const most = flags.full ? all : [1_000, 10_000];
  try {
    await work("enqueue", async () => ({
      small: await bench.group("enqueue", "small", all, "json", true),
      medium: await bench.group("enqueue", "medium", most, "json", true),
      nested: await bench.group("enqueue", "nested", most, "json", false),
      rich: await bench.group("enqueue", "rich", most, "superjson", false),
      random: await bench.group("enqueue", "small", [1_000, 100_000], "json", false, "random"),
    }));
    await work("drain", async () => ({
      small: await bench.group("drain", "small", all, "none", true),
      medium: await bench.group("drain", "medium", most, "json", true),
      rich: await bench.group("drain", "rich", most, "superjson", false),
      random: await bench.group("drain", "small", [1_000, 100_000], "none", false, "random"),
    }));
    await work("handlers", async () => {
      const spec = { payload: "small", n: 10_000, order: "asc" } as const;
      return {
        plain: await bench.one("drain", { ...spec, handler: "noop", codec: "none" }),
        write: await bench.one("drain", { ...spec, handler: "write", codec: "json" }),
        async: await bench.one("drain", { ...spec, handler: "async", codec: "none" }),
        failing: await bench.one("drain", { ...spec, handler: "fail", codec: "json" }, 5),
        againstCommits: await bench.one(
          "drain",
          { ...spec, handler: "noop", codec: "none", commits: true },
          5,
        ),
      };
    });
    await work("rows", () => bench.rows(1_000));
    await work("rpc", () => bench.rpc());
    await work("outbox", () => bench.outbox(1_000));
    await work("recurrences", () => bench.recurrences(1_000));
    await work("lateness", () => bench.lateness(30));
  } finally {
    await runtime.stop();
  }
  await work("memory", async () => ({
    floorMiB: await memoryOf(join(folder, "memory"), script, "FLOOR", 50_000),
    oursMiB: await memoryOf(join(folder, "memory"), script, "OURS", 50_000),
    oursTenthMiB: await memoryOf(join(folder, "memory"), script, "OURS", 5_000),
  }));
  await work("coldStart", () => coldStart(join(folder, "cold"), 5));
  await work("bundle", () => bundles());
  result["machine"] = { cpus: cpus().length, model: cpus()[0]?.model, load: loadavg()[0] };
  result["seconds"] = Math.round((performance.now() - started) / 1_000);
  if (flags.only.length === 0) {
    const { enqueue, drain } = result as Record<"enqueue" | "drain", Record<string, Group>>;
    const small = { enqueue: groupOf(enqueue, "small"), drain: groupOf(drain, "small") };
    const random = { enqueue: groupOf(enqueue, "random"), drain: groupOf(drain, "random") };
    result["growth"] = {
      ...growthOf(small, "oursUs"),
      floor: growthOf(small, "floorUs"),
      random: growthOf(random, "oursUs"),
      randomFloor: growthOf(random, "floorUs"),
    };
    const whole = result as unknown as Result;
    writeReport(whole);
    console.log(`\n${targetTable(whole)}\n`);
  }
  if (flags.json) console.log(JSON.stringify(result));
}

function groupOf(groups: Record<string, Group>, name: string): Group {
  const group = groups[name];
  if (group === undefined) throw new Error(`There is no group ${name}.`);
  return group;
}

/** The neighbours, by the bench's own lockfile. */
function install(): void {
  if (existsSync(join(here, "node_modules/.package-lock.json"))) return;
  console.error("Installing the neighbours for the bench …");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  execFileSync(npm, ["ci", "--ignore-scripts"], { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
}

/** The real webhook that is nearest to 5 KB. */
function webhook(): unknown {
  const load = createRequire(import.meta.url);
  const kinds = load("@octokit/webhooks-examples/api.github.com/index.json") as readonly {
    readonly examples: readonly unknown[];
  }[];
  const distance = (payload: unknown): number => Math.abs(JSON.stringify(payload).length - NEAR_BYTES);
  return kinds.flatMap(({ examples }) => examples).sort((a, b) => distance(a) - distance(b))[0];
}
