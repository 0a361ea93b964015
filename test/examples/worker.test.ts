// examples/worker.ts: the page says what can be called, and each of its calls works.

import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { chapters, curlOf } from "../../examples/calls.ts";
import app from "../../examples/worker.ts";
import { until } from "../support/scripted.ts";

const ORIGIN = "http://localhost:8787";

beforeAll(() => {
  // The Worker is its own receiver; here it is reached without a network. Redeliveries may come after the
  // test that caused them, so nothing is restored.
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) =>
    app.fetch(new Request(input, init), env),
  );
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "error").mockReturnValue();
});

async function call(path: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await app.fetch(new Request(`${ORIGIN}${path}`, init), env);
  return { status: response.status, body: await response.json() };
}

describe("the examples' Worker", () => {
  it("shows a line for the shell for each call", async () => {
    const response = await app.fetch(new Request(`${ORIGIN}/`), env);
    expect(response.headers.get("content-type")).toContain("text/html");
    const unescaped = (await response.text())
      .replaceAll("&#39;", "'")
      .replaceAll("&quot;", '"')
      .replaceAll("&amp;", "&");
    for (const { calls } of chapters(ORIGIN)) {
      for (const each of calls) expect(unescaped).toContain(`<code>${curlOf(each, ORIGIN)}</code>`);
    }
  });

  it("answers each call of the page, in their order", async () => {
    for (const { calls } of chapters(ORIGIN)) {
      for (const { method, path, body } of calls) {
        const { status } = await call(path, {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        expect([200, 202], `${method} ${path}`).toContain(status);
      }
    }
    expect((await call("/digests/team")).body).toMatchObject({ recurrences: [] });
  });

  it("redrives one dead letter by its id", async () => {
    await call("/endpoints/lonely/events", { method: "POST", body: "{}" });
    const { id } = await until(async () => {
      const { body } = await call("/endpoints/lonely/dead-letters");
      return (body as { items: readonly { id: string }[] }).items[0];
    });
    const redrive = `/endpoints/lonely/dead-letters/${id}/redrive`;
    expect(await call(redrive, { method: "POST" })).toEqual({ status: 200, body: { redriven: 1 } });
  });

  it.each([
    ["POST", "/carts/c/items", "{", 400, "The body is no JSON"],
    ["POST", "/carts/c/items", '{"sku":""}', 400, "The schema of receive.itemAdded refuses the payload"],
    ["PUT", "/endpoints/e", '{"url":"ftp://example.org"}', 400, "Invalid"],
    ["POST", "/endpoints/e/events?in=soon", "{}", 400, "is not a duration"],
    ["POST", "/endpoints/e/events?at=1700000000", "{}", 400, "looks like seconds"],
    ["POST", "/endpoints/e/dead-letters/none/redrive", "", 404, undefined],
    ["PUT", "/digests/d", '{"cron":"61 * * * *"}', 400, "61 * * * *"],
    ["GET", "/nowhere", undefined, 404, "There is no such route"],
  ])("answers %s %s with what was wrong", async (method, path, body, status, error) => {
    const answer = await call(path, { method, ...(body === undefined ? {} : { body }) });
    expect(answer.status).toBe(status);
    if (error !== undefined) expect((answer.body as { error: string }).error).toContain(error);
  });
});
