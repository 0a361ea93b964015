// A reporter of vitest that tells scripts/test.ts, which has started vitest, how each file ended.

import type { Reporter, TestCase, TestModule } from "vitest/node";

/** What went wrong, for a person to read. */
export interface Problem {
  readonly where: string;
  readonly what: string;
}

export type Report =
  | { readonly kind: "test" }
  | {
      readonly kind: "file";
      readonly file: string;
      readonly passed: number;
      readonly ms: number;
      readonly problems: readonly Problem[];
    }
  | { readonly kind: "end"; readonly problems: readonly Problem[] };

/** What of a thrown error is shown. */
interface Thrown {
  readonly name?: string;
  readonly message: string;
  readonly stack?: string;
  readonly diff?: string;
}

const SHOWN_FRAMES = 6;

export default class Progress implements Reporter {
  /** What the tests of each file have printed; vitest gives only what those that failed have. */
  readonly #printed = new Map<string, string>();

  onUserConsoleLog({ content, taskId }: { readonly content: string; readonly taskId?: string }): void {
    const id = taskId ?? "";
    this.#printed.set(id, (this.#printed.get(id) ?? "") + content);
  }

  onTestCaseResult(): void {
    tell({ kind: "test" });
  }

  onTestModuleEnd(module: TestModule): void {
    const tests = [...module.children.allTests()];
    const suites = [...module.children.allSuites()];
    tell({
      kind: "file",
      file: module.relativeModuleId,
      passed: tests.filter((test) => test.result().state === "passed").length,
      ms: module.diagnostic().duration,
      problems: [
        ...problemsOf(module.relativeModuleId, module.errors()),
        ...suites.flatMap((suite) => problemsOf(suite.fullName, suite.errors())),
        ...tests.flatMap((test) => this.#problemsOf(test)),
      ],
    });
  }

  onTestRunEnd(_: unknown, unhandled: readonly Thrown[]): void {
    tell({ kind: "end", problems: problemsOf("outside of any test", unhandled) });
  }

  #problemsOf(test: TestCase): Problem[] {
    const { state, errors = [] } = test.result();
    if (state !== "failed") return [];
    const what = [...errors.map(shown), this.#printed.get(test.id) ?? ""].join("\n").trim();
    return [{ where: test.fullName, what }];
  }
}

function problemsOf(where: string, errors: readonly Thrown[]): Problem[] {
  return errors.map((error) => ({ where, what: shown(error) }));
}

/** Its message, what differs, and where it was thrown, without the frames of others. */
function shown({ name = "Error", message, stack = "", diff = "" }: Thrown): string {
  const frames = stack
    .split("\n")
    .filter((line) => line.trimStart().startsWith("at ") && !line.includes("node_modules"));
  return [`${name}: ${message}`, diff, ...frames.slice(0, SHOWN_FRAMES)]
    .filter((text) => text !== "")
    .join("\n");
}

function tell(report: Report): void {
  process.send?.(report);
}
