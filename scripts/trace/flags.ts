// The command line.

import { parseArgs } from "node:util";
import { TRIPS, type TripName } from "./calls.ts";

export interface Flags {
  readonly json: boolean;
  readonly path: TripName | undefined;
}

const USAGE = `Usage: npm run trace -- [--json] [--path TRIP]

Drives messages through the local runtime, with each function of mailbox/ and actors/ made to tell when it is
called, and prints how many calls, functions, files and changes of file each trip takes.
  --json        the last line is one JSON object of the trips
  --path TRIP   every call of one trip in its order, below the one that makes it

  send      ref(…).sendIn in a Worker: over RPC to a row, an alarm and the answer
  wake      the object's first wake, which delivers one message to a plain function
  failure   the first attempt throws: the message waits for its next
  death     the last attempt throws: the message becomes a dead letter
  redrive   ref(…).redrive of that dead letter

Functions, methods, accessors and constructors count; arrow functions are part of what they are written in.`;

/** Reads the flags; answers a sentence when they cannot be, or the usage when it was asked for. */
export function readFlags(args: readonly string[]): Flags | string {
  let values: { json?: boolean; path?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { json: { type: "boolean" }, path: { type: "string" }, help: { type: "boolean" } },
    }));
  } catch (error) {
    return `trace: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (values.help === true) return USAGE;
  const path = TRIPS.find((trip) => trip === values.path);
  if (values.path !== undefined && path === undefined)
    return `trace: --path is ${JSON.stringify(values.path)}; expected one of ${TRIPS.join(", ")}.`;
  return { json: values.json === true, path };
}
