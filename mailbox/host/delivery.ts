// What a handler is given beside its payload. The fields are read off the row when somebody looks:
// most handlers never do.

import type { Attempt } from "./attempt.ts";
import { now as clockNow } from "../time/clock.ts";
import { parseOptions } from "../message/columns.ts";
import type { Envelope, EnvelopeOptions, From } from "../message/envelope.ts";
import { AttemptEndedError, InvalidDeliveryError } from "../errors.ts";
import type { AnyMessages, MessageOf } from "../message/message-map.ts";
import { sentOfId } from "../message/id.ts";
import type { SendOptions } from "../message/send-options.ts";
import { type Duration, parseDuration, parseMoment } from "../time/duration.ts";

/** Sends back to whoever sent the message, by the outbox. */
export interface Reply {
  /**
   * Sends a message back, by the outbox. Typed when given a map: `delivery.reply<CartMessages>("paid", { … })`.
   *
   * @returns the id of the message
   * @throws {NoReplyAddressError} when the sender is no actor, or one of a namespace that is not bound here
   */
  <M extends object = AnyMessages>(...message: MessageOf<M>): string;
}

/** One attempt, as its handler sees it: the second argument of every handler. */
export interface Delivery {
  /** The message's id: the same for every attempt. For an occurrence, its recurrence's id and planned time. */
  readonly id: string;
  readonly type: string;
  /** Which attempt this is, counted from 1. */
  readonly attempt: number;
  /** When this attempt was due, in epoch milliseconds. */
  readonly dueAt: number;
  /** When the message was sent, by its sender's clock; for an occurrence, its planned time. */
  readonly sentAt: number;
  /** The actor that sent it, if one did. Information, not authentication. */
  readonly from?: From;
  /** The id of the recurrence that it is an occurrence of. */
  readonly recurrence?: string;
  /** Aborted when the attempt times out or its message is cancelled. Check it after every await. */
  readonly signal: AbortSignal;
  /**
   * Asks for the message to be kept for later when the handler completes: at a Date, or after a
   * duration. Costs no attempt, up to 1,000 times. The last call wins; a throw outweighs it.
   *
   * @throws {InvalidMomentError} {@link InvalidDurationError} {@link InvalidDeliveryError}
   */
  defer(when: Date | Duration): void;
  /** Sends back to the sender. */
  readonly reply: Reply;
}

/** What an attempt needs of the mailbox to reply. */
export type SendBack = (
  from: From | undefined,
  type: string,
  payload: unknown,
  options?: SendOptions,
) => string;

const DEFERS_LIMIT = 1_000;

/** The delivery of an envelope, or of a letter or alarm in an envelope's clothes. */
export class EnvelopeDelivery implements Delivery {
  readonly #row: Envelope;
  readonly #attempt: Attempt;
  readonly #sendBack: SendBack;
  #options: EnvelopeOptions | undefined;

  constructor(row: Envelope, attempt: Attempt, sendBack: SendBack) {
    this.#row = row;
    this.#attempt = attempt;
    this.#sendBack = sendBack;
  }

  get id(): string {
    return this.#row.id;
  }

  get type(): string {
    return this.#row.type;
  }

  get attempt(): number {
    return this.#attempt.subject.attempt;
  }

  get dueAt(): number {
    return this.#row.due;
  }

  get sentAt(): number {
    return sentOfId(this.#row.id) ?? this.#row.due;
  }

  // The interface says that it may be absent; a getter that answers undefined is how a class says so.
  get from(): From {
    return this.#parsed.from as From;
  }

  get recurrence(): string {
    return (this.#row.recurrence ?? undefined) as string;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  // Functions of their own, so that `const { defer } = delivery` works; made when somebody looks.
  get defer(): (when: Date | Duration) => void {
    return (when) => this.#defer(when);
  }

  get reply(): Reply {
    return (...message: readonly unknown[]): string => {
      const [type, payload, options] = message as readonly [string, unknown?, SendOptions?];
      return this.#sendBack(this.#parsed.from, type, payload, options);
    };
  }

  #defer(when: Date | Duration): void {
    if (this.#attempt.state !== "running") {
      throw new AttemptEndedError(
        `The attempt of ${this.type} ${this.id} has ended, so it cannot be deferred any more.`,
      );
    }
    if (this.#attempt.subject.kind === "hook") {
      throw new InvalidDeliveryError(
        "onDeadLetter cannot be deferred, because its letter is no message that waits; throw to have it run again, or send a message for later.",
      );
    }
    if ((this.#parsed.defers ?? 0) >= DEFERS_LIMIT) {
      throw new InvalidDeliveryError(
        `${this.type} ${this.id} was deferred ${DEFERS_LIMIT} times; throw an error to have it counted, or send a new message.`,
      );
    }
    const now = clockNow();
    this.#attempt.deferredTo =
      when instanceof Date ? parseMoment(when, "when", now) : now + parseDuration(when, "when");
  }

  get #parsed(): EnvelopeOptions {
    this.#options ??= parseOptions(this.#row.options);
    return this.#options;
  }
}
