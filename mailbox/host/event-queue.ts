// Events on their way to whoever is told: raised with what they are about, told only after its commit, and taken back
// with it when it is rolled back. Successes are raised only when somebody listens; nobody who listens can break anything.

import { Channel } from "./channel.ts";
import { Lines } from "./console.ts";
import type { Audience, EventActor, Happening, MailboxEvent } from "./events.ts";
import { now as clockNow } from "../time/clock.ts";

/** What an object tells outside of its wakes is bounded by the second. */
const WINDOW_MS = 1_000;

export class EventQueue {
  readonly #actor: EventActor;
  readonly #audience: () => Audience;
  readonly #channel: Channel;
  readonly #lines: Lines;
  #waiting: Happening[] = [];
  #told = 0;
  #isInWake = false;
  #windowAt = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor(actor: EventActor, audience: () => Audience) {
    this.#actor = actor;
    this.#audience = audience;
    this.#channel = new Channel(actor);
    this.#lines = new Lines(actor);
  }

  /** How often a listener threw. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether anybody would be told of a success: ask before building an event on the hot path. */
  get wanted(): boolean {
    const { onEvent, allEvents } = this.#audience();
    return onEvent !== undefined || this.#channel.wantsSuccess(allEvents);
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
  raise(event: Happening): void {
    this.#waiting.push(event);
  }

  /** Tells what waits. Call it only when what it is about has been committed. */
  flush(): void {
    const now = clockNow();
    if (!this.#isInWake && now - this.#windowAt >= WINDOW_MS) this.#openWindow(now);
    const events = this.#waiting;
    this.#waiting = [];
    this.#told += events.length;
    if (events.length > 0) this.#tell(events);
    // In a wake that is said at its end.
    if (this.#isInWake) return;
    this.#guarded(() => this.#channel.close());
    this.#lines.close();
  }

  /** A wake begins: what it may tell is counted anew. */
  startWake(): void {
    this.#isInWake = true;
    this.#openWindow(clockNow());
  }

  /** A wake ends: the next flush is its last, and says how much was left out. */
  endWake(): void {
    this.#isInWake = false;
    this.#windowAt = clockNow();
  }

  #openWindow(now: number): void {
    this.#windowAt = now;
    this.#channel.open();
    this.#lines.open();
  }

  #tell(events: readonly Happening[]): void {
    const audience = this.#audience();
    const { onEvent } = audience;
    for (const happening of events) {
      const event: MailboxEvent = { ...happening, actor: this.#actor };
      if (onEvent !== undefined) this.#guarded(() => onEvent(event));
      this.#channel.tell(event, audience.allEvents, (tell) => this.#guarded(tell));
      if (audience.console) this.#lines.tell(happening, audience.types);
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
