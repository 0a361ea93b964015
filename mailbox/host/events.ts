// What a mailbox tells of itself. Every end of a message that is not an ack raises an event, so that
// nothing ends in silence. Events are built only when somebody listens, told only after their
// commit, and can break nothing.

import { channel } from "node:diagnostics_channel";
import { isoTime, now as clockNow } from "../time/clock.ts";
import { writeConsoleLine } from "./console.ts";
import type { DeadLetterReason, StoredError } from "../message/envelope.ts";

/** What an event says of the message it is about. */
export interface EventMessage {
  readonly id: string;
  readonly type: string;
}

/** Everything that can happen in a mailbox. Times are epoch milliseconds. */
export type MailboxEvent =
  | ({ readonly event: "accepted"; readonly dueAt: number } & EventMessage)
  | ({
      readonly event: "delivered";
      readonly attempt: number;
      readonly latenessMs: number;
      readonly durationMs: number;
    } & EventMessage)
  | ({
      readonly event: "attemptFailed";
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly outcome: "threw" | "timedOut" | "crashed";
      readonly error: StoredError;
      readonly nextAt: number;
    } & EventMessage)
  | ({ readonly event: "deferred"; readonly until: number } & EventMessage)
  | ({
      readonly event: "deadLettered";
      readonly reason: DeadLetterReason;
      readonly attempts: number;
      readonly error: StoredError | undefined;
    } & EventMessage)
  | ({ readonly event: "redriven" } & EventMessage)
  | ({ readonly event: "cancelled" } & EventMessage)
  | ({ readonly event: "replaced"; readonly by: string } & EventMessage)
  | ({ readonly event: "notEnqueued"; readonly keptId: string } & EventMessage)
  | ({
      readonly event: "skipped";
      readonly count: number;
      /** So many, or more: a long backlog of a cron rule is counted up to a thousand. */
      readonly atLeast?: true;
      readonly from: number;
      readonly to: number;
    } & EventMessage)
  | ({ readonly event: "parked" } & EventMessage)
  | { readonly event: "released"; readonly type: string; readonly count: number }
  | { readonly event: "healed"; readonly alarm: number | null; readonly head: number }
  | {
      /** A row that something else than the mailbox has written, and what follows from it. A message becomes a dead letter instead. */
      readonly event: "unreadable";
      readonly table: string;
      /** The key of the row. */
      readonly id: string;
      readonly column: string;
      readonly error: StoredError;
    }
  | {
      /**
       * Something is due and cannot be done, so the next wakes wait, longer and longer up to five minutes.
       * Raised when an instance begins to wait, and once an hour while it goes on.
       */
      readonly event: "looping";
      /** How many wakes in a row could do nothing. */
      readonly wakes: number;
      readonly nextAt: number;
    }
  | {
      /** A wake found the class wrong, or too old for the rows: it has touched no message, and tries again. */
      readonly event: "misconfigured";
      readonly error: StoredError;
      /** Undefined when nothing waits. */
      readonly nextAt: number | undefined;
    }
  | {
      readonly event: "alarmFailed";
      readonly retry: number;
      readonly error: StoredError;
      readonly nextAt: number;
    }
  | { readonly event: "alarmDropped"; readonly error: StoredError }
  | ({
      readonly event: "hookFailed";
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly error: StoredError;
      /** Undefined when it was the last. */
      readonly nextAt: number | undefined;
    } & EventMessage)
  | { readonly event: "outboxForked"; readonly target: string }
  | {
      readonly event: "outboxGap";
      readonly sender: string;
      readonly expected: number;
      readonly received: number;
    }
  | { readonly event: "outboxUnbound"; readonly target: string }
  | {
      readonly event: "outboxFailed";
      readonly target: string;
      readonly tries: number;
      readonly error: StoredError;
      readonly nextAt: number;
    }
  | {
      readonly event: "destroyed";
      readonly pending: number;
      readonly recurrences: number;
      readonly deadLetters: number;
      readonly outbox: number;
    }
  | { readonly event: "purged"; readonly id: string }
  | { readonly event: "retentionDeleted"; readonly count: number };

/** The name of the channel of `node:diagnostics_channel` on which every event is published. */
export const CHANNEL = "durable-mailbox";

const diagnostics = channel(CHANNEL);

/** What the channel's subscribers get: the event, and whose it is. */
export interface PublishedEvent {
  readonly actor: { readonly id: string; readonly name: string | undefined };
  readonly event: MailboxEvent;
}

const CONSOLE_LINES_A_WAKE = 20;
const HOUR_MS = 60 * 60 * 1000;
const TRIES_AN_HOUR = 12;
const TARGETS_TOLD = 1_000;

export class Events {
  readonly #actor: PublishedEvent["actor"];
  readonly #listener: () => ((event: MailboxEvent) => void) | undefined;
  #waiting: MailboxEvent[] = [];
  #told = 0;
  #consoleLines = 0;
  /** When the console was last told of a target that takes nothing. */
  readonly #toldOfTarget = new Map<string, number>();
  #failures = 0;

  constructor(id: DurableObjectId, listener: () => ((event: MailboxEvent) => void) | undefined) {
    this.#actor = { id: id.toString(), name: id.name };
    this.#listener = listener;
  }

