// A copy of the code in a folder of its own, where faults are put in and tests are run.

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { mutated, type Mutant } from "./mutant.ts";

/** What no test needs, or what each copy has of its own. */
const LEFT_OUT: ReadonlySet<string> = new Set([".git", ".wrangler", "coverage", "dist", "node_modules"]);
/** A fault may let a test wait for what never comes: the tests' own deadlines end it long before. */
const FILE_MS = 20 * 60_000;
const SHOWN_OUTPUT = 4_000;

/** How a test file ended. */
export type Ending =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly by: string }
  /** It did not get as far as a test: that says nothing of the fault. */
  | { readonly kind: "broken"; readonly output: string };

export class Bench {
  readonly #root: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(root: string, folder: string) {
    this.#root = root;
    this.#folder = folder;
  }

  /** Fills the folder, which is empty. */
  copy(): void {
    const root = this.#root;
    cpSync(root, this.#folder, {
      recursive: true,
      filter: (path) =>
        !relative(root, path)
          .split(sep)
          .some((part) => LEFT_OUT.has(part)),
    });
    symlinkSync(join(root, "node_modules"), join(this.#folder, "node_modules"), "junction");
  }

  /** Runs something with a fault in the copy. */
  async with<T>(mutant: Mutant, run: () => Promise<T>): Promise<T> {
    const file = join(this.#folder, mutant.file);
    const source = readFileSync(file, "utf8");
    const applied = mutated(mutant, source);
    if (typeof applied === "string") throw new Error(`The mutant "${mutant.name}": ${applied}`);
    writeFileSync(file, applied.text);
    try {
      return await run();
    } finally {
      writeFileSync(file, source);
    }
  }

  /** Runs a test file as it is in the copy, up to the first test that fails. */
  run(test: string): Promise<Ending> {
    const report = join(this.#folder, "report.json");
    rmSync(report, { force: true });
    const vitest = "node_modules/vitest/vitest.mjs";
    const flags = ["--bail=1", "--reporter=json", `--outputFile=${report}`];
    // In a group of its own, so that its runtimes can be ended with it.
    const child = spawn(process.execPath, [vitest, "run", ...flags, test], {
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#child = child;
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-SHOWN_OUTPUT)));
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), FILE_MS);
      child.on("close", (code) => {
        clearTimeout(timer);
        this.end();
        resolve(endingOf(report, code) ?? { kind: "broken", output });
      });
    });
  }

  /** Ends what runs, with all that it has started. */
  end(): void {
    const pid = this.#child?.pid;
    this.#child = undefined;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // All of it has ended.
    }
  }
}

/** What of vitest's report is read. */
interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function endingOf(report: string, code: number | null): Ending | undefined {
  if (!existsSync(report)) return undefined;
  const { testResults }: Report = JSON.parse(readFileSync(report, "utf8"));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === "failed");
  if (failed !== undefined) return { kind: "failed", by: failed.fullName };
  if (!tests.some(({ status }) => status === "passed")) return undefined;
  if (code === 0) return { kind: "passed" };
  // A hook of the file, or an error that no test has caught.
  return { kind: "failed", by: testResults.find(({ message }) => message !== "")?.message ?? "no test" };
}
