// What a trip of a message is made of: the calls of the library's functions, in the order in which they are
// entered.

/** One call of a function of the library. */
export interface Call {
  /** Its path in the repository. */
  readonly file: string;
  readonly name: string;
  /** How many calls of the library it is made from, as far as the engine's stack knows: an RPC or a timer begins anew. */
  readonly depth: number;
}

/** What the Worker has recorded since it was asked last. */
export interface Recording {
  readonly calls: readonly Call[];
  /** How many calls of all have not ended. */
  readonly open: number;
  /** When a handler ran, in epoch milliseconds. */
  readonly ranAt: readonly number[];
}

export const TRIPS = ["send", "wake", "failure", "death", "redrive"] as const;

export type TripName = (typeof TRIPS)[number];

export type Trips = Readonly<Record<TripName, readonly Call[]>>;

/** What can be compared of two trips. */
export interface Figures {
  readonly calls: number;
  /** How many functions were called at least once. */
  readonly functions: number;
  readonly files: number;
  /** How often a reader opens another file: for the first call, and for each in another file than the call before it. */
  readonly changes: number;
}

export function figuresOf(calls: readonly Call[]): Figures {
  return {
    calls: calls.length,
    functions: new Set(calls.map(({ file, name }) => `${file}:${name}`)).size,
    files: new Set(calls.map(({ file }) => file)).size,
    changes: calls.filter(({ file }, index) => file !== calls[index - 1]?.file).length,
  };
}

/** The way of a message, to be read from the top: each call below the one that makes it. */
export function pathOf(calls: readonly Call[]): string {
  return calls.map(({ file, name, depth }) => `${"  ".repeat(depth)}${file}:${name}`).join("\n");
}

export function tableOf(trips: Trips): string {
  const columns = ["calls", "functions", "files", "changes"] as const;
  const rows = TRIPS.map((trip) => {
    const figures = figuresOf(trips[trip]);
    return [trip, ...columns.map((column) => String(figures[column]))];
  });
  return [["trip", ...columns], ...rows]
    .map(([trip = "", ...cells]) => trip.padEnd(10) + cells.map((cell) => cell.padStart(11)).join(""))
    .join("\n");
}
