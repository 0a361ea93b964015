// The demo's own judge: a relay that loses, changes, hurries or forges a webhook must be found out.

import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { Books, type Post, quantile } from "../../examples/webhooks/demo/books.ts";
import { type Item, makePlan } from "../../examples/webhooks/demo/plan.ts";
import { Receiver } from "../../examples/webhooks/demo/receiver.ts";

const DUE = 1_000;
const ITEM: Item = { id: "a", type: "push", body: "{}", endpoint: "acme", delayMs: 0, manner: "accept" };
const GOOD: Post = { id: "a", endpoint: "acme", body: "{}", at: DUE, status: 200 };

function problemsOf(...posts: readonly Post[]): readonly string[] {
  const books = new Books([ITEM]);
  books.sent("a", DUE);
  for (const post of posts) books.posted(post);
  return books.problems().map(({ kind }) => kind);
}

describe("the books", () => {
  it.each<[string, readonly Post[], readonly string[]]>([
    ["a webhook that came as it should", [GOOD], []],
    ["one that was accepted at last", [{ ...GOOD, status: 503 }, GOOD], []],
    ["one that was accepted twice", [GOOD, GOOD], []],
    ["one that never came", [], ["missing"]],
    ["one that was never accepted", [{ ...GOOD, status: 503 }], ["missing"]],
    ["one byte more", [{ ...GOOD, body: "{} " }], ["altered"]],
    ["another endpoint", [{ ...GOOD, endpoint: "hooli" }], ["altered"]],
    ["a bad signature", [{ ...GOOD, forgery: "no match", status: 401 }, GOOD], ["bad signature"]],
    ["a millisecond too early", [{ ...GOOD, at: DUE - 1 }], ["early"]],
    [
      "a caller who does not wait",
      [
        { ...GOOD, status: 429, notBefore: DUE + 2 },
        { ...GOOD, at: DUE + 1 },
      ],
      ["early"],
    ],
  ])("say of %s what they must", (_, posts, problems) => {
    expect(problemsOf(...posts)).toEqual(problems);
  });

  it("miss what was never sent", () => {
    expect(new Books([ITEM]).problems().map(({ kind }) => kind)).toEqual(["missing"]);
  });

  it("know lateness from the first POST alone", () => {
    const books = new Books([ITEM]);
    books.sent("a", DUE);
    books.posted({ ...GOOD, at: DUE + 5, status: 503 });
    books.posted({ ...GOOD, at: DUE + 900 });
    expect(books.lateness()).toEqual([5]);
    expect(books).toMatchObject({ sentCount: 1, acceptedCount: 1, redeliveredCount: 1, repeatedCount: 0 });
  });

  it("find the values that half and nearly all stay under", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index);
    expect([quantile(hundred, 0.5), quantile(hundred, 0.99), quantile([], 0.5)]).toEqual([
      50,
      99,
      Number.NaN,
    ]);
  });
});

describe("the plan", () => {
  it("has all 329 payloads, in every manner, at once and later", () => {
    const plan = makePlan();
    expect(plan).toHaveLength(329);
    expect(new Set(plan.map(({ id }) => id)).size).toBe(329);
    expect(new Set(plan.map(({ endpoint }) => endpoint)).size).toBe(6);
    expect([...new Set(plan.map(({ manner }) => manner))].toSorted()).toEqual([
      "accept",
      "busy",
      "failTwice",
      "refuse",
      "slow",
    ]);
    expect(new Set(plan.map(({ delayMs }) => delayMs > 0)).size).toBe(2);
  });
});

describe("the receiver", () => {
  const secret = `whsec_${Buffer.from("a key of some length for it").toString("base64")}`;
  let receiver: Receiver | undefined;

  afterEach(() => receiver?.close());

  async function post(
    item: Item,
    forgedBody?: string,
  ): Promise<{ status: number; books: Books; again(): Promise<number> }> {
    const books = new Books([item]);
    receiver = await Receiver.start(books);
    const url = receiver.endpoint(item.endpoint, secret);
    const again = async (): Promise<number> => {
      const now = new Date();
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "webhook-id": item.id,
          "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
          "webhook-signature": new Webhook(secret).sign(item.id, now, item.body),
        },
        body: forgedBody ?? item.body,
      });
      await response.text();
      return response.status;
    };
    return { status: await again(), books, again };
  }

  it("accepts what is signed, and refuses what is not", async () => {
    expect((await post(ITEM)).status).toBe(200);
    await receiver?.close();
    const { status, books } = await post(ITEM, "{ }");
    expect(status).toBe(401);
    expect(books.postsOf("a")[0]).toMatchObject({ status: 401, forgery: "No matching signature found" });
  });

  it("fails twice, is busy once, and refuses until it is repaired", async () => {
    const failing = await post({ ...ITEM, manner: "failTwice" });
    expect([failing.status, await failing.again(), await failing.again()]).toEqual([503, 503, 200]);
    await receiver?.close();
    const busy = await post({ ...ITEM, manner: "busy" });
    expect(busy.status).toBe(429);
    expect(busy.books.postsOf("a")[0]?.notBefore).toBeGreaterThan(Date.now());
    expect(await busy.again()).toBe(200);
    await receiver?.close();
    const refusing = await post({ ...ITEM, manner: "refuse" });
    expect([refusing.status, await refusing.again()]).toEqual([422, 422]);
    receiver?.repair();
    expect(await refusing.again()).toBe(200);
  });
});
