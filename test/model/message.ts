// A message, as the model has it.

import type { Spec } from "./plan.ts";

/** A message that waits. */
export interface Message {
  readonly id: string;
  readonly label: number;
  readonly kind: Spec["kind"];
  due: number;
  attempt: number;
  key: string | null;
  readonly maxAttempts: number;
  readonly backoff: number;
  readonly expiresAt: number | undefined;
  /** Its run is leased, whatever the wake looks like. */
  readonly suspicious: boolean;
  /** Attempts of the lives before its redrives. */
  readonly earlier: number;
  errors: number;
  readonly recurrence: string | undefined;
}
