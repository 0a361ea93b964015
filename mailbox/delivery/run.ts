// A run of a handler that is synchronous, or seems to be: in a savepoint, which it may share with
// those before it.

import type { Attempt } from "../host/attempt.ts";
import type { Core } from "../host/context.ts";
import { isThenable } from "../host/handlers.ts";
import { RefusedInHandlerError } from "../errors.ts";
import { runIn, type SharedFrame } from "../host/attempt-scope.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { settleLater, writeCompleted } from "./run-later.ts";
import { resultOf, type Runnable } from "./runnable.ts";
import type { Closing, Savepoint } from "./savepoint.ts";

/** What a handler threw; a wrapper, because `undefined` can be thrown too. */
interface Thrown {
  readonly error: unknown;
}

export class SyncRun implements Closing {
  readonly #core: Core;
  readonly #outbox: Outbox;
  readonly #savepoint: Savepoint;
  readonly #run: Runnable;
  readonly #frame: SharedFrame | undefined;
  /** The events and the generation of before: what a rollback goes back to. */
  readonly #mark: number;
  readonly #generation: number;
  #answer: unknown;
  #isLater = false;
  #thrown: Thrown | undefined;

  constructor(
    core: Core,
    outbox: Outbox,
    savepoint: Savepoint,
    run: Runnable,
    frame: SharedFrame | undefined,
  ) {
    this.#core = core;
    this.#outbox = outbox;
    this.#savepoint = savepoint;
    this.#run = run;
    this.#frame = frame;
    this.#mark = core.events.mark;
    this.#generation = core.generation;
  }

  get isThrown(): boolean {
    return this.#thrown !== undefined;
  }

  /** Calls the handler, inside the savepoint. What it throws is the user's; what this throws is our own. */
  begin(): void {
    const savepoint = this.#savepoint;
    const { attempt } = this.#run;
    savepoint.begin();
    try {
      if (this.#frame === undefined) runIn(attempt, () => this.#call());
      else this.#frame.run(attempt, () => this.#call());
      if (this.#isLater && attempt.isSync) throw promised(attempt);
      if (!this.#isLater) attempt.refuseWipe();
    } catch (error) {
      this.#thrown = { error };
      savepoint.close(this);
      return;
    }
    if (this.#isLater) {
      savepoint.close(this);
      attempt.becomeAsync();
      return;
    }
    attempt.complete();
    try {
      const result = { kind: "completed", deferredTo: attempt.deferredTo } as const;
      writeCompleted(this.#core, this.#outbox, this.#run, result);
    } finally {
      if (!savepoint.isShared) savepoint.close(this);
    }
    // It has left nothing to be committed, so it is over, and the next one may begin.
    if (savepoint.isShared) this.#committed();
  }

  undone(): void {
    const { attempt } = this.#run;
    attempt.end();
    attempt.cancelledBy = undefined;
    this.#core.events.discard(this.#mark);
    this.#core.undone(this.#generation);
    // What it answered is observed by nobody now.
    if (this.#isLater) void new Promise((settle) => settle(this.#answer)).catch(() => {});
  }

  closed(): Promise<void> | undefined {
    const { attempt } = this.#run;
    if (this.#thrown !== undefined) {
      this.#run.failed(resultOf(this.#thrown.error));
      this.#core.running = undefined;
      return undefined;
    }
    if (!this.#isLater) return this.#committed();
    attempt.wipe();
    return settleLater(this.#core, this.#outbox, this.#run, () => this.#answer);
  }

  #call(): void {
    this.#answer = this.#run.call();
    // Still the user's: what was returned may have a getter of its own.
    this.#isLater = isThenable(this.#answer);
  }

  #committed(): undefined {
    this.#run.committed?.();
    this.#core.running = undefined;
    this.#run.attempt.release();
  }
}

function promised({ subject }: Attempt): RefusedInHandlerError {
  return new RefusedInHandlerError(
    `The handler of ${subject.type} is declared sync and answered a promise; make it an async function, or leave \`sync\` out.`,
  );
}
