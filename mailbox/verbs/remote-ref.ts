// The verbs of an actor somewhere else, by RPC. A call that the platform calls retryable is made again
// with a fresh stub and the same ids, so that a send that did arrive is not accepted twice.

import { nanoid } from "nanoid";
import { type MailboxStub, noMailbox } from "../outbox/address.ts";
import { now as clockNow, sleep } from "../time/clock.ts";
import { decodePayload, encodePayload } from "../payload/codec.ts";
import { type DeadLetter, letterOf, type StoredLetter } from "../message/letter.ts";
import type { TypeOf } from "../message/message-map.ts";
import type { Accepting } from "../message/envelope.ts";
import { InvalidOptionError, UnreachableError, UnsupportedCallError } from "../errors.ts";
import type { Recurrence } from "../lifecycle/recurrence.ts";
import { formatAccept, formatVerb, parseReply, type Reply } from "../message/wire.ts";
import { type RedriveOptions, repairOf } from "./redrive.ts";
import { makeSends } from "./send.ts";
import type { MailboxStats } from "./operate.ts";
import type { Asks, Send, SendAll, SendEvery, SendIn, SendLater, Sends, Which } from "./verbs.ts";
import {
  type DeadLetterFilter,
  mapPage,
  type OutboxMessage,
  type Page,
  type PageOptions,
  type PendingMessage,
  pendingOf,
  type StoredMessage,
} from "./lists.ts";
import { exponential, type Moment, parseMoment } from "../time/duration.ts";

/** A typed handle on an actor somewhere: every verb is a promise. */
export interface Ref<M extends object> extends Sends<M, "async">, Asks<M, "async"> {}

const RETRY_FOR_MS = 30_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;
const CALL_UNITS = 8 * 1024 * 1024;

/** The verbs that ask and repair, by RPC. */
export class RemoteAsks<M extends object> implements Asks<M, "async"> {
  readonly #stub: () => MailboxStub;

  /** @param stub makes a fresh stub: after an error the one before is broken */
  constructor(stub: () => MailboxStub) {
    this.#stub = stub;
  }

  cancel(which: Which<M>): Promise<boolean> {
    return this.#ask("cancel", which);
  }

  async reschedule(which: Which<M>, at: Moment): Promise<boolean> {
    return this.#ask("reschedule", which, parseMoment(at, "at", clockNow()));
  }

  async get(which: Which<M>): Promise<PendingMessage<M> | undefined> {
    const stored: StoredMessage | undefined = await this.#ask("get", which);
    return stored === undefined ? undefined : pendingOf(stored);
  }

  async pending(options?: PageOptions & { readonly type?: TypeOf<M> }): Promise<Page<PendingMessage<M>>> {
    const page: Page<StoredMessage> = await this.#ask("pending", options);
    return mapPage(page, (stored) => pendingOf(stored));
  }

  recurrences(options?: PageOptions): Promise<Page<Recurrence>> {
    return this.#ask("recurrences", options);
  }

  outbox(options?: PageOptions): Promise<Page<OutboxMessage>> {
    return this.#ask("outbox", options);
  }

  async deadLetters(options?: PageOptions & DeadLetterFilter<TypeOf<M>>): Promise<Page<DeadLetter<M>>> {
    const page: Page<StoredLetter> = await this.#ask("deadLetters", options);
    return mapPage(page, (stored) => letterOf(stored));
  }

  async deadLetter(id: string): Promise<DeadLetter<M> | undefined> {
    const stored: StoredLetter | undefined = await this.#ask("deadLetter", id);
    return stored === undefined ? undefined : letterOf(stored);
  }

  async redrive<T extends TypeOf<M> = TypeOf<M>>(
    id: string,
    options: RedriveOptions<M[T]> = {},
  ): Promise<boolean> {
    return this.#ask("redrive", id, repairOf(options));
  }

  purge(id: string): Promise<boolean> {
    return this.#ask("purge", id);
  }

  redriveAll(filter?: DeadLetterFilter<TypeOf<M>>): Promise<number> {
    return this.#ask("redriveAll", filter);
  }

