// `this.ref(…)`: a handle on another actor from inside one. Its sends are rows of the own outbox, in
// the commit of whoever sends, so they answer at once; its other verbs look first at what has not
// left yet, and then ask the other object.

import { type MailboxStub, wayTo } from "../outbox/address.ts";
import type { Accepting } from "../message/envelope.ts";
import type { Outgoing, SendBuffer } from "../host/send-buffer.ts";
import type { Engine } from "./submit.ts";
import { UnknownNamespaceError, UnreachableError } from "../errors.ts";
import { readableAddress } from "../message/address.ts";
import type { Waiting } from "../outbox/outbox.ts";
import { isRecurrenceId } from "../message/id.ts";
import { RemoteAsks } from "./remote-ref.ts";
import { makeSends } from "./send.ts";
import { acceptedRow } from "../store/envelopes.ts";
import { isTarget, parseTarget, type Target } from "../message/selector.ts";
import type { Asks, Send, SendAll, SendEvery, SendIn, SendLater, Sends, Which } from "./verbs.ts";
import { messageView, type PendingMessage, pendingOf } from "./lists.ts";
import { now as clockNow } from "../time/clock.ts";
import { type Moment, parseMoment } from "../time/duration.ts";

/** A typed handle on another actor from inside one: sends answer at once, all else is a promise. */
export interface ActorRef<M extends object> extends Sends<M, "sync">, Asks<M, "async"> {}

export class OutboxRef<M extends object> extends RemoteAsks<M> implements ActorRef<M> {
  readonly send: Send<M, "sync">;
  readonly sendLater: SendLater<M, "sync">;
  readonly sendIn: SendIn<M, "sync">;
  readonly sendEvery: SendEvery<M, "sync">;
  readonly sendAll: SendAll<M, "sync">;
  readonly #engine: Engine;
  readonly #address: string;

  /** @param locationHint where the other actor is made if there is none yet */
  constructor(engine: Engine, address: string, locationHint: string | undefined) {
    super(() => stubFor(engine, address, locationHint));
    this.#engine = engine;
    this.#address = address;
    const aside = locationHint === undefined ? {} : { aside: { locationHint } };
    const to = (message: Accepting): Outgoing => ({ to: "other", target: address, message, ...aside });
    const sends = makeSends<M, "sync">({
      one: (make) => engine.submit(to(make(clockNow()))),
      many: (make) => engine.submitAll(make().map((message) => to(message))),
    });
    this.send = sends.send;
    this.sendLater = sends.sendLater;
    this.sendIn = sends.sendIn;
    this.sendEvery = sends.sendEvery;
    this.sendAll = sends.sendAll;
  }

  override async cancel(which: Which<M>): Promise<boolean> {
    const target = parseTarget(which);
    if (target === undefined) return false;
    const { outbox } = this.#engine;
    const dropped = this.#buffer?.drop((out) => this.#isTo(out) && isTarget(out.message, target)) ?? 0;
    const isGone = outbox.cancel(this.#address, target) || dropped > 0;
    // A message is in one place; of a key, and of a recurrence that was declared again, there may be one there too.
    if (isGone && "id" in target && !isRecurrenceId(target.id)) return true;
    await this.#settled(target);
    return (await super.cancel(which)) || isGone;
  }

  override async reschedule(which: Which<M>, at: Moment): Promise<boolean> {
    const target = parseTarget(which);
    if (target === undefined) return false;
    const due = parseMoment(at, "at", clockNow());
    if (this.#moveHere(this.#holder(target, false), due)) return true;
    await this.#settled(target);
    return (await super.reschedule(which, due)) || this.#moveHere(this.#holder(target, true), due);
  }

  override async get(which: Which<M>): Promise<PendingMessage<M> | undefined> {
    const target = parseTarget(which);
    if (target === undefined) return undefined;
    const here = this.#holder(target, false);
    // What is in doubt may be there, and changed since.
    const isThere = here === undefined || ("row" in here && here.isInDoubt);
    const there = isThere ? await super.get(which) : undefined;
    const message = there === undefined ? (here ?? this.#holder(target, true))?.message : undefined;
    if (message === undefined) return there;
    return pendingOf(messageView(this.#engine.core, acceptedRow(message, message.due)));
  }

  /**
   * Of what has not left, or is in doubt: the message of an id, or the one that will have a key when all have
   * arrived. One that replaces does; one that keeps does only if nobody there has it.
   */
  #holder(target: Target, isFreeThere: boolean): Waiting | Outgoing | undefined {
    const sends = this.#buffer?.sends ?? [];
    const here = [
      ...this.#engine.outbox.find(this.#address, target),
      ...sends.filter((out) => this.#isMine(out, target)),
    ];
    if ("id" in target) return here[0];
    return (
      here.findLast(({ message }) => message.ifPending === "replace") ?? (isFreeThere ? here[0] : undefined)
    );
  }

  /** Gives what has not left another due time; false when there is none. */
  #moveHere(holder: Waiting | Outgoing | undefined, due: number): boolean {
    if (holder === undefined) return false;
    if (!("row" in holder)) {
      return (
        this.#buffer?.change(
          (out) => out === holder,
          (message) => ({ ...message, due, immediate: false, moved: true }),
        ) ?? false
      );
    }
    if (!holder.isInDoubt) this.#engine.outbox.reschedule(holder.row, due);
    return !holder.isInDoubt;
  }

  /** Waits while it is not known whether the other actor has it: an answer of now would be of no use. */
  async #settled(target: Target): Promise<void> {
    if (await this.#engine.outbox.settled(this.#address, target)) return;
    throw new UnreachableError(
      `What is asked for is on its way to ${readableAddress(this.#address)}, which has not answered whether it arrived, so it may be delivered; ask again later.`,
    );
  }

  get #buffer(): SendBuffer | undefined {
    const { attempt } = this.#engine;
    this.#engine.refuseInTransaction(WAITING);
    this.#engine.core.ready();
    return attempt?.buffer;
  }

  #isTo(out: Outgoing): boolean {
    return out.to === "other" && out.target === this.#address;
  }

  /** Whether a send is a message, and no recurrence, and the one that is meant. */
  #isMine(out: Outgoing, target: Target): boolean {
    return this.#isTo(out) && out.message.declaration === undefined && isTarget(out.message, target);
  }
}

const WAITING = "What this.ref(…) asks of another actor, all but a send,";

function stubFor(engine: Engine, address: string, locationHint: string | undefined): MailboxStub {
  const { core } = engine;
  // Refuses what is left of an attempt that has ended.
  void engine.attempt;
  engine.refuseInTransaction(WAITING);
  const way = wayTo(core.ctx, core.env, address);
  if (way.unbound !== undefined) throw new UnknownNamespaceError(way.unbound);
  return way.stub(locationHint);
}
