// examples/webhooks: what an endpoint does with each answer of its receiver.

import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Ref, ref } from "../../actors/index.ts";
import type { EndpointMessages, WebhookEvent } from "../../examples/webhooks/endpoint.ts";
import { releaseClock, setClock, wake } from "../support/by-hand.ts";
import { until } from "../support/scripted.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const URL_OF_RECEIVER = "https://receiver.example/hooks";
const MONDAY = Date.UTC(2030, 0, 7, 12);
const EVENT: WebhookEvent = { id: "evt_1", type: "push", body: '{ "größe": 1.0, "名": "ü" }' };

interface Post {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly redirect: string | undefined;
}

type Answer = (signal: AbortSignal) => Response | Promise<Response>;

afterEach(() => {
  releaseClock();
  vi.restoreAllMocks();
});

/** An endpoint, registered, whose receiver gives one answer after the other and repeats the last. */
async function setup(...answers: readonly Answer[]): Promise<{
  readonly posts: Post[];
  readonly endpoint: Ref<EndpointMessages>;
  readonly stub: ReturnType<typeof env.ENDPOINTS.getByName>;
}> {
  const posts: Post[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const answer = answers[Math.min(posts.length, answers.length - 1)];
    posts.push({
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      redirect: init?.redirect,
    });
    const signal = init?.signal;
    if (answer === undefined || signal == null) throw new Error("no answer, or no signal");
    return answer(signal);
  });
  // A failed attempt writes to the console, which is the example's default and of no interest here.
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "error").mockReturnValue();
  const name = crypto.randomUUID();
  const stub = env.ENDPOINTS.getByName(name);
  await stub.register({ url: URL_OF_RECEIVER, secret: SECRET });
  return { posts, endpoint: ref(env.ENDPOINTS, name), stub };
}

function answering(status: number, headers?: Record<string, string>): Answer {
  return () =>
    new Response(status === 204 ? null : "so it is", {
      status,
      ...(headers === undefined ? {} : { headers }),
    });
}

describe("a webhook endpoint", () => {
  it("posts the body byte for byte, signed as Standard Webhooks", async () => {
    const { posts, endpoint } = await setup(answering(204));
    await endpoint.send("deliver", EVENT);
    const post = await until(() => posts[0]);
    expect(post).toMatchObject({ url: URL_OF_RECEIVER, body: EVENT.body, redirect: "manual" });
    expect(post.headers).toMatchObject({ "webhook-id": "evt_1", "x-webhook-type": "push" });
    expect(new Webhook(SECRET).verify(post.body, post.headers)).toEqual(JSON.parse(EVENT.body));
    await until(async () => (await endpoint.stats()).pending === 0);
    expect(posts).toHaveLength(1);
  });

  it("redelivers with backoff under the same id, and signs anew", async () => {
    const { posts, endpoint } = await setup(answering(503), answering(302), answering(200));
    await endpoint.send("deliver", EVENT);
    await until(() => posts.length === 3);
    await until(async () => (await endpoint.stats()).pending === 0);
    expect(new Set(posts.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set(["evt_1"]));
    expect(new Set(posts.map(({ headers }) => headers["webhook-signature"])).size).toBeGreaterThan(1);
    for (const { body, headers } of posts) new Webhook(SECRET).verify(body, headers);
  });

  it.each([
    ["seconds", "120", 120_000],
    ["a date", new Date(MONDAY + 90_000).toUTCString(), 90_000],
    ["a date that has passed", new Date(MONDAY - 90_000).toUTCString(), 1],
  ])("waits as long as Retry-After asks, given as %s", async (_, retryAfter, waitMs) => {
    const { endpoint, stub } = await setup(answering(429, { "retry-after": retryAfter }), answering(200));
    setClock(MONDAY);
    const id = await endpoint.send("deliver", EVENT, { maxAttempts: 2 });
    await wake(stub);
    expect(await endpoint.get(id)).toMatchObject({ attempts: 1, dueAt: MONDAY + waitMs });
    setClock(MONDAY + waitMs);
    await wake(stub);
    expect(await endpoint.get(id)).toBeUndefined();
    expect((await endpoint.deadLetters()).items).toEqual([]);
  });

  it("backs off as usual when Retry-After says nothing", async () => {
    const { endpoint, stub } = await setup(answering(429, { "retry-after": "soon" }));
    setClock(MONDAY);
    const id = await endpoint.send("deliver", EVENT, { backoff: "7 seconds" });
    await wake(stub);
    expect((await endpoint.get(id))?.dueAt).toBe(MONDAY + 7_000);
  });

  it("gives up at once when the receiver is gone", async () => {
    const { posts, endpoint } = await setup(answering(410));
    await endpoint.send("deliver", EVENT);
    const letter = await until(async () => (await endpoint.deadLetters()).items[0]);
    expect(letter).toMatchObject({ reason: "rejected", attempts: 1, payload: EVENT });
    expect(letter.errors.at(-1)?.message).toBe("The receiver answered 410: so it is");
    expect(posts).toHaveLength(1);
  });

  it("keeps what stays refused as a dead letter, and delivers it when it is redriven", async () => {
    const refused: Answer[] = Array.from({ length: 5 }, () => answering(422));
    const { posts, endpoint, stub } = await setup(...refused, answering(200));
    setClock(MONDAY);
    const id = await endpoint.send("deliver", EVENT);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      setClock(MONDAY + attempt * 60_000);
      await wake(stub);
    }
    expect(await endpoint.deadLetter(id)).toMatchObject({ reason: "exhausted", attempts: 5, payload: EVENT });
    expect(await endpoint.redriveAll()).toBe(1);
    await wake(stub);
    expect(await endpoint.stats()).toMatchObject({ pending: 0, deadLetters: 0 });
    expect(posts.map(({ headers }) => headers["webhook-id"])).toEqual(Array(6).fill("evt_1"));
  });

  it("aborts a POST that outlasts its timeout", async () => {
    const aborted = vi.fn<(reason: unknown) => void>();
    const { endpoint } = await setup((signal) => {
      const { promise, reject } = Promise.withResolvers<Response>();
      signal.addEventListener("abort", () => {
        aborted(signal.reason);
        reject(signal.reason);
      });
      return promise;
    });
    const id = await endpoint.send("deliver", EVENT, { timeout: "50 ms", maxAttempts: 1 });
    const letter = await until(() => endpoint.deadLetter(id));
    expect(letter.reason).toBe("timedOut");
    expect(aborted).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "attempt_timed_out" }));
  });

  it("reads only the beginning of an answer without end", async () => {
    const { endpoint } = await setup(
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new TextEncoder().encode("no! ".repeat(1_000))),
          }),
          { status: 500 },
        ),
    );
    const id = await endpoint.send("deliver", EVENT, { maxAttempts: 1 });
    const { errors } = await until(() => endpoint.deadLetter(id));
    expect(errors[0]?.message).toBe(`The receiver answered 500: ${"no! ".repeat(50)}`);
  });

  it("keeps webhooks of an endpoint without a URL until there is one", async () => {
    const { posts } = await setup(answering(200));
    const name = crypto.randomUUID();
    const endpoint = ref(env.ENDPOINTS, name);
    const id = await endpoint.send("deliver", EVENT);
    const letter = await until(() => endpoint.deadLetter(id));
    expect(letter.reason).toBe("rejected");
    await env.ENDPOINTS.getByName(name).register({ url: URL_OF_RECEIVER, secret: SECRET });
    expect(await endpoint.redrive(id)).toBe(true);
    await until(() => posts.length === 1);
  });
});
