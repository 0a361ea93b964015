// What the plan says of one life of the runtime: the code that runs, and who is out of order.

/**
 * The version of the code. `old` does not know all types of messages. `wrong settings` cannot be parsed, and
 * `newer schema` finds storage that a later version has written to: of both, nothing may be delivered, and
 * nothing may be lost.
 */
export type Code = "new" | "old" | "wrong settings" | "newer schema";

/** How an actor does not answer: it throws, never answers, or does what it is asked and then throws. */
export type Outage = "throws" | "hangs" | "deaf";

/** What the actors know of the life they are in. */
export interface Present {
  readonly code: Code;
  /** By the number of the actor. */
  readonly outages: Readonly<Record<number, Outage>>;
  /** How often the answer to a call is lost on its way. */
  readonly lossRate: number;
}

export interface Life extends Present {
  /** How long it lasts until the runtime is killed. */
  readonly ms: number;
  /** What is done to the storage after its end. */
  readonly surgery: "none" | "keep a copy" | "put back one" | "put back all";
}

export const GOOD: Present = { code: "new", outages: {}, lossRate: 0 };
