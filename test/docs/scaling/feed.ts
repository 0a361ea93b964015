// The snippets of docs/scaling.md, as they stand there.
import { Actor, type Receive, ref } from "durable-mailbox";

interface Env {
  readonly ORDERS: DurableObjectNamespace<Orders>;
  readonly USERS: DurableObjectNamespace<User>;
}

interface Order {
  readonly customer: string;
  readonly total: number;
}

export async function placed(env: Env, order: Order): Promise<void> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(order.customer));
  const shard = new DataView(bytes).getUint32(0) % 16;
  await ref(env.ORDERS, `orders-${shard}`).send("placed", order);
}

type FeedMessages = {
  subscribe: { user: string };
  fanOut: { after: string; text: string };
};

export class Feed extends Actor<Env, FeedMessages> {
  readonly #sql = this.ctx.storage.sql;

  protected override readonly receive: Receive<FeedMessages> = {
    subscribe: ({ user }) => {
      this.#sql.exec("CREATE TABLE IF NOT EXISTS subscribers (user TEXT PRIMARY KEY) WITHOUT ROWID");
      this.#sql.exec("INSERT OR IGNORE INTO subscribers VALUES (?)", user);
    },
    fanOut: ({ after, text }) => {
      const page = this.#sql
        .exec<{ user: string }>("SELECT user FROM subscribers WHERE user > ? ORDER BY user LIMIT 1000", after)
        .toArray();
      for (const { user } of page) this.ref(this.env.USERS, user).send("news", { text });
      const last = page.at(-1);
      if (last !== undefined) this.send("fanOut", { after: last.user, text });
    },
  };
}

export class User extends Actor<Env, { news: { text: string } }> {
  protected override readonly receive: Receive<{ news: { text: string } }> = {
    news: ({ text }) => this.ctx.storage.kv.put("last", text),
  };

  last(): string | undefined {
    return this.ctx.storage.kv.get("last");
  }
}

export class Orders extends Actor<Env, { placed: Order }> {
  protected override readonly receive: Receive<{ placed: Order }> = {
    placed: ({ customer, total }) => this.ctx.storage.kv.put(customer, total),
  };

  total(customer: string): number | undefined {
    return this.ctx.storage.kv.get(customer);
  }
}
