// One run of a handler: how far it is, who has cancelled it, and what it has sent so far.

import { RefusedInHandlerError } from "../errors.ts";
import { type Outgoing, SendBuffer } from "./send-buffer.ts";
import type { Transactions } from "./transactions.ts";

/** The mailbox that an attempt belongs to. */
export interface Owner {
  readonly transactions: Transactions;
}

/** All storage is to be deleted, and whoever asked for it waits. */
interface Wipe {
  readonly run: () => Promise<void>;
  readonly done: PromiseWithResolvers<void>;
}

/** What runs: an envelope, the hook of a dead letter, or the user's alarm. */
export interface Subject {
  readonly kind: "message" | "hook" | "alarm";
  readonly id: string;
  readonly type: string;
  readonly due: number;
  readonly attempt: number;
}

export class Attempt {
  /** The mailbox it belongs to: objects of one isolate share the async-local store. */
  readonly owner: Owner;
  readonly subject: Subject;
  /** Whether its lease is on disk, and so has to be cleared with its outcome. */
  readonly leased: boolean;
  /** Sync: a plain function that has not answered yet, in a savepoint, where no time passes. */
  mode: "sync" | "async";
  /**
   * Who has cancelled its message while it runs. After another's cancel its end is of no consequence, and
   * what it sends is dropped. After its own what it sends is sent if it completes; if it fails nothing follows.
   */
  cancelledBy: "itself" | "another" | undefined;
  deferredTo: number | undefined;
  #state: "running" | "completed" | "ended" = "running";
  /** Made by the first send: most handlers send nothing. */
  #buffer: SendBuffer | undefined;
  #wipe: Wipe | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  #waited = false;
  #onWait: (() => void) | undefined;

  constructor(owner: Owner, subject: Subject, mode: "sync" | "async", leased: boolean) {
    this.owner = owner;
    this.subject = subject;
    this.mode = mode;
    this.leased = leased;
  }

  get state(): "running" | "completed" | "ended" {
    return this.#state;
  }

  /** Made when somebody looks: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Time has passed, and others got in, since it began. */
  get waited(): boolean {
    return this.#waited;
  }

  /** Whoever drains has to wait for it. */
  wait(): void {
    if (this.#waited) return;
    this.#waited = true;
    // It may have ended in the very last moment: then nobody waits for it.
    if (this.#state === "running") this.#onWait?.();
  }

  /** Has somebody told when it is waited for, at once if it is already. */
  onWait(tell: () => void): void {
    if (this.#waited) tell();
    else this.#onWait = tell;
  }

  /** What it has sent so far: written with its ack, in this order. */
  get buffered(): readonly Outgoing[] {
    return this.#buffer?.sends ?? NOTHING;
  }

  /** How many of its sends wait for one target. */
  bufferedTo(target: string): number {
    return this.#buffer?.countTo(target) ?? 0;
  }

  /** Where its sends wait for its ack. */
  get buffer(): SendBuffer {
    return (this.#buffer ??= new SendBuffer(this.owner.transactions));
  }

  abort(reason: unknown): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }

  complete(): void {
    this.#state = "completed";
  }

  /** Failed or timed out: nothing that is left of it may use a verb. */
  end(): void {
    this.#state = "ended";
    this.release();
  }

  /** A plain function's savepoint was rolled back: it has failed, and whom it had cancelled is not. */
  rolledBack(): void {
    this.end();
    this.cancelledBy = undefined;
  }

  /**
   * Its outcome is written, or it has failed. The async context of its handler keeps the attempt, for as long as anything
   * that was left behind does and then until the garbage is collected; it need not keep all that was run.
   */
  release(): void {
    this.#onWait = undefined;
    this.#buffer = undefined;
  }

  /**
   * A plain function asks for all storage to be deleted: inside its savepoint that would wipe at once and
   * then throw. So it follows when the function has returned its promise and the savepoint is closed.
   */
  wipeLater(run: () => Promise<void>): Promise<void> {
    if (this.#wipe === undefined) {
      this.#wipe = { run, done: Promise.withResolvers() };
      this.owner.transactions.current?.noteUndo(() => {
        this.#refuseWipe("it was called in a transaction that was rolled back");
        this.#wipe = undefined;
      });
    }
    return this.#wipe.done.promise;
  }

  /**
   * A plain function has answered no promise, so whoever it asked to delete all storage would be told of
   * the end before it was done.
   *
   * @throws {RefusedInHandlerError} when it has asked for it
   */
  refuseWipe(): void {
    if (this.#wipe !== undefined) throw this.#refuseWipe("the handler answered no promise to wait for it by");
  }

  /** A plain function turned out to answer a promise, and what it did so far is about to be committed. */
  becomeAsync(): void {
    this.mode = "async";
  }

  /** What a plain function did before its promise is committed: deletes all storage, if it has asked for that. */
  wipe(): void {
    const wipe = this.#wipe;
    this.#wipe = undefined;
    wipe?.done.resolve(wipe.run());
  }

  #refuseWipe(why: string): RefusedInHandlerError {
    const error = new RefusedInHandlerError(
      `deleteAll() was not done, because ${why}; return or await what deleteAll() answers.`,
    );
    const { done } = this.#wipe ?? {};
    // Whoever threw the promise away is told by the attempt.
    done?.promise.catch(() => {});
    done?.reject(error);
    return error;
  }
}

const NOTHING: readonly Outgoing[] = [];
