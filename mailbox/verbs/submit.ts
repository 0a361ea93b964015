// One mailbox, put together: which part knows which, how it starts, and which commit a send joins.
// The façade above it has the names and the docs; the parts below have the work.

import { accept, acceptAll, holderOf } from "../lifecycle/accept.ts";
import { addressOf } from "../outbox/address.ts";
import type { Attempt } from "../host/attempt.ts";
import { now as clockNow } from "../time/clock.ts";
import { decodePayload } from "../payload/codec.ts";
import { Core } from "../host/context.ts";
import { Deliverer } from "../delivery/deliver.ts";
import { Drain, PUT_OFF_MAX_MS } from "../delivery/drain.ts";
import type { Accepting, From } from "../message/envelope.ts";
import {
  InvalidOptionError,
  InvalidPayloadError,
  NoReplyAddressError,
  RefusedInHandlerError,
  RefusedInTransactionError,
  UnknownTypeError,
} from "../errors.ts";
import { quote } from "../input.ts";
import { ruleOf } from "../lifecycle/recurrence.ts";
import { currentAttempt } from "../host/attempt-scope.ts";
import { GroupCommit } from "../host/group-commit.ts";
import { applySchema } from "../host/handlers.ts";
import { hasMailbox, overrideContext } from "../host/storage-overrides.ts";
import { checkSize } from "../message/incoming.ts";
import { Calls } from "./calls.ts";
import { Outbox } from "../outbox/outbox.ts";
import { outgoing, type SendOptions } from "../message/send-options.ts";
import { Relay } from "../outbox/relay.ts";
import type { Outgoing, SendBuffer } from "../host/send-buffer.ts";
import type { ReadOptions } from "../host/settings.ts";

export class Engine {
  readonly core: Core;
  readonly outbox: Outbox;
  readonly drain: Drain;
  /** The commits of what comes from outside. */
  readonly group: GroupCommit;
  /** The calls of verbs that were answered of late. */
  readonly calls: Calls = new Calls();

  constructor(ctx: DurableObjectState, env: unknown, className: string, options: ReadOptions) {
    const isSecond = hasMailbox(ctx);
    const core = new Core(ctx, env, className, isSecond ? second : options);
    this.core = core;
    this.outbox = new Outbox(core);
    this.group = new GroupCommit(() => core.storage.sync());
    const deliverer = new Deliverer(core, this.outbox, (from, type, payload, options) =>
      this.#sendBack(from, type, payload, options),
    );
    this.drain = new Drain(core, deliverer, new Relay(core, this.outbox));
    if (isSecond) return;
    overrideContext(core);
    // At once: what the constructor does next may arm the mailbox' own alarm.
    if (!core.exists()) core.adoption.ask();
    // Before any event is delivered, and after the subclass's constructor.
    void ctx.blockConcurrencyWhile(() => this.#start());
  }

  /** The attempt that the caller belongs to. @throws {AttemptEndedError} */
  get attempt(): Attempt | undefined {
    return currentAttempt(this.core);
  }

  /**
   * Sends one message in the commit it belongs to: with the ack of the attempt that sends it, or else in the
   * caller's own. Answers its id, or that of the one that its key kept.
   */
  submit(out: Outgoing, now: number = clockNow()): string {
    const { attempt, core } = this;
    core.ready();
    this.#check(out);
    return core.surviving(() =>
      attempt === undefined ? this.#write(out, now) : this.#buffer(attempt.buffer, out),
    );
  }

  /** Sends many to one place, all or none. */
  submitAll(outs: readonly Outgoing[]): readonly string[] {
    const { attempt, core } = this;
    core.ready();
    for (const [index, out] of outs.entries()) this.#check(out, index);
    return core.surviving(() =>
      attempt === undefined ? core.commit(() => this.#writeAll(outs)) : this.#bufferAll(attempt.buffer, outs),
    );
  }

  /** Refuses what cannot be part of a sync handler's one commit. @throws {RefusedInHandlerError} */
  refuseInSyncHandler(verb: string): void {
    if (this.attempt?.mode === "sync") {
      throw new RefusedInHandlerError(
        `${verb}() works in pages, each its own commit, so it cannot be part of a synchronous handler's; make the handler async.`,
      );
    }
  }

  /**
   * Refuses what waits. While a transaction is open the object lets no answer in, so it would be reset; and what was
   * done so far would be rolled back, and the rest not.
   *
   * @throws {RefusedInTransactionError}
   */
  refuseInTransaction(what: string): void {
    if (!this.core.transactions.areOpen) return;
    throw new RefusedInTransactionError(
      `${what} waits, and nothing can answer it while a transaction of this object is open; call it before or after the transaction.`,
    );
  }

  #write(out: Outgoing, now: number): string {
    return out.to === "other"
      ? this.outbox.write(out.target, out.message, out.aside)
      : accept(this.core, out.message, false, now);
  }

  #writeAll(outs: readonly Outgoing[]): readonly string[] {
    const messages = outs.filter(({ to }) => to === "self").map(({ message }) => message);
    if (messages.length === outs.length) return acceptAll(this.core, messages, false);
    return outs.map((out) => this.#write(out, clockNow()));
  }

  /** Keeps a send for its attempt's ack. Whom its key finds is asked now, among the rows and what is buffered. */
  #buffer(buffer: SendBuffer, out: Outgoing): string {
    const { type, key, ifPending } = out.message;
    if (out.to === "self" && key !== undefined) {
      const held = buffer.holderOf(type, key);
      if (ifPending !== "replace") {
        const kept = held?.message.id ?? holderOf(this.core, type, key)?.id;
        if (kept !== undefined) return kept;
      } else if (held !== undefined) {
        buffer.drop((other) => other === held);
      }
    }
    buffer.add(out);
    return out.message.id;
  }

