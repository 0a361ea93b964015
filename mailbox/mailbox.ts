// The mailbox of one object, as its host holds it: every verb, at once and in the commit of the caller.

import {
  addressIn,
  type AnyNamespace,
  checkTarget,
  type GivenNamespace,
  isSelf,
  type RefOptions,
} from "./outbox/address.ts";
import { answerCall } from "./verbs/serve.ts";
import { now as clockNow } from "./time/clock.ts";
import { NO_CLASS } from "./message/from.ts";
import { type DeadLetter, letterOf, storedLetter } from "./message/letter.ts";
import type { TypeOf } from "./message/message-map.ts";
import { Engine } from "./verbs/submit.ts";
import type { Recurrence } from "./lifecycle/recurrence.ts";
import { type ActorRef, OutboxRef } from "./verbs/outbox-ref.ts";
import { pause, resume } from "./verbs/pause.ts";
import { purge, purgeAll, redrive, redriveAll, type RedriveOptions, repairOf } from "./verbs/redrive.ts";
import { makeSends } from "./verbs/send.ts";
import { SelfRef } from "./verbs/self-ref.ts";
import type { MailboxOptions } from "./host/settings.ts";
import { destroy, type MailboxStats, statsOf } from "./verbs/operate.ts";
import { cancel, get, reschedule } from "./verbs/cancel.ts";
import { parseTarget } from "./message/selector.ts";
import type { Asks, Send, SendAll, SendEvery, SendIn, SendLater, Sends, Which } from "./verbs/verbs.ts";
import {
  type DeadLetterFilter,
  lettersPage,
  mapPage,
  type OutboxMessage,
  outboxPage,
  type Page,
  type PageOptions,
  parseFilter,
  type PendingMessage,
  pendingOf,
  pendingPage,
  recurrencesPage,
} from "./verbs/lists.ts";
import { type Moment, parseMoment } from "./time/duration.ts";

/**
 * A persistent, time-ordered mailbox in the storage of a Durable Object.
 *
 * Make it in the constructor, give it the object's alarm (`alarm(info) { return this.mailbox.wake(info) }`)
 * and, for refs to reach it, `mailboxCall(call) { return this.mailbox.call(call) }`. The `Actor` class
 * does both. From then on `ctx.storage` has the object's own alarm beside the mailbox' alarm.
 */
export class Mailbox<M extends object> implements Sends<M, "sync">, Asks<M, "sync"> {
  readonly send: Send<M, "sync">;
  readonly sendLater: SendLater<M, "sync">;
  readonly sendIn: SendIn<M, "sync">;
  readonly sendEvery: SendEvery<M, "sync">;
  readonly sendAll: SendAll<M, "sync">;
  readonly #engine: Engine;

  /**
   * @param options handlers, policy and settings; a function is called at the first verb or wake
   * @param className what other actors are told of the sender's class
   */
  constructor(
    ctx: DurableObjectState,
    env: unknown,
    options: MailboxOptions<M> | (() => MailboxOptions<M>),
    className: string = NO_CLASS,
  ) {
    // The class that a mixin returns has an empty name.
    const known = className === "" ? NO_CLASS : className;
    const engine = new Engine(ctx, env, known, typeof options === "function" ? options : () => options);
    this.#engine = engine;
    const sends = makeSends<M, "sync">({
      one: (make) => {
        const now = clockNow();
        return engine.submit({ to: "self", message: make(now) }, now);
      },
      many: (make) => engine.submitAll(make().map((message) => ({ to: "self", message }))),
    });
    this.send = sends.send;
    this.sendLater = sends.sendLater;
    this.sendIn = sends.sendIn;
    this.sendEvery = sends.sendEvery;
    this.sendAll = sends.sendAll;
  }

  /** Handles the object's alarm, with what the platform says of it. Only errors of the platform leave it. */
  wake(info: AlarmInvocationInfo | undefined): Promise<void> {
    return this.#engine.drain.wake(info);
  }

