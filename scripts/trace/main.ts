// Shows how far a message goes through the library, in the real local runtime.
//
//   npm run trace                   a table of the trips
//   npm run trace -- --path wake    one trip, call by call
//   npm run trace -- --json         the last line is one JSON object

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exitOnSignals } from "../signals.ts";
import { figuresOf, pathOf, tableOf, TRIPS } from "./calls.ts";
import { readFlags } from "./flags.ts";
import { Runtime } from "./runtime.ts";
import { makeTrips } from "./trips.ts";

const flags = readFlags(process.argv.slice(2));
if (typeof flags === "string") {
  console.error(flags);
  process.exit(flags.startsWith("Usage") ? 0 : 1);
}

const folder = mkdtempSync(join(tmpdir(), "durable-mailbox-trace-"));
const runtime = new Runtime(folder);
// Also when it ends in the middle, by an error or by Ctrl-C: no process and no folder stays.
process.on("exit", () => {
  runtime.killNow();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});
exitOnSignals();

await runtime.start();
const trips = await makeTrips(runtime);
console.log(flags.path === undefined ? tableOf(trips) : pathOf(trips[flags.path]));
if (flags.json)
  console.log(JSON.stringify(Object.fromEntries(TRIPS.map((trip) => [trip, figuresOf(trips[trip])]))));
runtime.killNow();
