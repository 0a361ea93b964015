// Runs the tests: a line for each file as it ends, then what failed, then `N passed, N failed`.
//
//   npm test                              all but those of test/slow
//   npm test -- test/mailbox g13          only the files whose path contains one of these
//   npm run test:slow                     those that need real minutes
//
// How vitest runs them is in vitest.config.ts. What the runtimes print, much of it about objects that the
// tests kill on purpose, is shown only when vitest itself comes to no end.

import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { exitOnSignals } from "./signals.ts";
import type { Problem, Report } from "./test/reporter.ts";

/** So long nothing may end, not one test: then something hangs that no deadline of a test can reach. */
const SILENCE_MS = 15 * 60_000;
const END_MS = 30_000;
const SHOWN_OUTPUT = 20_000;

const wanted = process.argv.slice(2);
const files = globSync("test/**/*.test.ts")
  .filter((file) =>
    wanted.length > 0 ? wanted.some((part) => file.includes(part)) : !file.startsWith("test/slow/"),
  )
  .toSorted();
const waiting = new Set(files);
const problems: Problem[] = [];
let passed = 0;
let hasEnded = false;
let output = "";

const child = spawn(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", "--reporter=./scripts/test/reporter.ts", ...files],
  { stdio: ["ignore", "pipe", "pipe", "ipc"] },
);
process.on("exit", () => child.kill());
exitOnSignals();

/** Lets vitest take its runtimes with it, if it still can. */
function end(): void {
  child.kill();
  setTimeout(() => child.kill("SIGKILL"), END_MS).unref();
}

const silence = setTimeout(() => {
  problems.push({
    where: [...waiting].join(", "),
    what: `Nothing ended for ${SILENCE_MS / 60_000} minutes.`,
  });
  end();
}, SILENCE_MS);
for (const stream of [child.stdout, child.stderr])
  stream?.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-SHOWN_OUTPUT)));
child.on("message", (report: Report) => {
  silence.refresh();
  switch (report.kind) {
    case "test":
      break;
    case "file":
      note(report);
      break;
    case "end":
      hasEnded = true;
      problems.push(...report.problems);
      break;
  }
});
child.on("close", (code) => {
  clearTimeout(silence);
  for (const file of waiting) problems.push({ where: file, what: "It was not run to its end." });
  if (files.length === 0) problems.push({ where: wanted.join(" "), what: "There is no such test file." });
  if (code !== 0 && problems.length === 0)
    problems.push({ where: "vitest", what: `It ended with ${String(code)}.` });
  if (!hasEnded || waiting.size > 0) console.log(output);
  for (const { where, what } of problems) {
    const text = `\nFAIL ${where}\n${what}`;
    console.log(process.stdout.isTTY ? text : stripVTControlCharacters(text));
  }
  console.log(`\n${passed} passed, ${problems.length} failed`);
  process.exitCode = problems.length === 0 ? 0 : 1;
});

function note(report: Extract<Report, { kind: "file" }>): void {
  const { file, ms } = report;
  waiting.delete(file);
  passed += report.passed;
  const failures = [...report.problems];
  // A file that ran no test says nothing.
  if (report.passed === 0 && failures.length === 0) failures.push({ where: file, what: "It ran no test." });
  problems.push(...failures.map(({ where, what }) => ({ where: `${file} > ${where}`, what })));
  const place = `${files.length - waiting.size}/${files.length}`.padStart(9);
  const counts = `${report.passed} passed${failures.length > 0 ? `, ${failures.length} failed` : ""}`;
  console.log(
    `${place} ${failures.length > 0 ? "FAIL" : "ok  "} ${file} ${counts}, ${(ms / 1_000).toFixed(1)} s`,
  );
}
