// Tells the harness what happens, by the runtime's output.

import type { Line } from "../testimony.ts";

/** Printed before it returns: whatever dies next, the line is out. */
export function witness(line: Line): void {
  console.log(JSON.stringify(line));
}
