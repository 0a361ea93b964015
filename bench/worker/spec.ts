// What one measurement is of, and what it answers.

import type { PayloadKind } from "./payloads.ts";

export interface Spec {
  readonly payload: PayloadKind;
  readonly n: number;
  readonly order: "asc" | "random";
  /**
   * What the handler does: nothing; nothing, but not declared sync; write one row; nothing, asynchronously;
   * fail for one message in 100.
   */
  readonly handler: "noop" | "write" | "async" | "fail";
  /** What the floor does with a payload: `none` (drain only: not read), JSON, or superjson. */
  readonly codec: "none" | "json" | "superjson";
  /** The floor commits after each page of 100, too. */
  readonly commits?: boolean;
}

/** Rows and calls that the platform bills, as its own cursors count them. */
export interface Rows {
  readonly read: number;
  readonly written: number;
  readonly setAlarm: number;
}
