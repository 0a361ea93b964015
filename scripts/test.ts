// Runs every test file in a runtime of its own, two at a time. Tests that crash all objects at once
// would, in one runtime, take the test runner's own objects of other files with them.

import { spawn } from "node:child_process";
import { globSync } from "node:fs";

const TOGETHER = 2;
const FILE_TIMEOUT_MS = 180_000;

const wanted = process.argv.slice(2);
const files = (wanted.length > 0 ? wanted : globSync("test/**/*.test.ts")).toSorted();
let passed = 0;
let failed = 0;

function run(file: string): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn("node", ["node_modules/vitest/vitest.mjs", "run", file], {
      timeout: FILE_TIMEOUT_MS,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("close", (code) => {
      const count = (word: string): number =>
        Number(new RegExp(`Tests .*?(\\d+) ${word}`).exec(output)?.[1] ?? 0);
      passed += count("passed");
      // A file that ran no test, crashed or was too slow has failed, whatever it counted.
      const isGood = code === 0 && count("passed") > 0;
      failed += isGood ? 0 : Math.max(1, count("failed"));
      console.log(`${isGood ? "ok  " : "FAIL"} ${file} ${count("passed")} passed`);
      if (!isGood) console.log(output);
      resolve();
    });
  });
}

const queue = [...files];
await Promise.all(
  Array.from({ length: TOGETHER }, async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) await run(file);
  }),
);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
