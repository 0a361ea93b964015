// What the command leaves behind: a table and a chart in bench/results/, and the README's section.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chart } from "./chart.ts";
import type { Result } from "./result.ts";
import { verdicts } from "./targets.ts";
import type { Neighbour } from "./works.ts";

const folder = join(import.meta.dirname, "results");
const readme = join(import.meta.dirname, "../README.md");
const BEGIN = "<!-- bench: written by `npm run bench` -->";
const END = "<!-- /bench -->";

/** Writes all of it. */
export function writeReport(result: Result): void {
  mkdirSync(folder, { recursive: true });
  const text = table(result);
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(folder, "table.md"), `${text}\n\n${targetTable(result)}\n`);
  writeFileSync(join(folder, "chart.svg"), chart(result));
  intoReadme(text);
}

/** The targets and what was measured, for the console. */
export function targetTable(result: Result): string {
  const rows = verdicts(result).map(
    ({ what, value, aim, must, isMet }) =>
      `| ${what} | ${value} | ${aim ?? "–"} | ${must} | ${isMet ? "yes" : "**no**"} |`,
  );
  return [
    "| against the target | measured | aim | must | met |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function intoReadme(text: string): void {
  if (!existsSync(readme)) return;
  const before = readFileSync(readme, "utf8");
  const from = before.indexOf(BEGIN);
  const to = before.indexOf(END);
  if (from < 0 || to < from) return;
  const section = `${BEGIN}\n\n![Time for a message, against the floor and the neighbours](bench/results/chart.svg)\n\n${text}\n\n`;
  writeFileSync(readme, before.slice(0, from) + section + before.slice(to));
}

/** Where a neighbour needs less time than the library, said as it is. */
function faster(neighbours: Readonly<Record<string, Neighbour>>, verb: string): string[] {
  return Object.entries(neighbours)
    .filter(([, { timesOurs }]) => timesOurs < 1)
    .map(([name, { timesOurs }]) => `\`${name}\` ${verb} in ${timesOurs} times the time of this library.`);
}

/** The table for the README: small messages, µs, and the factor to the floor. */
function table({ enqueue, drain, handlers, rows, machine }: Result): string {
  const enqueued = enqueue.small.byPending["1000"];
  const drained = drain.small.byPending["1000"];
  type Figure = number | string | undefined;
  const line = (name: string, ...figures: readonly Figure[]): string =>
    `| ${name} | ${figures.map((figure) => figure ?? "–").join(" | ")} |`;
  const { floor } = rows.contestants;
  const others = Object.entries(enqueued?.neighbours ?? {}).map(([name, { us }]) => {
    const counted = rows.contestants[name];
    return line(
      name,
      us,
      drained?.neighbours[name]?.us,
      (counted?.enqueue.written ?? 0) +
        (counted?.drain.written ?? 0) +
        (counted?.enqueue.setAlarm ?? 0) / 1_000,
      (counted?.enqueue.read ?? 0) + (counted?.drain.read ?? 0),
    );
  });
  return [
    `| 1,000 pending, µs a message | enqueue | drain | rows written | rows read |`,
    "| --- | --- | --- | --- | --- |",
    line(
      "the floor: a bare table, no library",
      enqueued?.floorUs,
      drained?.floorUs,
      (floor?.enqueue.written ?? 0) + (floor?.drain.written ?? 0),
      (floor?.enqueue.read ?? 0) + (floor?.drain.read ?? 0),
    ),
    line("**durable-mailbox**", enqueued?.oursUs, drained?.oursUs, rows.written, rows.read),
    ...others,
    "",
    ...faster(enqueued?.neighbours ?? {}, "enqueues"),
    ...faster(drained?.neighbours ?? {}, "drains"),
    `Ratios to the floor at 10,000 pending: enqueue ${enqueue.small.ratio}; drain ${handlers.write.ratio} with a handler that writes a row, ${drain.small.ratio} with one that does nothing; 5 KB: ${enqueue.medium.ratio} and ${drain.medium.ratio}. At 100,000 pending: ${enqueue.small.byPending["100000"]?.ratio} and ${drain.small.byPending["100000"]?.ratio}. Rows written of the neighbours include their \`setAlarm\` for each message.`,
    "Each side pays for the garbage that it leaves: it is collected before and after each measurement, and counts.",
    `Local workerd, one run, ${machine.cpus} × ${machine.model}, load ${machine.load}: compare the columns, not the microseconds with yours. \`npm run bench\` repeats it.`,
  ].join("\n");
}
