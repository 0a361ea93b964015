import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ref } from "../../actors/index.ts";
import { until } from "../support/scripted.ts";
import { order } from "./readme/worker.ts";

describe("the README's snippets", () => {
  afterEach(() => vi.restoreAllMocks());

  it("send, cancel and redrive as they say", async () => {
    await order({ CARTS: env.README_CARTS });
    const cart = ref(env.README_CARTS, "cart-42");
    await until(async () => (await cart.stats()).delivered === 1, "the delivery of itemAdded");
    const { items } = await cart.pending();
    expect(items.map((message) => [message.type, message.key, message.recurrence])).toContainEqual([
      "remind",
      undefined,
      "every:remind:weekly",
    ]);
    expect(items.filter((message) => message.dueAt === Date.parse("2027-01-01T09:00:00Z"))).toHaveLength(1);
  });

  it("remind by mail, half an hour after the last item, and again when the mailer fails", async () => {
    const answers = [new Response("", { status: 500 }), new Response("ok")];
    const fetched = vi
      .spyOn(globalThis, "fetch")
      .mockImplementation(async () => answers.shift() ?? new Response("ok"));
    const cart = ref(env.README_CARTS, "cart-43");
    await cart.send("itemAdded", { sku: "teapot", qty: 1 });
    await until(
      async () => (await cart.get({ type: "remind", key: "reminder" })) !== undefined,
      "the reminder",
    );
    const first = await cart.get({ type: "remind", key: "reminder" });
    await cart.send("itemAdded", { sku: "cup", qty: 4 });
    const second = await until(async () => {
      const now = await cart.get({ type: "remind", key: "reminder" });
      return now !== undefined && now.id !== first?.id ? now : undefined;
    }, "a reminder in place of the first");
    expect(second.dueAt - Date.now()).toBeGreaterThan(29 * 60_000);
    expect(await cart.reschedule(second.id, Date.now())).toBe(true);
    await until(() => fetched.mock.calls.length === 2, "the second attempt");
    expect(fetched.mock.calls[0]?.[0]).toBe("https://mail.example/ada@example.org");
  });
});
