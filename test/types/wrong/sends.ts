// Each line with a comment is wrong, and the comment is part of what the compiler says of it.

import { Actor, type Delivery, type Receive, ref } from "../../../actors/index.ts";

interface CartMessages {
  itemAdded: { sku: string; qty: number };
  remind: { email: string };
  expire: void;
}

interface Env {
  readonly CARTS: DurableObjectNamespace<Cart>;
}

export class Cart extends Actor<Env, CartMessages> {
  protected override readonly receive: Receive<CartMessages> = {
    itemAdded: () => {},
    remind: () => {},
    expire: () => {},
  };

  slips(delivery: Delivery): void {
    this.send("remind"); // Expected 2-3 arguments, but got 1.
    this.sendIn("1 hour", "remind"); // Expected 3-4 arguments, but got 2.
    this.sendLater(new Date(), "remind"); // Expected 3-4 arguments, but got 2.
    this.sendEvery({ every: "1 month" }, "remind"); // Expected 3-4 arguments, but got 2.
    this.send("remidn"); // '"remidn"' is not assignable to parameter of type '"expire" | "itemAdded" | "remind"'
    this.send("remidn", { email: "a" }); // '"remidn"' is not assignable to parameter of type '"expire" | "itemAdded" | "remind"'
    this.send("remind", { mail: "a" }); // 'mail' does not exist in type '{ email: string; }'. Did you mean to write 'email'?
    this.send("itemAdded", { sku: "a" }); // Property 'qty' is missing
    this.send("expire", 1); // 'number' is not assignable to parameter of type 'void'
    delivery.reply<CartMessages>("remind", { sku: "a", qty: 1 }); // 'sku' does not exist in type '{ email: string; }'
    delivery.reply<CartMessages>("expire", { email: "a" }); // Type '["expire", { email: string; }]' is not assignable
    delivery.reply<CartMessages>("remind"); // Source has 1 element(s) but target requires 2.
    delivery.reply<CartMessages>("nope"); // '"nope"' is not assignable
  }
}

export async function slips(env: Env): Promise<void> {
  const cart = ref(env.CARTS, "cart-42");
  await cart.send("remind"); // Expected 2-3 arguments, but got 1.
  await cart.send("remidn"); // '"remidn"' is not assignable to parameter of type '"expire" | "itemAdded" | "remind"'
  await cart.sendEvery({ cron: "* * * * *", timezone: "UTC" }, "expire"); // Did you mean to write 'timeZone'?
}
