import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { ref } from "../../actors/index.ts";
import { until } from "../support/scripted.ts";
import { placed } from "./scaling/feed.ts";

describe("the snippets of docs/scaling.md", () => {
  it("send the orders of one customer to one shard", async () => {
    await placed(env, { customer: "ada", total: 1 });
    await placed(env, { customer: "ada", total: 2 });
    await placed(env, { customer: "bob", total: 3 });
    const shards = Array.from({ length: 16 }, (_, shard) => env.ORDERS.getByName(`orders-${shard}`));
    const totals = async (customer: string): Promise<unknown[]> =>
      (await Promise.all(shards.map((shard) => shard.total(customer)))).filter(
        (total) => total !== undefined,
      );
    await until(async () => (await totals("ada"))[0] === 2 && (await totals("bob"))[0] === 3);
    expect(await totals("ada")).toHaveLength(1);
  });

  it("fan out to all who subscribe, a page at a time, and end", async () => {
    const feed = ref(env.FEEDS, "news");
    const users = Array.from({ length: 12 }, (_, n) => `user-${n}`);
    await feed.sendAll(users.map((user) => ({ type: "subscribe" as const, payload: { user } })));
    await feed.send("fanOut", { after: "", text: "hello" });
    for (const user of users) await until(async () => (await env.USERS.getByName(user).last()) === "hello");
    await until(async () => {
      const { pending, outbox, deadLetters } = await feed.stats();
      return pending + outbox + deadLetters === 0;
    });
    expect((await feed.stats()).delivered).toBe(12 + 2);
  });
});
