// Whatever speaks of a message knows its map: sends, replies, letters, lists, filters, repairs and the hook.

import { DurableObject } from "cloudflare:workers";
import { expectTypeOf } from "vitest";
import {
  Actor,
  type ActorRef,
  type DeadLetter,
  type DeadLetterFilter,
  type Delivery,
  Mailbox,
  type OnDeadLetter,
  type PendingMessage,
  type Receive,
  ref,
  type Ref,
  type Send,
} from "../../actors/index.ts";

type CartMessages = {
  itemAdded: { sku: string; qty: number };
  remind: { email: string };
  expire: void;
  note: string | undefined;
};

interface Env {
  readonly CARTS: DurableObjectNamespace<Cart>;
  readonly ANY: DurableObjectNamespace<any>; // oxlint-disable-line typescript/no-explicit-any -- as a user writes it
}

export class Cart extends Actor<Env, CartMessages> {
  protected override readonly receive: Receive<CartMessages> = {
    itemAdded: () => {},
    remind: () => {},
    expire: () => {},
    note: () => {},
  };

  protected override readonly onDeadLetter: OnDeadLetter<CartMessages> = (letter, delivery) => {
    expectTypeOf(letter).toEqualTypeOf<DeadLetter<CartMessages>>();
    if (letter.type === "remind") expectTypeOf(letter.payload).toEqualTypeOf<{ email: string }>();
    // @ts-expect-error no message of the map has this type
    if (letter.type === "remidn") return;
    expectTypeOf(delivery).toEqualTypeOf<Delivery>();
  };

  /** Generic code can forward to every send. */
  forward<T extends keyof CartMessages>(type: T, payload: CartMessages[T]): void {
    this.send(type, payload);
    this.sendLater(new Date(), type, payload, { key: "k" });
    this.sendIn("1 hour", type, payload);
    this.sendEvery({ every: "1 month" }, type, payload, { startAt: new Date() });
  }

  lists(): void {
    for (const { type, payload } of this.mailbox.pending({ type: "remind" }).items)
      if (type === "itemAdded") expectTypeOf(payload).toEqualTypeOf<{ sku: string; qty: number }>();
    expectTypeOf(this.mailbox.get({ type: "remind", key: "k" })).toEqualTypeOf<
      PendingMessage<CartMessages> | undefined
    >();
    expectTypeOf(this.mailbox.deadLetter("id")).toEqualTypeOf<DeadLetter<CartMessages> | undefined>();
    // @ts-expect-error no message of the map has this type
    this.mailbox.pending({ type: "remidn" });
    this.mailbox.redrive("id");
    this.mailbox.redrive("id", { payload: { email: "a" }, at: new Date() });
    this.mailbox.redrive<"itemAdded">("id", { payload: { sku: "a", qty: 1 } });
    // @ts-expect-error no message of the map has this payload
    this.mailbox.redrive("id", { payload: 5 });
    // @ts-expect-error the payload is another type's
    this.mailbox.redrive<"itemAdded">("id", { payload: { email: "a" } });
  }

  payloads(): void {
    this.send("expire");
    this.send("expire", undefined, { key: "k" });
    this.send("note");
    this.send("note", "text");
    this.sendAll([{ type: "note" }, { type: "note", payload: "text" }, { type: "expire", in: "1 hour" }]);
    // @ts-expect-error the payload is missing
    this.sendAll([{ type: "remind" }]);
    // @ts-expect-error a void type takes no payload
    this.sendAll([{ type: "expire", payload: 1 }]);
  }

  replies(delivery: Delivery): void {
    expectTypeOf(delivery.reply<CartMessages>("remind", { email: "a" })).toEqualTypeOf<string>();
    delivery.reply<CartMessages>("expire");
    delivery.reply<CartMessages>("expire", undefined, { key: "k" });
    // Without a map any type goes, with any payload.
    delivery.reply("remind", { email: "a" }, { key: "k" });
    delivery.reply("expire");
    // @ts-expect-error the payload is another type's
    delivery.reply<CartMessages>("remind", { sku: "a", qty: 1 });
    // @ts-expect-error a void type takes no payload
    delivery.reply<CartMessages>("expire", { email: "a" });
    // @ts-expect-error the payload is missing
    delivery.reply<CartMessages>("remind");
  }
}

/** Code that does not know the map either. */
export class Forwarder<M extends object> {
  readonly send!: Send<M, "sync">;

  forward<T extends keyof M & string>(type: T, payload: M[T]): string {
    return this.send(type, payload);
  }
}

export async function byRef(env: Env): Promise<void> {
  const cart = ref(env.CARTS, "cart-42");
  const typed: Ref<CartMessages> = cart;
  await typed.send("expire");
  for (const letter of (await cart.deadLetters({ type: "remind", reason: "expired" })).items)
    if (letter.type === "remind") expectTypeOf(letter.payload.email).toEqualTypeOf<string>();
  await cart.redriveAll({ type: "expire" });
  await cart.redrive<"remind">("id", { payload: { email: "a" } });
  // @ts-expect-error no message of the map has this type
  await cart.deadLetters({ type: "nope" });
  // @ts-expect-error no message of the map has this type
  await cart.purgeAll({ type: "nope" });
  // @ts-expect-error no message of the map has this payload
  await cart.redrive("id", { payload: 5 });
}

/** A namespace of any class: any type goes, with any payload. */
export async function ofAny(env: Env): Promise<void> {
  const any = ref(env.ANY, "x");
  await any.send("whatever", 1);
  await any.sendIn("1 hour", "whatever");
  await any.cancel({ type: "whatever", key: "k" });
  expectTypeOf((await any.deadLetter("id"))?.payload).toEqualTypeOf<unknown>();
  // The map can be given all the same.
  await ref<CartMessages>(env.ANY, "x").send("remind", { email: "a" });
  // @ts-expect-error the map that was given has another payload
  await ref<CartMessages>(env.ANY, "x").send("remind", { mail: "a" });
}

export class Sender extends Actor<Env, { go: void }> {
  protected override readonly receive: Receive<{ go: void }> = {
    go: () => {
      this.ref(this.env.ANY, "x").send("whatever", 1);
      const cart: ActorRef<CartMessages> = this.ref(this.env.CARTS, "x");
      cart.send("expire");
      const given: ActorRef<CartMessages> = this.ref<CartMessages>(this.env.ANY, "x");
      given.send("expire");
    },
  };
}

export class Host extends DurableObject<Env> {
  readonly mailbox = new Mailbox<CartMessages>(this.ctx, this.env, {
    receive: { itemAdded: () => {}, remind: () => {}, expire: () => {}, note: () => {} },
    onDeadLetter: (letter) => {
      if (letter.type === "remind") expectTypeOf(letter.payload).toEqualTypeOf<{ email: string }>();
    },
  });
}

/** What knows no map takes a letter of any. */
export function log({ type, payload, reason }: DeadLetter): string {
  expectTypeOf(type).toEqualTypeOf<string>();
  expectTypeOf(payload).toEqualTypeOf<unknown>();
  return `${type} ${reason}`;
}

export const logged = (letter: DeadLetter<CartMessages>, pending: PendingMessage<CartMessages>): string =>
  log(letter) + ((one: PendingMessage) => one.id)(pending);

export const filter: DeadLetterFilter = { type: "any", error: "Error: #" };
