// What travels between two outboxes, as a test sees it that stands in between.

import type { Scripted } from "./scripted.ts";
import { until } from "./scripted.ts";

/** What a test looks at of a batch. */
export interface SeenBatch {
  readonly epoch: string;
  readonly messages: readonly { readonly n: number; readonly id: string; readonly type: string }[];
}

/** The batch that a call brings; undefined for any other call. */
export function batchOf(call: string): SeenBatch | undefined {
  const { batch } = JSON.parse(call) as { batch?: SeenBatch };
  return batch;
}

/** Waits until nothing waits in an actor's mailbox, nor in its outbox. */
export async function quiet(box: Scripted): Promise<void> {
  await until(async () => {
    const stats = await box.ref.stats().catch(() => undefined);
    return stats !== undefined && stats.pending === 0 && stats.outbox === 0;
  }, "an empty mailbox and outbox");
}
