// Types flow from the message map: checked by the compiler alone, never run.

import { DurableObject } from "cloudflare:workers";
import { expectTypeOf } from "vitest";
import { z } from "zod";
import { Actor, Mailbox, type Receive, ref, validated } from "../../actors/index.ts";

interface CartMessages {
  itemAdded: { sku: string; qty: number };
  remind: { email: string };
  expire: void;
}

interface Env {
  readonly CARTS: DurableObjectNamespace<Cart>;
  readonly ROOMS: DurableObjectNamespace<Room>;
}

type Tree = { readonly value: number; readonly children: readonly Tree[] };
const Remind = z.object({ email: z.string(), at: z.coerce.date() });

export class Cart extends Actor<Env, CartMessages> {
  // Public fields of recursive and inferred types do not get in the way of refs.
  readonly tree: Tree = { value: 1, children: [] };
  readonly schema = Remind;

  protected override readonly receive: Receive<CartMessages> = {
    itemAdded: (item, delivery) => {
      expectTypeOf(item).toEqualTypeOf<{ sku: string; qty: number }>();
      expectTypeOf(delivery.attempt).toEqualTypeOf<number>();
      this.sendIn(
        "30 minutes",
        "remind",
        { email: "a@example.org" },
        { key: "reminder", ifPending: "replace" },
      );
      this.send("expire");
      // @ts-expect-error no such type
      this.send("itemRemoved");
      // @ts-expect-error the payload lacks qty
      this.send("itemAdded", { sku: "a" });
      // @ts-expect-error a void type takes no payload
      this.send("expire", 1);
      delivery.reply<CartMessages>("remind", { email: "b@example.org" });
      // @ts-expect-error a reply is typed by the map it is given
      delivery.reply<CartMessages>("remind", { mail: "b@example.org" });
    },
    remind: {
      maxAttempts: 8,
      timeout: "20 seconds",
      handle: async ({ email }, delivery) => {
        expectTypeOf(email).toEqualTypeOf<string>();
        delivery.defer("1 minute");
        const other = this.ref(this.env.CARTS, "other");
        expectTypeOf(other.send("expire")).toEqualTypeOf<string>();
        expectTypeOf(await other.cancel("id")).toEqualTypeOf<boolean>();
      },
    },
    expire: () => this.ctx.storage.sql.exec("DELETE FROM items"),
  };

  /** Generic code can forward to a send. */
  forward<T extends keyof CartMessages>(type: T, payload: CartMessages[T]): string {
    return this.send(type, payload);
  }
}

export class Incomplete extends Actor<Env, CartMessages> {
  // @ts-expect-error remind has no handler
  protected override readonly receive: Receive<CartMessages> = {
    itemAdded: () => {},
    expire: () => {},
  };
}

export class Reserving extends Actor<Env, { poke: void }> {
  protected override readonly receive: Receive<{ poke: void }> = { poke: () => {} };
  // @ts-expect-error the actor needs this name for itself
  cancel(): void {}
}

type Checked = { remind: { email: string; at: string }; other: { n: number } };

export class Validating extends Actor<Env, Checked> {
  protected override readonly receive: Receive<Checked> = {
    // The map holds the schema's input, the handler gets its output.
    remind: validated(
      z.object({ email: z.string(), at: z.string().transform((text) => new Date(text)) }),
      (output) => {
        expectTypeOf(output).toEqualTypeOf<{ email: string; at: Date }>();
      },
    ),
    // @ts-expect-error the schema takes another payload than the map has
    other: validated(z.object({ n: z.string() }), () => {}),
  };
}

interface RoomMessages {
  close: { reason: string };
}

export class Room extends DurableObject<Env> {
  readonly mailbox = new Mailbox<RoomMessages>(this.ctx, this.env, { receive: { close: () => {} } });

  override alarm(info?: AlarmInvocationInfo): Promise<void> {
    return this.mailbox.wake(info);
  }

  mailboxCall(call: string): Promise<string> {
    return this.mailbox.call(call);
  }
}

export async function refs(env: Env): Promise<void> {
  const cart = ref(env.CARTS, "cart-42");
  expectTypeOf(cart.send("expire")).toEqualTypeOf<Promise<string>>();
  await cart.send("itemAdded", { sku: "a", qty: 1 });
  await cart.sendLater(new Date(), "remind", { email: "a@example.org" });
  await cart.sendIn("3 days", "expire");
  await cart.sendEvery(
    { cron: "0 9 * * 1", timeZone: "Europe/Berlin" },
    "remind",
    { email: "a@example.org" },
    { key: "weekly" },
  );
  await cart.sendAll([
    { type: "expire" },
    { type: "remind", payload: { email: "a@example.org" }, in: "1 hour" },
  ]);
  // @ts-expect-error no such type
  await cart.send("itemRemoved", {});
  // @ts-expect-error the payload is another type's
  await cart.sendAll([{ type: "itemAdded", payload: { email: "a@example.org" } }]);
  // @ts-expect-error over RPC a protected own property cannot be called, and is not in the stub's type
  await env.CARTS.getByName("cart-42").send("expire");

  await ref(env.ROOMS, "lobby").send("close", { reason: "night" });
  await ref<RoomMessages>(env.ROOMS, "lobby").send("close", { reason: "night" });
  // @ts-expect-error the map that was given has another payload
  await ref<RoomMessages>(env.ROOMS, "lobby").send("close", { reason: 1 });
}
