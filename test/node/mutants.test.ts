// The list of mutants and its command line; whether the faults die is what `npm run mutants` sees.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFlags } from "../../scripts/mutants/flags.ts";
import { mutated, type Mutant, problemsOf } from "../../scripts/mutants/mutant.ts";

const fault = (name: string, more: Partial<Mutant> = {}): Mutant => ({
  name,
  file: "code.ts",
  find: "a < b",
  replace: "a <= b",
  tests: ["code.ts"],
  breaks: "A promise.",
  ...more,
});

describe("a mutant", () => {
  let root = "";
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "mutants-test-"));
    writeFileSync(join(root, "code.ts"), "if (a < b) x;\nif (c < d) y;\nif (c < d) z;\n");
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("is put into the one place that its pattern has, as it is written", () => {
    const dollars = fault("dollars", { replace: "a $& $1 b" });
    expect(mutated(dollars, "if (a < b) x;")).toEqual({ text: "if (a $& $1 b) x;" });
  });

  it("is a problem of the check when its pattern has no place, or two", () => {
    expect(problemsOf(root, [fault("good")])).toEqual([]);
    expect(problemsOf(root, [fault("gone", { find: "a > b" })])).toEqual([
      'code.ts: the mutant "gone": its pattern occurs 0 times, and must occur once: "a > b"',
    ]);
    expect(problemsOf(root, [fault("twice", { find: "c < d" })])).toEqual([
      'code.ts: the mutant "twice": its pattern occurs 2 times, and must occur once: "c < d"',
    ]);
  });

  it("is a problem when its file or its test is gone, when it changes nothing, and when another has its name", () => {
    expect(problemsOf(root, [fault("one", { file: "gone.ts" })])).toHaveLength(1);
    expect(problemsOf(root, [fault("one", { tests: ["gone.test.ts"] })])).toHaveLength(1);
    expect(problemsOf(root, [fault("one", { tests: [] })])).toHaveLength(1);
    expect(problemsOf(root, [fault("one", { replace: "a < b" })])).toHaveLength(1);
    expect(problemsOf(root, [fault("one"), fault("one")])).toHaveLength(1);
  });
});

describe("the command line of the mutants", () => {
  const all = ["one", "two", "three", "four", "five"].map((name) => fault(name));
  const numbers = (...args: string[]): unknown => {
    const flags = readFlags(args, all);
    return typeof flags === "string" ? flags : flags.chosen.map(([number]) => number);
  };

  it("takes all, those that are named, by name or number, or one of so many parts", () => {
    expect(numbers()).toEqual([1, 2, 3, 4, 5]);
    expect(numbers("--only", "four", "--only", "2")).toEqual([2, 4]);
    expect(numbers("--shard", "1/2")).toEqual([1, 3, 5]);
    expect(numbers("--shard", "2/2")).toEqual([2, 4]);
    expect(readFlags(["--list"], all)).toMatchObject({ list: true });
  });

  it("refuses what it does not know", () => {
    expect(numbers("--all")).toMatch(/Unknown option '--all'/);
    expect(numbers("one")).toMatch(/Unexpected argument 'one'/);
    expect(numbers("--only", "six")).toMatch(/expected a name, or a number from 1 to 5/);
    for (const shard of ["0/2", "3/2", "2", "a/b"]) expect(numbers("--shard", shard)).toMatch(/--shard is/);
    expect(numbers("--help")).toMatch(/^Usage/);
  });
});
