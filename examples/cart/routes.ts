// Carts and mailers over HTTP.

import { Hono } from "hono";
import { ref } from "../../actors/index.ts";
import type { Cart, CartMessages } from "./cart.ts";
import type { Mailer } from "./mailer.ts";

export interface CartsEnv {
  readonly CARTS: DurableObjectNamespace<Cart>;
  readonly MAILERS: DurableObjectNamespace<Mailer>;
}

export const carts: Hono<{ Bindings: CartsEnv }> = new Hono<{ Bindings: CartsEnv }>()
  // What the body holds is checked by the schema that the Cart declares.
  .post("/:name/items", async (c) => {
    const item = await c.req.json<CartMessages["itemAdded"]>();
    return c.json({ message: await ref(c.env.CARTS, c.req.param("name")).send("itemAdded", item) }, 202);
  })
  .post("/:name/checkout", async (c) => {
    return c.json({ message: await ref(c.env.CARTS, c.req.param("name")).send("checkedOut") }, 202);
  })
  .get("/:name", async (c) => c.json({ items: await c.env.CARTS.getByName(c.req.param("name")).items() }));

export const mailers: Hono<{ Bindings: CartsEnv }> = new Hono<{ Bindings: CartsEnv }>().get(
  "/:email",
  async (c) => {
    const email = c.req.param("email");
    const [mails, waiting] = await Promise.all([
      c.env.MAILERS.getByName(email).mails(),
      ref(c.env.MAILERS, email).pending(),
    ]);
    return c.json({ mails, waiting: waiting.items });
  },
);
