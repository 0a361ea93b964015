// `this.ref(…)` to the actor itself: the same verbs, on the own mailbox.

import type { DeadLetter } from "../message/letter.ts";
import type { TypeOf } from "../message/message-map.ts";
import type { Recurrence } from "../lifecycle/recurrence.ts";
import type { ActorRef } from "./outbox-ref.ts";
import type { RedriveOptions } from "./redrive.ts";
import type { MailboxStats } from "./operate.ts";
import type { Asks, Send, SendAll, SendEvery, SendIn, SendLater, Sends, Which } from "./verbs.ts";
import type { DeadLetterFilter, OutboxMessage, Page, PageOptions, PendingMessage } from "./lists.ts";
import type { Moment } from "../time/duration.ts";

export class SelfRef<M extends object> implements ActorRef<M> {
  readonly send: Send<M, "sync">;
  readonly sendLater: SendLater<M, "sync">;
  readonly sendIn: SendIn<M, "sync">;
  readonly sendEvery: SendEvery<M, "sync">;
  readonly sendAll: SendAll<M, "sync">;
  readonly #own: Asks<M, "sync">;

  constructor(own: Sends<M, "sync"> & Asks<M, "sync">) {
    this.#own = own;
    this.send = own.send;
    this.sendLater = own.sendLater;
    this.sendIn = own.sendIn;
    this.sendEvery = own.sendEvery;
    this.sendAll = own.sendAll;
  }

  async cancel(which: Which<M>): Promise<boolean> {
    return this.#own.cancel(which);
  }

  async reschedule(which: Which<M>, at: Moment): Promise<boolean> {
    return this.#own.reschedule(which, at);
  }

  async get(which: Which<M>): Promise<PendingMessage<M> | undefined> {
    return this.#own.get(which);
  }

  async pending(options?: PageOptions & { readonly type?: TypeOf<M> }): Promise<Page<PendingMessage<M>>> {
    return this.#own.pending(options);
  }

  async recurrences(options?: PageOptions): Promise<Page<Recurrence>> {
    return this.#own.recurrences(options);
  }

  async outbox(options?: PageOptions): Promise<Page<OutboxMessage>> {
    return this.#own.outbox(options);
  }

  async deadLetters(options?: PageOptions & DeadLetterFilter<TypeOf<M>>): Promise<Page<DeadLetter<M>>> {
    return this.#own.deadLetters(options);
  }

  async deadLetter(id: string): Promise<DeadLetter<M> | undefined> {
    return this.#own.deadLetter(id);
  }

  async redrive<T extends TypeOf<M> = TypeOf<M>>(
    id: string,
    options?: RedriveOptions<M[T]>,
  ): Promise<boolean> {
    return this.#own.redrive(id, options);
  }

  async purge(id: string): Promise<boolean> {
    return this.#own.purge(id);
  }

  redriveAll(filter?: DeadLetterFilter<TypeOf<M>>): Promise<number> {
    return this.#own.redriveAll(filter);
  }

  purgeAll(filter?: DeadLetterFilter<TypeOf<M>>): Promise<number> {
    return this.#own.purgeAll(filter);
  }

  async pause(): Promise<void> {
    this.#own.pause();
  }

  async resume(): Promise<void> {
    this.#own.resume();
  }

  async stats(): Promise<MailboxStats> {
    return this.#own.stats();
  }
}
