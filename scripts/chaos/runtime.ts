// The runtime of the chaos harness: its Worker, in the life that the plan has for it, what it is asked, and
// copies of its storage.

import { cpSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { Runtime as LocalRuntime } from "../runtime.ts";
import { GOOD, type Present } from "./life.ts";
import type { Question, Reply } from "./testimony.ts";

const ANSWER_MS = 40_000;

export class Runtime extends LocalRuntime {
  readonly #data: string;
  readonly #copy: string;

  /** @param folder an empty one, for the bundle, the data and its copy, and the output */
  constructor(folder: string) {
    super(folder);
    this.#data = join(folder, "data");
    this.#copy = join(folder, "copy");
  }

  /** Starts it on what is stored, in one of the lives that the plan has for it; resolves when it listens. */
  start({ code, outages, lossRate }: Present = GOOD): Promise<void> {
    return this.deploy({
      worker: "scripts/chaos/worker/index.ts",
      objects: { CLERKS: "Clerk", NAMELESS: "Nameless" },
      vars: { PRESENT: { code, outages, lossRate } },
    });
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

  /** Asks the Worker. A call that a kill cuts off is `unknown`. */
  async ask(question: Question): Promise<Reply> {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        body: JSON.stringify(question),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (!response.ok)
        return { kind: "unknown", message: `${response.status}: ${(await response.text()).slice(0, 200)}` };
      return (await response.json()) as Reply;
    } catch (error) {
      this.refuseEnded();
      return { kind: "unknown", message: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** All files below a folder, by their paths in it. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [relative(folder, join(entry.parentPath, entry.name))] : [],
  );
}
