// The only lines the library writes by itself, and only while nobody listens to its events.

/** Writes one line; a console that throws breaks nothing. */
export function writeConsoleLine(level: "warn" | "error", line: string): void {
  try {
    console[level](line);
  } catch {
    // Nobody is left to be told.
  }
}
