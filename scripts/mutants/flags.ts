// The command line.

import { parseArgs } from "node:util";
import type { Mutant } from "./mutant.ts";

export interface Flags {
  readonly list: boolean;
  /** Those that are meant, each with its number in the whole list. */
  readonly chosen: readonly (readonly [number: number, mutant: Mutant])[];
}

const USAGE = `Usage: npm run mutants -- [--list] [--only NAME|N]... [--shard K/N]

Puts one fault after another into a copy of the code, runs the test files that must fail, and says which
faults die and which live. Ends with 1 when one lives.
  --list         only says which there are
  --only NAME    this one, by its name or its number; may be given again
  --shard K/N    the K-th of N parts of the list`;

/** Reads the flags; answers a sentence when they cannot be, or the usage when it was asked for. */
export function readFlags(args: readonly string[], mutants: readonly Mutant[]): Flags | string {
  let values: { list?: boolean; only?: string[]; shard?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        list: { type: "boolean" },
        only: { type: "string", multiple: true },
        shard: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    return `mutants: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (values.help === true) return USAGE;
  const all = mutants.map((mutant, index) => [index + 1, mutant] as const);
  const { only, shard } = values;
  for (const which of only ?? []) {
    if (!all.some((one) => isMeant(one, which)))
      return `mutants: --only is ${JSON.stringify(which)}; expected a name, or a number from 1 to ${all.length} (see --list).`;
  }
  const named = all.filter((one) => only === undefined || only.some((which) => isMeant(one, which)));
  const [part, parts] = partOf(shard ?? "1/1") ?? [0, 0];
  if (part < 1 || part > parts)
    return `mutants: --shard is ${JSON.stringify(shard)}; expected K/N, such as 2/4.`;
  return { list: values.list === true, chosen: named.filter((_, index) => index % parts === part - 1) };
}

function isMeant([number, { name }]: readonly [number, Mutant], which: string): boolean {
  return name === which || String(number) === which;
}

function partOf(text: string): [part: number, parts: number] | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}
