// The only lines that the library writes by itself: what a person has to know who has set up nothing. Each failure has
// a line, what repeats itself one a wake, and all together at most twenty.

import type { EventActor, Happening } from "./events.ts";
import { isoTime, now as clockNow } from "../time/clock.ts";
import type { StoredError } from "../message/envelope.ts";

const LINES_A_WAKE = 20;
const HOUR_MS = 60 * 60 * 1000;
const TRIES_AN_HOUR = 12;
const TARGETS_TOLD = 1_000;
const TYPES_SHOWN = 20;

interface Line {
  readonly level: "warn" | "error";
  readonly text: string;
  /** Lines of the same name are one a wake. */
  readonly once?: string;
}

export class Lines {
  readonly #whose: string;
  #count = 0;
  #leftOut = 0;
  readonly #said = new Set<string>();
  /** When it was last told of a target that takes nothing. */
  readonly #toldOfTarget = new Map<string, number>();

  constructor({ className, name, id }: EventActor) {
    this.#whose = `${className} ${name === undefined ? "" : `${JSON.stringify(name)} `}${id}`;
  }

  /** Lines are counted anew. */
  open(): void {
    this.#count = 0;
    this.#said.clear();
  }

  tell(event: Happening, types: Iterable<string>): void {
    if (!this.#isNewOfTarget(event)) return;
    const line = lineOf(event, types);
    if (line === undefined) return;
    if (this.#count >= LINES_A_WAKE || (line.once !== undefined && this.#said.has(line.once))) {
      this.#leftOut += 1;
      return;
    }
    this.#count += 1;
    if (line.once !== undefined) this.#said.add(line.once);
    this.#write(line.level, line.text);
  }

  /** Says how many lines were left out. */
  close(): void {
    if (this.#leftOut === 0) return;
    this.#write(
      "warn",
      `${this.#leftOut} more lines of this wake were left out; settings.onEvent is told of each`,
    );
    this.#leftOut = 0;
  }

  /** A target that takes nothing is tried for days: a line at first, and then about one an hour. */
  #isNewOfTarget(event: Happening): boolean {
    if (event.event !== "outboxFailed" && event.event !== "outboxUnbound") return true;
    const now = clockNow();
    if (now - (this.#toldOfTarget.get(event.target) ?? Number.NEGATIVE_INFINITY) < HOUR_MS) return false;
    // Instances come and go meanwhile; at the longest wait, so many tries are an hour.
    if (event.event === "outboxFailed" && event.tries > 1 && event.tries % TRIES_AN_HOUR > 0) return false;
    if (this.#toldOfTarget.size >= TARGETS_TOLD) this.#toldOfTarget.clear();
    this.#toldOfTarget.set(event.target, now);
    return true;
  }

  /** A console that throws breaks nothing. */
  #write(level: Line["level"], text: string): void {
    try {
      console[level](`durable-mailbox: ${this.#whose}: ${text}`);
    } catch {
      // Nobody is left to be told.
    }
  }
}

/** What a person is told of an event; nothing of what is as it should be. */
function lineOf(event: Happening, types: Iterable<string>): Line | undefined {
  switch (event.event) {
    case "attemptFailed":
      return warn(
        `${event.type} ${event.id}, attempt ${event.attempt} of ${event.maxAttempts} ${event.outcome}; next ${isoTime(event.nextAt)}`,
        event.error,
      );
    case "deadLettered":
      return error(
        `${event.type} ${event.id} is a dead letter (${event.reason}) after ${event.attempts} attempts`,
        event.error,
      );
    case "hookFailed":
      return warn(
        `onDeadLetter failed for ${event.type} ${event.id}, attempt ${event.attempt} of ${event.maxAttempts}; ${event.nextAt === undefined ? "it is not tried again" : `next ${isoTime(event.nextAt)}`}`,
        event.error,
      );
    case "alarmFailed":
      return warn(`the object's own alarm failed; next ${isoTime(event.nextAt)}`, event.error);
    case "alarmDropped":
      return error("the object's own alarm failed for the last time and was dropped", event.error);
    case "misconfigured":
      return error(
        `nothing is delivered; ${event.nextAt === undefined ? "nothing waits" : `next try ${isoTime(event.nextAt)}`}`,
        event.error,
      );
    case "unreadable":
      return error(
        `the column ${event.column} of ${event.table}, row ${event.id}, cannot be read`,
        event.error,
      );
    case "parked":
      return {
        level: "warn",
        text: `messages of the type ${JSON.stringify(event.type)} are parked, ${event.id} for one, because receive has no handler for it; it has ${listed(types)}`,
        once: `parked ${event.type}`,
      };
    case "looping":
      return {
        level: "error",
        text: `${event.wakes} wakes in a row could do nothing though something is due; next try ${isoTime(event.nextAt)}`,
        once: event.event,
      };
    case "healed":
      return {
        level: "warn",
        text: `the alarm was ${event.alarm === null ? "lost" : `set for ${isoTime(event.alarm)}`}, and something was to be done ${isoTime(event.head)}: it is set anew`,
        once: event.event,
      };
    case "skipped":
      return {
        level: "warn",
        text: `${event.atLeast === true ? "at least " : ""}${event.count} occurrences of ${event.id} were skipped, planned from ${isoTime(event.from)} to ${isoTime(event.to)}`,
        once: `skipped ${event.id}`,
      };
    case "retentionDeleted":
      return {
        level: "warn",
        text: `${event.count} dead letters past their retention were deleted`,
        once: event.event,
      };
    case "outboxFailed":
      return { level: "warn", text: takesNone(event.target, `${event.error.name}: ${event.error.message}`) };
    case "outboxUnbound":
      return { level: "warn", text: takesNone(event.target, "no binding of this code leads there") };
    case "outboxForked":
      return {
        level: "warn",
        text: `${event.target} knows of messages of this object that it does not know of itself: its storage was put back, and what waits is sent again`,
        once: `forked ${event.target}`,
      };
    case "outboxGap":
      return {
        level: "warn",
        text: `messages from ${event.sender} are missing here, of which it knows that they had arrived: the storage of this object was put back`,
        once: `gap ${event.sender}`,
      };
    case "accepted":
    case "delivered":
    case "deferred":
    case "redriven":
    case "cancelled":
    case "replaced":
    case "notEnqueued":
    case "released":
    case "destroyed":
    case "purged":
      return undefined;
  }
}

function warn(text: string, cause: StoredError | undefined): Line {
  return { level: "warn", text: text + detailOf(cause) };
}

function error(text: string, cause: StoredError | undefined): Line {
  return { level: "error", text: text + detailOf(cause) };
}

function detailOf(cause: StoredError | undefined): string {
  if (cause === undefined) return "";
  return `\n${cause.stack ?? `${cause.name}: ${cause.message}`}`;
}

function takesNone(target: string, why: string): string {
  return `messages wait for ${target}, which takes none: ${why}`;
}

function listed(types: Iterable<string>): string {
  const names = [...types];
  const shown = names.slice(0, TYPES_SHOWN).join(", ");
  return names.length === 0 ? "none" : names.length > TYPES_SHOWN ? `${shown}, …` : shown;
}