  /** How often a listener threw. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether anybody would be told: ask before building an event on the hot path. */
  get wanted(): boolean {
    return diagnostics.hasSubscribers || this.#listener() !== undefined;
  }

  /** Whether any were raised that are not told. */
  get areWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** How many events were raised so far; a rollback gives this back to {@link discard}. */
  get mark(): number {
    return this.#told + this.#waiting.length;
  }

  /** Takes back what was raised since the mark, because it never happened. */
  discard(mark: number): void {
    this.#waiting.splice(Math.max(0, mark - this.#told));
  }

  /** Raises an event; it is told with the next {@link flush}. */
  raise(event: MailboxEvent): void {
    this.#waiting.push(event);
  }

  /** Tells what waits. Call it only when what it is about has been committed. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const events = this.#waiting;
    this.#waiting = [];
    this.#told += events.length;
    const listener = this.#listener();
    for (const event of events) {
      if (diagnostics.hasSubscribers) this.#guarded(() => diagnostics.publish({ actor: this.#actor, event }));
      if (listener !== undefined) this.#guarded(() => listener(event));
      else this.#toConsole(event);
    }
  }

  /** A wake begins: console lines are counted anew. */
  startWake(): void {
    this.#consoleLines = 0;
  }

  /** A wake ends: says how many lines were left out. */
  endWake(): void {
    const more = this.#consoleLines - CONSOLE_LINES_A_WAKE;
    if (more > 0) {
      writeConsoleLine(
        "warn",
        `durable-mailbox: ${more} more failures in this wake; set settings.onEvent to see each.`,
      );
    }
    this.#consoleLines = 0;
  }

  /** A target that takes nothing is tried for days: a line at first, and then about one an hour. */
  #targetToConsole(event: Extract<MailboxEvent, { event: "outboxFailed" | "outboxUnbound" }>): void {
    const now = clockNow();
    if (now - (this.#toldOfTarget.get(event.target) ?? Number.NEGATIVE_INFINITY) < HOUR_MS) return;
    // Instances come and go meanwhile; at the longest wait, so many tries are an hour.
    if (event.event === "outboxFailed" && event.tries > 1 && event.tries % TRIES_AN_HOUR > 0) return;
    if (this.#toldOfTarget.size >= TARGETS_TOLD) this.#toldOfTarget.clear();
    this.#toldOfTarget.set(event.target, now);
    this.#consoleLines += 1;
    if (this.#consoleLines > CONSOLE_LINES_A_WAKE) return;
    const why =
      event.event === "outboxUnbound"
        ? "no binding of this code leads there"
        : `${event.error.name}: ${event.error.message}`;
    writeConsoleLine("warn", `durable-mailbox: messages wait for ${event.target}, which takes none: ${why}`);
  }

  #toConsole(event: MailboxEvent): void {
    if (event.event === "outboxFailed" || event.event === "outboxUnbound") {
      this.#targetToConsole(event);
      return;
    }
    if (
      event.event !== "attemptFailed" &&
      event.event !== "deadLettered" &&
      event.event !== "alarmDropped" &&
      event.event !== "misconfigured" &&
      event.event !== "hookFailed" &&
      event.event !== "unreadable"
    )
      return;
    this.#consoleLines += 1;
    if (this.#consoleLines > CONSOLE_LINES_A_WAKE) return;
    const stack =
      event.error?.stack ?? (event.error === undefined ? "" : `${event.error.name}: ${event.error.message}`);
    const detail = stack === "" ? "" : `\n${stack}`;
    switch (event.event) {
      case "attemptFailed":
        writeConsoleLine(
          "warn",
          `durable-mailbox: ${event.type} ${event.id}, attempt ${event.attempt} of ${event.maxAttempts} ${event.outcome}; next ${isoTime(event.nextAt)}${detail}`,
        );
        break;
      case "deadLettered":
        writeConsoleLine(
          "error",
          `durable-mailbox: ${event.type} ${event.id} is a dead letter (${event.reason}) after ${event.attempts} attempts${detail}`,
        );
        break;
      case "hookFailed":
        writeConsoleLine(
          "warn",
          `durable-mailbox: onDeadLetter failed for ${event.type} ${event.id}, attempt ${event.attempt} of ${event.maxAttempts}; ${event.nextAt === undefined ? "it is not tried again" : `next ${isoTime(event.nextAt)}`}${detail}`,
        );
        break;
      case "unreadable":
        writeConsoleLine(
          "error",
          `durable-mailbox: the column ${event.column} of ${event.table}, row ${event.id}, cannot be read${detail}`,
        );
        break;
      case "misconfigured":
        writeConsoleLine(
          "error",
          `durable-mailbox: nothing is delivered; ${event.nextAt === undefined ? "nothing waits" : `next try ${isoTime(event.nextAt)}`}${detail}`,
        );
        break;
      case "alarmDropped":
        writeConsoleLine(
          "error",
          `durable-mailbox: the object's own alarm failed for the last time and was dropped${detail}`,
        );
        break;
    }
  }

  #guarded(tell: () => unknown): void {
    const failed = (): void => {
      this.#failures += 1;
    };
    try {
      const answer = tell();
      // An async listener answers a promise, whatever its type says.
      if (answer instanceof Promise) answer.catch(failed);
    } catch {
      failed();
    }
  }
}
