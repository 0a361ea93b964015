// An alarm that was set before the object had a mailbox is the user's own. The object's constructor asks for it
// once, and it is kept when the tables are made.

import type { MetaStore } from "../store/state.ts";
import type { Wake } from "./wake.ts";

/** What it needs of the mailbox. */
interface Mailbox {
  readonly wake: Wake;
  readonly meta: MetaStore;
  exists(): boolean;
  isReadable(): boolean;
}

export class Adoption {
  /** The alarm that is kept when the tables are made. */
  alarm: number | undefined;
  readonly #mailbox: Mailbox;
  #asked: Promise<void> | undefined;
  /** The user said what the alarm is before it was known: asked for again if that was rolled back. */
  #isCut = false;

  constructor(mailbox: Mailbox) {
    this.#mailbox = mailbox;
  }

  /** While the object starts: the question for that alarm, still open. */
  get asked(): Promise<void> | undefined {
    return this.#asked;
  }

  /** Finds an alarm that was there before the mailbox was. */
  ask(): void {
    const asked = this.#mailbox.wake.foreign().then((alarm) => {
      if (this.#asked !== asked) return;
      this.#asked = undefined;
      if (alarm === null) return;
      this.alarm = alarm;
      // A send of the constructor has made the tables already.
      if (this.#mailbox.isReadable()) this.keep();
    });
    this.#asked = asked;
  }

  /** The tables are there now. */
  keep(): void {
    if (this.alarm !== undefined) this.#mailbox.meta.set("alarm", { time: this.alarm, retry: 0 });
  }

  /** The constructor sets or deletes its alarm itself; whether the question was still open. */
  cut(): boolean {
    const isOpen = this.#asked !== undefined;
    this.#asked = undefined;
    this.#isCut ||= isOpen;
    return isOpen;
  }

  /** What was written may be gone, and with it what the constructor said. */
  rolledBack(): void {
    if (!this.#isCut || this.#mailbox.exists()) return;
    this.#isCut = false;
    this.ask();
  }

  /** All storage is gone. */
  wiped(): void {
    this.#asked = undefined;
    this.alarm = undefined;
    this.#isCut = false;
  }
}
