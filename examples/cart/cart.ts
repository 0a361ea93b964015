// A shopping cart. Each item that is added puts off the reminder: it is one message to the customer's
// Mailer, with a key, and a newer one replaces the one that waits there.

import { z } from "zod";
import { Actor, type Receive, validated } from "../../actors/index.ts";
import type { Item, Mailer } from "./mailer.ts";

const Added = z.object({ sku: z.string().min(1), qty: z.int().positive(), email: z.email() });

export interface CartMessages {
  itemAdded: z.input<typeof Added>;
  checkedOut: void;
}

export interface CartEnv {
  readonly MAILERS: DurableObjectNamespace<Mailer>;
  /** How long a cart lies still before its customer is reminded. */
  readonly REMIND_AFTER?: string;
}

export class Cart extends Actor<CartEnv, CartMessages> {
  protected override readonly receive: Receive<CartMessages> = {
    // Synchronous, so the item, the reminder and the ack are one commit: after a crash there are all or none.
    itemAdded: validated(Added, ({ sku, qty, email }) => {
      const { sql, kv } = this.ctx.storage;
      sql.exec(
        "INSERT INTO items VALUES (?, ?) ON CONFLICT (sku) DO UPDATE SET qty = qty + excluded.qty",
        sku,
        qty,
      );
      kv.put("email", email);
      this.ref(this.env.MAILERS, email).sendIn(
        this.env.REMIND_AFTER ?? "30 minutes",
        "remind",
        { cart: this.#name, items: this.items() },
        { key: this.#name, ifPending: "replace" },
      );
    }),

    checkedOut: async () => {
      const email = this.ctx.storage.kv.get<string>("email");
      if (email !== undefined) {
        await this.ref(this.env.MAILERS, email).cancel({ type: "remind", key: this.#name });
      }
      this.ctx.storage.sql.exec("DELETE FROM items");
    },
  };

  constructor(ctx: DurableObjectState, env: CartEnv) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS items (sku TEXT PRIMARY KEY, qty INTEGER NOT NULL)");
  }

  items(): Item[] {
    return this.ctx.storage.sql.exec<Item>("SELECT sku, qty FROM items ORDER BY sku").toArray();
  }

  get #name(): string {
    return this.ctx.id.name ?? this.ctx.id.toString();
  }
}
