// What an actor does with the verbs of its mailbox, written down: in its own tables, in the commit of what it
// has done, or by the runtime's output, where an attempt has no commit before its ack.

import type { ActorRef, Delivery, Mailbox, Sends } from "../../../actors/index.ts";
import { MailboxError } from "../../../actors/index.ts";
import { type Act, type ClerkMessages, type Parcel, placed, rhythmId } from "../parcel.ts";
import type { Perform } from "./director.ts";
import { declare, optionsOf, payloadOf, sendParcel } from "./sending.ts";
import type { Tables } from "./tables.ts";
import { witness } from "./witness.ts";

export class Hands {
  readonly #me: number;
  readonly #tables: Tables;
  readonly #mailbox: Mailbox<ClerkMessages>;
  readonly #other: (actor: number) => ActorRef<ClerkMessages>;

  constructor(
    me: number,
    tables: Tables,
    mailbox: Mailbox<ClerkMessages>,
    other: (actor: number) => ActorRef<ClerkMessages>,
  ) {
    this.#me = me;
    this.#tables = tables;
    this.#mailbox = mailbox;
    this.#other = other;
  }

  /** Sends and writes it down. */
  send(parcel: Parcel, delivery?: Delivery): void {
    this.#tables.sent(parcel.n, this.post(parcel, delivery));
  }

  /** Sends from an async attempt: what it writes down itself would not be in the commit of the ack. */
  buffer(parcel: Parcel, delivery: Delivery): string {
    const id = this.post(parcel, delivery);
    witness({ posted: { n: parcel.n, id } });
    return id;
  }

  post(parcel: Parcel, delivery?: Delivery): string {
    const payload = payloadOf(parcel);
    if (parcel.isReply === true && delivery !== undefined)
      return delivery.reply<ClerkMessages>(parcel.kind, payload, optionsOf(parcel));
    if (parcel.kind !== "line") return sendParcel(this.#to(parcel.to), parcel, payload);
    const line = { from: this.#me, seq: this.#tables.nextLine(parcel.to) };
    return sendParcel(this.#to(parcel.to), parcel, { ...payload, line });
  }

  /** What the acts of a scene do in a request, or in a handler that is one commit. */
  written(delivery?: Delivery): Perform {
    return (act) => this.#perform(act, (parcel) => this.send(parcel, delivery), new Map());
  }

  /** What they do in an async handler. */
  buffered(delivery: Delivery): Perform {
    const ids = new Map<string, string>();
    return (act) =>
      this.#perform(act, (parcel) => void ids.set(parcel.n, this.buffer(parcel, delivery)), ids);
  }

  #perform(
    act: Act,
    send: (parcel: Parcel) => void,
    ids: ReadonlyMap<string, string>,
  ): Promise<void> | undefined {
    const idOf = (n: string): string | undefined => ids.get(n) ?? this.#tables.sentId(n);
    switch (act.do) {
      case "send":
        send(act.parcel);
        return undefined;
      case "declare":
        declare(this.#to(act.rhythm.to), act.rhythm);
        return undefined;
      case "cancel own":
        this.#cancelOwn(act.id ?? idOf(act.n));
        return undefined;
      case "reschedule own": {
        const id = idOf(act.n);
        if (id !== undefined) this.#mailbox.reschedule(id, Date.now() + act.delay);
        return undefined;
      }
      case "cancel there":
        return this.#cancelThere(act.to, idOf(act.n));
      case "end there":
        return this.#cancelThere(act.rhythm.to, rhythmId(act.rhythm.key));
      case "wait":
        return scheduler.wait(act.ms);
    }
  }

  #cancelOwn(id: string | undefined): void {
    if (id === undefined) return;
    const at = Date.now();
    const answer = Number(this.#mailbox.cancel(id));
    this.#tables.cancelled({ id, target: this.#me, answer, askedAt: at, at });
  }

  /** Where the message is: in the attempt or the outbox still, or at its target. */
  async #cancelThere(target: number, id: string | undefined): Promise<void> {
    if (id === undefined) return;
    const askedAt = Date.now();
    const known = placed(target, id);
    witness({ cancels: known });
    try {
      const answer = Number(await this.#other(target).cancel(id));
      this.#tables.cancelled({ id: known, target, answer, askedAt, at: Date.now() });
    } catch (error) {
      // Whoever cannot be asked has not answered, and the line above says that it may be cancelled.
      if (!(error instanceof MailboxError)) throw error;
    }
  }

  #to(actor: number): Sends<ClerkMessages, "sync"> {
    return actor === this.#me ? this.#mailbox : this.#other(actor);
  }
}
