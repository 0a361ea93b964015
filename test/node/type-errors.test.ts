import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const FILE = "test/types/wrong/sends.ts";

/** What the compiler says of each line of the file: a message may go on over several lines. */
function said(): Map<number, string> {
  const { stdout } = spawnSync(
    "node",
    ["node_modules/typescript/bin/tsc", "-p", "test/types/wrong", "--pretty", "false"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  const messages = new Map<number, string>();
  let line = 0;
  for (const text of stdout.split("\n")) {
    const at = /^test\/types\/wrong\/sends\.ts\((\d+),/.exec(text);
    if (at !== null) line = Number(at[1]);
    messages.set(line, `${messages.get(line) ?? ""}${text}\n`);
  }
  return messages;
}

describe("the compiler tells of a slip", () => {
  it("what was wrong: a payload that is missing, the types that there are, the field that was meant", () => {
    const lines = readFileSync(new URL(FILE, root), "utf8").split("\n");
    const messages = said();
    const wrong = lines.flatMap((line, index) => {
      const [, words] = /; \/\/ (.+)$/.exec(line) ?? [];
      return words === undefined ? [] : [{ line: index + 1, words }];
    });
    expect(wrong.length).toBeGreaterThan(10);
    for (const { line, words } of wrong) expect(messages.get(line), `line ${line}`).toContain(words);
    const others = [...messages.keys()].filter((line) => line > 0 && !wrong.some((one) => one.line === line));
    expect(others, [...messages.values()].join("\n")).toEqual([]);
  });
});
