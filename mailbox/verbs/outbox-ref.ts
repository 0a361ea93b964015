// `this.ref(…)`: a handle on another actor from inside one. Its sends are rows of the own outbox, in
// the commit of whoever sends, so they answer at once; its other verbs look first at what has not
// left yet, and then ask the other object.

import { type MailboxStub, wayTo } from "../outbox/address.ts";
import type { Accepting } from "../message/envelope.ts";
import type { Outgoing, SendBuffer } from "../host/send-buffer.ts";
import type { Engine } from "./submit.ts";
import { UnknownNamespaceError } from "../errors.ts";
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
    return (await super.cancel(which)) || isGone;
  }

  override async reschedule(which: Which<M>, at: Moment): Promise<boolean> {
    const target = parseTarget(which);
    if (target === undefined) return false;
    const due = parseMoment(at, "at", clockNow());
    const isChanged = this.#buffer?.change(
      (out) => this.#isMine(out, target),
      (message) => ({ ...message, due, immediate: false, moved: true }),
    );
    return (
      isChanged === true ||
      this.#engine.outbox.reschedule(this.#address, target, due) ||
      super.reschedule(which, due)
    );
  }

  override async get(which: Which<M>): Promise<PendingMessage<M> | undefined> {
    const target = parseTarget(which);
    if (target === undefined) return undefined;
    const message =
      this.#buffer?.find((out) => this.#isMine(out, target))?.message ??
      this.#engine.outbox.find(this.#address, target);
    if (message === undefined) return super.get(which);
    return pendingOf(messageView(this.#engine.core, acceptedRow(message, message.due)));
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