  purgeAll(filter?: DeadLetterFilter<TypeOf<M>>): Promise<number> {
    return this.#ask("purgeAll", filter);
  }

  pause(): Promise<void> {
    return this.#ask("pause");
  }

  resume(): Promise<void> {
    return this.#ask("resume");
  }

  stats(): Promise<MailboxStats> {
    return this.#ask("stats");
  }

  async #ask<T>(verb: string, ...args: unknown[]): Promise<T> {
    const text = encodePayload(args);
    const id = nanoid();
    const value = await callWithRetries(this.#stub, (isRepeat) => formatVerb(verb, text, { id, isRepeat }));
    if (typeof value !== "string")
      throw new UnsupportedCallError(`${verb} was answered in a form of another version.`);
    return decodePayload(value) as T;
  }
}

export class RemoteRef<M extends object> extends RemoteAsks<M> implements Ref<M> {
  readonly send: Send<M, "async">;
  readonly sendLater: SendLater<M, "async">;
  readonly sendIn: SendIn<M, "async">;
  readonly sendEvery: SendEvery<M, "async">;
  readonly sendAll: SendAll<M, "async">;

  constructor(stub: () => MailboxStub) {
    super(stub);
    const sends = makeSends<M, "async">({
      one: async (make) => (await accept(stub, [make(clockNow())]))[0] ?? "",
      many: async (make) => {
        const messages = make();
        return messages.length === 0 ? [] : accept(stub, messages);
      },
    });
    this.send = sends.send;
    this.sendLater = sends.sendLater;
    this.sendIn = sends.sendIn;
    this.sendEvery = sends.sendEvery;
    this.sendAll = sends.sendAll;
  }
}

async function accept(stub: () => MailboxStub, messages: readonly Accepting[]): Promise<readonly string[]> {
  const call = formatAccept(messages);
  if (call.length > CALL_UNITS) {
    throw new InvalidOptionError(
      `The send is ${call.length} characters long when encoded, of at most ${CALL_UNITS}; it is all or nothing, so send fewer messages at a time.`,
    );
  }
  // Its messages have ids of their own, so a repeat needs no other.
  return (await callWithRetries(stub, () => call)) as readonly string[];
}

/**
 * Calls until it is answered with a value, or with an error that is not one to try again.
 *
 * @param call - told whether it is the repeat of one that was not answered, and so may have taken effect
 * @throws {UnreachableError} and the refusals, as the typed errors that they were
 */
async function callWithRetries(
  stub: () => MailboxStub,
  call: (isRepeat: boolean) => string,
): Promise<unknown> {
  const startedAt = clockNow();
  let isRepeat = false;
  for (let tries = 1; ; tries += 1) {
    // Outside: that nobody can be called at all is a refusal, not a call that failed.
    const actor = stub();
    const wait = exponential(BACKOFF_FIRST_MS, BACKOFF_MAX_MS, tries) * (0.5 + Math.random() / 2);
    const isLast = (): boolean => clockNow() + wait - startedAt > RETRY_FOR_MS;
    let reply: Reply | undefined;
    try {
      reply = parseReply(await actor.mailboxCall(call(isRepeat)));
    } catch (cause) {
      if (!isRetryable(cause) || isLast()) throw noMailbox(cause) ?? unanswered(tries, cause);
      isRepeat = true;
    }
    if (reply?.kind === "value") return reply.value;
    // A receiver that does not speak this yet may be in the middle of its deploy.
    if (reply !== undefined && (!reply.isNotYet || isLast())) throw reply.error;
    await sleep(wait);
  }
}

function unanswered(tries: number, cause: unknown): UnreachableError {
  return new UnreachableError(
    `The actor did not answer after ${tries} ${tries === 1 ? "try" : "tries"}, so it is unknown whether the call took effect: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}

/** What the platform calls worth another try; an overloaded object is never helped by one. */
function isRetryable(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { retryable, overloaded } = error as { readonly retryable?: unknown; readonly overloaded?: unknown };
  return retryable === true && overloaded !== true;
}
