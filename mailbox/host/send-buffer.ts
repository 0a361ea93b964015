// What a running attempt has sent so far. Nothing of it is on disk: it is written with the ack, or dropped
// with the attempt, so a crash at any moment before the ack leaves none of it.

import { AttemptFullError } from "../errors.ts";
import type { Accepting } from "../message/envelope.ts";

/** A send on its way: to the own mailbox, or by the outbox to another actor. */
export type Outgoing =
  | { readonly to: "self"; readonly message: Accepting }
  | {
      readonly to: "other";
      readonly target: string;
      readonly message: Accepting;
      /** What its row has beside the message, of which the other actor is not told. */
      readonly aside?: { readonly locationHint: string };
    };

/** What was buffered at one moment: the list, and how long it was. */
export interface BufferMark {
  readonly sends: Outgoing[];
  readonly length: number;
}

const MESSAGES_LIMIT = 10_000;
const UNITS_LIMIT = 16 * 1024 * 1024;

export class SendBuffer {
  /** In the order sent. Grows in place; whatever else changes it makes a new list, because a mark may hold this one. */
  #sends: Outgoing[] = [];
  #units = 0;
  /** How many wait for each target. */
  readonly #counts = new Map<string, number>();
  /** Those to the own mailbox that hold a key, by type and key. */
  readonly #keyed = new Map<string, Outgoing>();

  get sends(): readonly Outgoing[] {
    return this.#sends;
  }

  /**
   * @param scope told what is sent in it: a transaction that may be rolled back
   * @throws {AttemptFullError} when the attempt would hold too much
   */
  add(outgoing: Outgoing, scope: Set<Outgoing> | undefined): void {
    const units = this.#units + outgoing.message.payload.length;
    if (this.#sends.length >= MESSAGES_LIMIT || units > UNITS_LIMIT) {
      throw new AttemptFullError(
        `One attempt sends more than ${MESSAGES_LIMIT} messages or 16 MiB; send the rest from a message of its own.`,
      );
    }
    this.#sends.push(outgoing);
    this.#note(outgoing);
    scope?.add(outgoing);
  }

  /** How many messages to one target wait here. */
  countTo(target: string): number {
    return this.#counts.get(target) ?? 0;
  }

  /** The message to the own mailbox that holds a key. */
  holderOf(type: string, key: string): Outgoing | undefined {
    return this.#keyed.get(keyOf(type, key));
  }

  /** The first that matches. */
  find(matches: (outgoing: Outgoing) => boolean): Outgoing | undefined {
    return this.#sends.find(matches);
  }

  /** Drops those that match; how many there were. */
  drop(matches: (outgoing: Outgoing) => boolean): number {
    const before = this.#sends;
    this.#sends = before.filter((outgoing) => {
      const isDropped = matches(outgoing);
      if (isDropped) this.#forget(outgoing);
      return !isDropped;
    });
    return before.length - this.#sends.length;
  }

  dropAll(): void {
    this.#setSends([]);
  }

  /** Changes the first that matches; whether there was one. */
  change(matches: (outgoing: Outgoing) => boolean, to: (message: Accepting) => Accepting): boolean {
    const index = this.#sends.findIndex(matches);
    const found = this.#sends[index];
    if (found === undefined) return false;
    const changed = { ...found, message: to(found.message) };
    this.#sends = this.#sends.with(index, changed);
    this.#forget(found);
    this.#note(changed);
    return true;
  }

  mark(): BufferMark {
    return { sends: this.#sends, length: this.#sends.length };
  }

  /** The transaction since the mark was rolled back, and what was sent, dropped and changed in it never was. */
  takeBack({ sends, length }: BufferMark): void {
    sends.length = length;
    this.#setSends(sends);
  }

  #setSends(sends: Outgoing[]): void {
    this.#sends = sends;
    this.#units = 0;
    this.#counts.clear();
    this.#keyed.clear();
    for (const outgoing of sends) this.#note(outgoing);
  }

  #note(outgoing: Outgoing): void {
    const { message } = outgoing;
    this.#units += message.payload.length;
    if (outgoing.to === "other") this.#counts.set(outgoing.target, this.countTo(outgoing.target) + 1);
    else if (message.key !== undefined) this.#keyed.set(keyOf(message.type, message.key), outgoing);
  }

  #forget(outgoing: Outgoing): void {
    const { message } = outgoing;
    this.#units -= message.payload.length;
    if (outgoing.to === "other") this.#counts.set(outgoing.target, this.countTo(outgoing.target) - 1);
    else if (message.key !== undefined) this.#keyed.delete(keyOf(message.type, message.key));
  }
}

/** No two types and keys have the same. */
function keyOf(type: string, key: string): string {
  return `${type.length}:${type}${key}`;
}
