// Reads what the runtime has printed.

import type { Line } from "./testimony.ts";

/** The lines of one life. The last may have been cut by the kill; the runtime's own are no JSON. */
export function linesOf(output: string): Line[] {
  return output.split("\n").flatMap((text) => {
    if (!text.startsWith("{")) return [];
    try {
      return [JSON.parse(text) as Line];
    } catch {
      return [];
    }
  });
}
