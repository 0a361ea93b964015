import { describe, expect, it } from "vitest";
import { type Call, figuresOf, pathOf } from "../../scripts/trace/calls.ts";
import { readFlags } from "../../scripts/trace/flags.ts";
import { instrument } from "../../scripts/trace/instrument.ts";

const sample = `// Überschrift
export function sum(values: readonly number[]): number;
export function sum(values: unknown): unknown {
  return (values as number[]).reduce((a, b) => a + b, 0);
}
abstract class Base<T> {
  protected abstract size(): T;
}
export class Box extends Base<number> {
  #items: number[] = [];
  readonly twice = (): number => this.size() * 2;
  constructor(first: number) {
    super();
    this.#add(first);
  }
  get first(): number | undefined { return this.#items[0]; }
  static of = function (first: number): Box { return new Box(first); };
  size(): number { return this.#items.length; }
  #add(item: number): void { this.#items.push(item); }
  async later(): Promise<number> { return await Promise.resolve(this.size()); }
}
export function call(make = function () { return 1; }): number { return make(); }
export const verbs = { open() { return sum([1, 2]); }, close: async () => {} };
`;

const moduleOf = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

describe("the tracer", () => {
  it("counts functions, methods, accessors and constructors, and neither types nor arrow functions", () => {
    expect(instrument(sample, "sample.ts", "recorder.ts").functions).toEqual([
      "sum",
      "Box.constructor",
      "get Box.first",
      "Box.of",
      "Box.size",
      "Box.#add",
      "Box.later",
      "(anonymous)",
      "call",
      "open",
    ]);
  });

  it("leaves every line where it was", () => {
    const { code } = instrument(sample, "sample.ts", "recorder.ts");
    expect(code.split("\n").length).toBe(sample.split("\n").length);
    expect(code.replaceAll(/import \{ enter.*?; | using \$call.*?;/g, "")).toBe(sample);
  });

  it("tells of every call and of its end, also of an async one and of one that throws", async () => {
    const recorder = moduleOf(`
      export const told = [];
      export function enter(file, name) {
        told.push(file + ":" + name);
        return { [Symbol.dispose]: () => told.push("end of " + name) };
      }`);
    const source = `
      function fails() { throw new Error("no"); }
      class Runner {
        async run() { await this.step(); try { fails(); } catch {} }
        step() { return Promise.resolve(); }
      }
      export async function traced() { await new Runner().run(); }`;
    const { traced } = await import(moduleOf(instrument(source, "sample.ts", recorder).code));
    const { told } = await import(recorder);
    await traced();
    expect(told).toEqual([
      "sample.ts:traced",
      "sample.ts:Runner.run",
      "sample.ts:Runner.step",
      "end of Runner.step",
      "sample.ts:fails",
      "end of fails",
      "end of Runner.run",
      "end of traced",
    ]);
  });

  it("counts as a change the first file, and each that is another than the one before it", () => {
    const calls: readonly Call[] = [
      { file: "a.ts", name: "one", depth: 0 },
      { file: "a.ts", name: "two", depth: 1 },
      { file: "b.ts", name: "one", depth: 1 },
      { file: "a.ts", name: "two", depth: 2 },
    ];
    expect(figuresOf(calls)).toEqual({ calls: 4, functions: 3, files: 2, changes: 3 });
    expect(pathOf(calls)).toBe("a.ts:one\n  a.ts:two\n  b.ts:one\n    a.ts:two");
  });

  it("refuses a flag and a trip that it does not know", () => {
    expect(readFlags(["--json", "--path", "wake"])).toEqual({ json: true, path: "wake" });
    expect(readFlags(["--jsn"])).toMatch(/^trace: Unknown option '--jsn'/);
    expect(readFlags(["wake"])).toMatch(/^trace: Unexpected argument 'wake'/);
    expect(readFlags(["--path", "sleep"])).toBe(
      'trace: --path is "sleep"; expected one of send, wake, failure, death, redrive.',
    );
  });
});