  #bufferAll(buffer: SendBuffer, outs: readonly Outgoing[]): readonly string[] {
    return this.core.transactions.run(() => outs.map((out) => this.#buffer(buffer, out)));
  }

  /**
   * Everything that can be refused is refused here, before anything is written.
   *
   * @param before how many to the same place are sent together with it, and were checked before
   */
  #check(out: Outgoing, before = 0): void {
    const { core } = this;
    const { message } = out;
    checkSize(core.config, message.payload);
    if (out.to === "other") {
      // Whether the type is known is the target's to say; if it is not, it keeps the message.
      this.outbox.checkRoom(out.target, 1 + before);
      return;
    }
    this.checkType(message);
    if (message.declaration !== undefined) ruleOf(core, message.declaration);
  }

  /** Refuses a type without a handler, and a payload that its schema refuses. @throws typed errors */
  checkType(message: Accepting): void {
    const handler = this.core.config.handlers.get(message.type);
    if (handler === undefined) {
      const known = [...this.core.config.handlers.keys()].slice(0, 20).join(", ");
      throw new UnknownTypeError(
        `${this.core.className} has no handler for the type ${quote(message.type)}; it receives ${known}.`,
      );
    }
    if (handler.schema !== undefined) applySchema(handler.schema, message.type, readPayload(message));
  }

  #sendBack(
    from: From | undefined,
    type: string,
    payload: unknown,
    options: SendOptions | undefined,
  ): string {
    const { ctx, env } = this.core;
    if (from?.id === ctx.id.toString()) {
      return this.submit({ to: "self", message: outgoing({ kind: "now" }, type, payload, options) });
    }
    const target = from === undefined ? undefined : addressOf(ctx, env, from);
    if (target === undefined) {
      throw new NoReplyAddressError(
        from === undefined
          ? "The message was not sent by an actor, so nobody can be replied to."
          : `The message came from a ${from.className} that no binding of this Worker leads to; bind its namespace.`,
      );
    }
    return this.submit({ to: "other", target, message: outgoing({ kind: "now" }, type, payload, options) });
  }

  /**
   * Runs once for each instance, before its first event: an alarm from before the mailbox is adopted,
   * one that is wrong is set right.
   */
  async #start(): Promise<void> {
    const { core } = this;
    await core.adoption.asked;
    core.constructed();
    if (!core.exists()) return;
    // A class that is wrong may have put something of its own in the place of the alarm: reading it puts that right.
    const isSound = core.soundConfig !== undefined;
    if (!core.isReadable()) return;
    await core.wake.check(isSound ? 0 : clockNow() + PUT_OFF_MAX_MS);
    // Whatever it was woken for, a wake is what releases them.
    if (core.hasReleasable()) core.wake.arm(clockNow());
  }
}

/** The options of a mailbox that must not be: it never touches a row. */
function second(): never {
  throw new InvalidOptionError(
    "This object has a mailbox already, and two of them would be in each other's rows; an Actor has one, and so has a class wrapped by withTaskManager.",
  );
}

/** @throws {InvalidPayloadError} for text that no sender of ours has written */
function readPayload({ type, payload }: Accepting): unknown {
  try {
    return decodePayload(payload);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidPayloadError(
      `The text of the payload of ${quote(type)} cannot be read: ${reason.slice(0, 200)}. Send it by a ref, which encodes it.`,
      { cause },
    );
  }
}
