// Runs one handler once: in a savepoint when it is synchronous, with its sends held back when it is not.

import type { Core } from "../host/context.ts";
import type { SharedFrame } from "../host/attempt-scope.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { runLater } from "./run-later.ts";
import { SyncRun } from "./run.ts";
import type { Savepoint } from "./savepoint.ts";
import type { Runnable } from "./runnable.ts";

/**
 * Runs it. Answers undefined when all is done and written, or will be when the savepoint is closed that
 * is open now; and a promise when the handler is asynchronous.
 *
 * A crash inside a sync handler leaves nothing of it. A crash between the commit of a sync handler and
 * the next line leaves all of it, ack included. A crash while an async handler is awaited leaves its
 * own writes, none of its sends, and the message.
 *
 * @param frame shared with its page-mates by a handler that is declared sync
 */
export function run(
  core: Core,
  outbox: Outbox,
  savepoint: Savepoint,
  what: Runnable,
  frame?: SharedFrame,
): Promise<void> | undefined {
  if (what.isAsync) return runLater(core, outbox, what);
  const run = new SyncRun(core, outbox, savepoint, what, frame);
  if (!savepoint.isOpen) return savepoint.around(() => run.begin());
  run.begin();
  return undefined;
}
