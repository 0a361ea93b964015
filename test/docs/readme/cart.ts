// The README's first snippet, as it stands there.
import { Actor, type Receive } from "durable-mailbox";

type CartMessages = {
  itemAdded: { sku: string; qty: number };
  remind: { email: string };
};

export class Cart extends Actor<Env, CartMessages> {
  protected override readonly receive: Receive<CartMessages> = {
    // A sync handler: what it writes, what it sends and its ack are one commit.
    itemAdded: ({ sku, qty }) => {
      this.ctx.storage.kv.put(sku, qty);
      const later = { key: "reminder", ifPending: "replace" } as const;
      this.sendIn("30 minutes", "remind", { email: "ada@example.org" }, later);
    },
    // An async handler, with a policy of its own: redelivered with backoff until it resolves.
    remind: {
      maxAttempts: 8,
      timeout: "20 seconds",
      handle: async ({ email }, { signal }) => {
        const answer = await fetch(`https://mail.example/${email}`, { method: "POST", signal });
        if (!answer.ok) throw new Error(`The mailer answered ${answer.status}.`);
      },
    },
  };
}