  /** Answers a call that a ref makes: the whole RPC surface. */
  call(call: string): Promise<string> {
    return answerCall(this.#engine, call);
  }

  /**
   * A handle on another actor. Its sends are written to the outbox in the commit of the caller.
   *
   * @throws {UnknownNamespaceError} for a namespace that is no binding of `env` or `ctx.exports`
   * @throws {InvalidOptionError} for a target that is neither a name nor an id of the namespace
   */
  ref<N extends object>(
    namespace: GivenNamespace,
    to: string | DurableObjectId,
    options?: RefOptions,
  ): ActorRef<N> {
    const space = namespace as AnyNamespace;
    checkTarget(space, to, options);
    const { ctx, env } = this.#engine.core;
    const address = addressIn(ctx, env, space, to, options);
    // Through the outbox a message to oneself would leave the object and come back, for nothing.
    if (isSelf(ctx, space, to, options)) return new SelfRef<N>(this as unknown as Mailbox<N>);
    return new OutboxRef<N>(this.#engine, address, options?.locationHint);
  }

  cancel(which: Which<M>): boolean {
    const { attempt, core } = this.#begin();
    const target = parseTarget(which);
    return target !== undefined && cancel(core, attempt, target);
  }

  reschedule(which: Which<M>, at: Moment): boolean {
    const { attempt, core } = this.#begin();
    const target = parseTarget(which);
    const due = parseMoment(at, "at", clockNow());
    return target !== undefined && reschedule(core, attempt, target, due);
  }

  get(which: Which<M>): PendingMessage<M> | undefined {
    const { attempt, core } = this.#begin();
    const target = parseTarget(which);
    const stored = target === undefined ? undefined : get(core, attempt, target);
    return stored === undefined ? undefined : pendingOf(stored);
  }

  pending(options: PageOptions & { readonly type?: TypeOf<M> } = {}): Page<PendingMessage<M>> {
    return mapPage(pendingPage(this.#begin().core, options), (stored) => pendingOf(stored));
  }

  recurrences(options: PageOptions = {}): Page<Recurrence> {
    return recurrencesPage(this.#begin().core, options);
  }

  outbox(options: PageOptions = {}): Page<OutboxMessage> {
    return outboxPage(this.#begin().core, options);
  }

  deadLetters(options: PageOptions & DeadLetterFilter<TypeOf<M>> = {}): Page<DeadLetter<M>> {
    return mapPage(lettersPage(this.#begin().core, options), (stored) => letterOf(stored));
  }

  deadLetter(id: string): DeadLetter<M> | undefined {
    const row = this.#begin().core.letters.byId(id);
    return row === undefined ? undefined : letterOf(storedLetter(row));
  }

  redrive<T extends TypeOf<M> = TypeOf<M>>(id: string, options: RedriveOptions<M[T]> = {}): boolean {
    const { core, outbox } = this.#begin();
    return redrive(core, outbox, id, repairOf(options));
  }

  purge(id: string): boolean {
    return purge(this.#begin().core, id);
  }

  async redriveAll(filter: DeadLetterFilter<TypeOf<M>> = {}): Promise<number> {
    const { core, outbox } = this.#beginPaged("redriveAll");
    return redriveAll(core, outbox, parseFilter(filter));
  }

  async purgeAll(filter: DeadLetterFilter<TypeOf<M>> = {}): Promise<number> {
    return purgeAll(this.#beginPaged("purgeAll").core, parseFilter(filter));
  }

  pause(): void {
    pause(this.#begin().core);
  }

  resume(): void {
    resume(this.#begin().core);
  }

  stats(): MailboxStats {
    return statsOf(this.#begin().core);
  }

  /**
   * Cancels everything pending and every recurrence, and deletes dead letters and outbox; an event
   * says how many. The object's other tables stay. Not to be called through a ref. A handler that asks for
   * it goes on, and what it sends from then on is sent.
   */
  async destroy(): Promise<void> {
    const { attempt, core, outbox } = this.#beginPaged("destroy");
    await destroy(core, outbox, attempt);
  }

  /** Finds out whose commit a verb belongs to, and makes sure of the tables. */
  #begin(): Pick<Engine, "attempt" | "core" | "outbox"> {
    const { attempt, core, outbox } = this.#engine;
    core.begin();
    return { attempt, core, outbox };
  }

  #beginPaged(verb: string): Pick<Engine, "attempt" | "core" | "outbox"> {
    this.#engine.refuseInSyncHandler(verb);
    this.#engine.refuseInTransaction(`${verb}()`);
    return this.#begin();
  }
}
