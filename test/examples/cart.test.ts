// examples/cart: a reminder that each new item puts off, from one actor to another.

import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { type PendingMessage, type Ref, ref, SchemaRefusedError } from "../../actors/index.ts";
import type { CartMessages } from "../../examples/cart/cart.ts";
import { releaseClock, setClock, wake } from "../support/by-hand.ts";
import { until } from "../support/scripted.ts";

const MINUTE = 60_000;

afterEach(releaseClock);

/** A cart and the mailer of its customer. */
function setup() {
  const name = `cart-${crypto.randomUUID()}`;
  const email = `${name}@example.org`;
  const cart: Ref<CartMessages> = ref(env.CARTS, name);
  const cartStub = env.CARTS.getByName(name);
  const mailer = ref(env.MAILERS, email);
  const mailerStub = env.MAILERS.getByName(email);
  return {
    name,
    cart,
    cartStub,
    mailer,
    mailerStub,
    add: (sku: string, qty = 1) => cart.send("itemAdded", { sku, qty, email }),
    /** The reminder that waits once the cart holds so many kinds of items. */
    reminder: (kinds: number): Promise<PendingMessage> =>
      until(async () => {
        const { items } = await mailer.pending();
        const { items: listed } = (items[0]?.payload ?? { items: [] }) as { items: readonly unknown[] };
        return items.length === 1 && listed.length === kinds ? items[0] : undefined;
      }, `a reminder of ${kinds} items`),
  };
}

describe("a cart", () => {
  it("reminds once, of everything, half an hour after the last item", async () => {
    const { name, add, reminder, mailer, mailerStub } = setup();
    await add("apple");
    await add("pear");
    await add("apple", 2);
    await add("plum");
    const { dueAt } = await reminder(3);
    setClock(dueAt - 1);
    await wake(mailerStub);
    expect(await mailerStub.mails()).toEqual([]);
    setClock(dueAt);
    await wake(mailerStub);
    expect(await mailerStub.mails()).toEqual([
      { id: expect.any(String), cart: name, text: "In your cart: 3 × apple, 1 × pear, 1 × plum" },
    ]);
    expect((await mailer.pending()).items).toEqual([]);
  });

  it("puts the reminder off with each item", async () => {
    const { add, reminder } = setup();
    const sentAt = Date.now();
    await add("apple");
    const first = await reminder(1);
    expect(first.dueAt).toBeGreaterThanOrEqual(sentAt + 30 * MINUTE);
    await add("pear");
    const second = await reminder(2);
    expect(second.id).not.toBe(first.id);
    expect(second.dueAt).toBeGreaterThan(first.dueAt);
  });

  it("cancels the reminder when it is checked out", async () => {
    const { add, reminder, cart, cartStub, mailer } = setup();
    await add("apple");
    await reminder(1);
    await cart.send("checkedOut");
    await until(async () => (await cartStub.items()).length === 0);
    expect((await mailer.pending()).items).toEqual([]);
  });

  it("cancels a reminder that has not left the cart yet", async () => {
    const { add, cart, cartStub, mailer } = setup();
    await Promise.all([add("apple"), cart.send("checkedOut")]);
    await until(async () => (await cart.stats()).pending === 0 && (await cart.stats()).outbox === 0);
    expect(await cartStub.items()).toEqual([]);
    expect((await mailer.pending()).items).toEqual([]);
  });

  it("refuses at once what the schema does not allow", async () => {
    const { add, cart } = setup();
    await expect(add("apple", -1)).rejects.toBeInstanceOf(SchemaRefusedError);
    expect(await cart.stats()).toMatchObject({ pending: 0, outbox: 0 });
  });
});
