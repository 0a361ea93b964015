// One run of a handler: how far it is, and what it has sent so far.

import type { Accepting } from "../message/envelope.ts";
import { AttemptFullError } from "../errors.ts";

/** A send on its way: to the own mailbox, or by the outbox to another actor. */
export type Outgoing =
  | { readonly to: "self"; readonly message: Accepting }
  | { readonly to: "other"; readonly target: string; readonly message: Accepting };

/** A send of a sync attempt: written already, inside the handler's transaction, and how to take it back. */
interface Written {
  readonly outgoing: Outgoing;
  readonly undo: () => void;
}

/** What an attempt had sent at one moment: the arrays, and how long they were. */
interface Mark {
  readonly buffered: Outgoing[];
  readonly bufferedCount: number;
  readonly written: Written[];
  readonly writtenCount: number;
  readonly messages: number;
  readonly units: number;
  readonly deleteAllRequested: boolean;
}

const MESSAGES_LIMIT = 10_000;
const UNITS_LIMIT = 16 * 1024 * 1024;

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
  readonly owner: object;
  readonly subject: Subject;
  /** Whether its lease is on disk, and so has to be cleared with its outcome. */
  readonly leased: boolean;
  /** Whether its handler is declared sync. */
  readonly isSync: boolean;
  /** Sync: sends are written at once, inside one transaction. Async: they wait in memory for the ack. */
  mode: "sync" | "async";
  /** Cancelled while it runs: what it sends still commits if it resolves; if it fails nothing follows. */
  cancelled = false;
  deferredTo: number | undefined;
  /** `deleteAll()` inside a sync handler is noted, and done right after the commit. */
  deleteAllRequested = false;
  #state: "running" | "completed" | "ended" = "running";
  #buffered: Outgoing[] = [];
  #written: Written[] = [];
  #messages = 0;
  #units = 0;
  #controller: AbortController | undefined;
  #abortReason: unknown;
  #waited = false;
  #onWait: (() => void) | undefined;

  constructor(owner: object, subject: Subject, mode: "sync" | "async", leased: boolean, isSync: boolean) {
    this.owner = owner;
    this.subject = subject;
    this.mode = mode;
    this.leased = leased;
    this.isSync = isSync;
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

  get buffered(): readonly Outgoing[] {
    return this.#buffered;
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

  /**
   * Its outcome is written, or it has failed. The async context of its handler keeps the attempt, for as long as anything
   * that was left behind does and then until the garbage is collected; it need not keep all that was run.
   */
  release(): void {
    this.#onWait = undefined;
    this.#buffered = [];
    this.#written = [];
  }

  /** Counts sends against the attempt's cap, all or none. @throws {AttemptFullError} */
  count(outgoings: readonly Outgoing[]): void {
    const messages = this.#messages + outgoings.length;
    const units = outgoings.reduce((sum, { message }) => sum + message.payload.length, this.#units);
    if (messages > MESSAGES_LIMIT || units > UNITS_LIMIT) {
      throw new AttemptFullError(
        `One attempt sends more than ${MESSAGES_LIMIT} messages or 16 MiB; send the rest from a message of its own.`,
      );
    }
    this.#messages = messages;
    this.#units = units;
  }

  /** @param scope told what is sent in it: a transaction that may be rolled back */
  buffer(outgoings: readonly Outgoing[], scope: Set<Outgoing> | undefined): void {
    this.count(outgoings);
    for (const outgoing of outgoings) {
      this.#buffered.push(outgoing);
      scope?.add(outgoing);
    }
  }

  /** What it has sent so far, for {@link takeBack}. */
  mark(): Mark {
    return {
      buffered: this.#buffered,
      bufferedCount: this.#buffered.length,
      written: this.#written,
      writtenCount: this.#written.length,
      messages: this.#messages,
      units: this.#units,
      deleteAllRequested: this.deleteAllRequested,
    };
  }

  /** The transaction since the mark was rolled back, and so was what it sent. */
  takeBack(mark: Mark): void {
    mark.buffered.length = mark.bufferedCount;
    mark.written.length = mark.writtenCount;
    this.#buffered = mark.buffered;
    this.#written = mark.written;
    this.#messages = mark.messages;
    this.#units = mark.units;
    this.deleteAllRequested = mark.deleteAllRequested;
  }

  /** Notes a send of a sync attempt that was written at once. */
  wrote(outgoing: Outgoing, undo: () => void): void {
    this.#written.push({ outgoing, undo });
  }

  /** How many messages to one target wait in memory. */
  countTo(target: string): number {
    return this.#buffered.filter((outgoing) => outgoing.to === "other" && outgoing.target === target).length;
  }

  /** The first of what was sent and still waits in memory that matches. */
  find(matches: (outgoing: Outgoing) => boolean): Outgoing | undefined {
    return this.#buffered.find(matches);
  }

  /** Takes back what was sent and matches, so that it is not written with the ack; how many waited in memory. */
  drop(matches: (outgoing: Outgoing) => boolean): number {
    const before = this.#buffered.length;
    this.#buffered = this.#buffered.filter((outgoing) => !matches(outgoing));
    // The row of one that was written at once is deleted by whoever asks; it must not come back either.
    this.#written = this.#written.filter(({ outgoing }) => !matches(outgoing));
    return before - this.#buffered.length;
  }

  /** Changes the first of what waits in memory that matches; whether there was one. */
  change(matches: (outgoing: Outgoing) => boolean, to: (message: Accepting) => Accepting): boolean {
    // The row of one that was written at once is changed by whoever asks; taken back, it is changed too.
    this.#written = this.#written.map((written) =>
      matches(written.outgoing)
        ? { ...written, outgoing: { ...written.outgoing, message: to(written.outgoing.message) } }
        : written,
    );
    const index = this.#buffered.findIndex(matches);
    const found = this.#buffered[index];
    if (found === undefined) return false;
    this.#buffered = this.#buffered.with(index, { ...found, message: to(found.message) });
    return true;
  }

  /**
   * A plain function turned out to answer a promise: the sends of its synchronous prefix are taken
   * back before that prefix commits, and wait in memory like those of any async attempt.
   */
  becomeAsync(): void {
    for (const { undo } of this.#written.toReversed()) undo();
    this.#buffered = this.#written.map(({ outgoing }) => outgoing);
    this.#written = [];
    this.mode = "async";
  }
}
