// Writes to one customer. It owns the reminders that wait, so a cart needs no timer of its own.

import { Actor, type Receive } from "../../actors/index.ts";

export type Item = { readonly sku: string; readonly qty: number };

export interface MailerMessages {
  remind: { readonly cart: string; readonly items: readonly Item[] };
}

export type Mail = { readonly id: string; readonly cart: string; readonly text: string };

export class Mailer extends Actor<unknown, MailerMessages> {
  protected override readonly receive: Receive<MailerMessages> = {
    // Where a mail provider is called, the handler is async, and `id` is the idempotency key: a redelivery
    // then sends no second mail.
    remind: ({ cart, items }, { id }) => {
      const list = items.map(({ sku, qty }) => `${qty} × ${sku}`).join(", ");
      this.ctx.storage.sql.exec("INSERT INTO mails VALUES (?, ?, ?)", id, cart, `In your cart: ${list}`);
    },
  };

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS mails (id TEXT PRIMARY KEY, cart TEXT NOT NULL, text TEXT NOT NULL)",
    );
  }

  mails(): Mail[] {
    return this.ctx.storage.sql.exec<Mail>("SELECT id, cart, text FROM mails ORDER BY id").toArray();
  }
}
