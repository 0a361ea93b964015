// What a running attempt has sent so far. Nothing of it is on disk: it is written with the ack, or dropped
// with the attempt, so a crash at any moment before the ack leaves none of it.

import { AttemptFullError } from "../errors.ts";
import type { Accepting } from "../message/envelope.ts";
import type { Transactions } from "./transactions.ts";

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

const MESSAGES_LIMIT = 10_000;
const UNITS_LIMIT = 16 * 1024 * 1024;

export class SendBuffer {
  readonly #transactions: Transactions;
  /** By their numbers, which are given in the order sent. */
  readonly #sends = new Map<number, Outgoing>();
  #lastNumber = 0;
  /** Something was put back behind what was sent after it. */
  #isUnsorted = false;
  #units = 0;
  /** How many wait for each target. */
  readonly #counts = new Map<string, number>();
  /** Those to the own mailbox that hold a key, by type and key. */
  readonly #keyed = new Map<string, Outgoing>();

  /** @param transactions what is done in one of them is undone with it */
  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** In the order sent. */
  get sends(): readonly Outgoing[] {
    if (!this.#isUnsorted) return [...this.#sends.values()];
    return [...this.#sends].sort(([a], [b]) => a - b).map(([, outgoing]) => outgoing);
  }

  /** @throws {AttemptFullError} when the attempt would hold too much */
  add(outgoing: Outgoing): void {
    const units = this.#units + outgoing.message.payload.length;
    if (this.#sends.size >= MESSAGES_LIMIT || units > UNITS_LIMIT) {
      throw new AttemptFullError(
        `One attempt sends more than ${MESSAGES_LIMIT} messages or 16 MiB; send the rest from a message of its own.`,
      );
    }
    this.#lastNumber += 1;
    this.#put(this.#lastNumber, outgoing);
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
    return this.#first(matches)?.[1];
  }

  /** Drops those that match; how many there were. */
  drop(matches: (outgoing: Outgoing) => boolean): number {
    const matching = [...this.#sends].filter(([, outgoing]) => matches(outgoing));
    for (const [number] of matching) this.#put(number, undefined);
    return matching.length;
  }

  dropAll(): void {
    this.drop(() => true);
  }

  /** Changes the first that matches; whether there was one. */
  change(matches: (outgoing: Outgoing) => boolean, to: (message: Accepting) => Accepting): boolean {
    const found = this.#first(matches);
    if (found === undefined) return false;
    const [number, outgoing] = found;
    this.#put(number, { ...outgoing, message: to(outgoing.message) });
    return true;
  }

  #first(matches: (outgoing: Outgoing) => boolean): [number: number, outgoing: Outgoing] | undefined {
    for (const entry of this.#sends) if (matches(entry[1])) return entry;
    return undefined;
  }

  /** Puts a send in the place of a number, or takes away what is there. If the transaction is rolled back it never was. */
  #put(number: number, outgoing: Outgoing | undefined): void {
    const before = this.#set(number, outgoing);
    this.#transactions.current?.noteUndo(() => {
      if (outgoing === undefined) this.#isUnsorted = true;
      this.#set(number, before);
    });
  }

  #set(number: number, outgoing: Outgoing | undefined): Outgoing | undefined {
    const before = this.#sends.get(number);
    if (before !== undefined) this.#forget(before);
    if (outgoing === undefined) this.#sends.delete(number);
    else {
      this.#sends.set(number, outgoing);
      this.#note(outgoing);
    }
    return before;
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
