// The README's second snippet, as it stands there.
import { ref } from "durable-mailbox";

export async function order(env: Env): Promise<void> {
  const cart = ref(env.CARTS, "cart-42");
  await cart.send("itemAdded", { sku: "teapot", qty: 1 });
  await cart.sendLater(new Date("2027-01-01T09:00:00Z"), "remind", { email: "ada@example.org" });
  const weekly = { cron: "0 9 * * 1", timeZone: "Europe/Berlin" };
  await cart.sendEvery(weekly, "remind", { email: "ada@example.org" }, { key: "weekly" });
  await cart.cancel({ type: "remind", key: "reminder" });
  for (const letter of (await cart.deadLetters()).items) {
    console.log(letter.type, letter.reason, letter.errors.at(-1)?.message);
    await cart.redrive(letter.id);
  }
}
