// The relay over HTTP: register an endpoint, send it webhooks, see what became of them, repair.

import { Hono } from "hono";
import { z } from "zod";
import { ref } from "../../actors/index.ts";
import type { Endpoint } from "./endpoint.ts";

export interface EndpointsEnv {
  readonly ENDPOINTS: DurableObjectNamespace<Endpoint>;
}

const Registration = z.object({
  url: z.url({ protocol: /^https?$/ }),
  secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/)
    .optional(),
});

export const endpoints: Hono<{ Bindings: EndpointsEnv }> = new Hono<{ Bindings: EndpointsEnv }>()
  .put("/:name", async (c) => {
    const asked = Registration.parse(await c.req.json());
    const endpoint = c.env.ENDPOINTS.getByName(c.req.param("name"));
    const secret = asked.secret ?? (await endpoint.target())?.secret ?? newSecret();
    await endpoint.register({ url: asked.url, secret });
    return c.json({ url: asked.url, secret });
  })
  // The body is the webhook, byte for byte. With `?in=5 seconds` or `?at=<epoch ms>` it goes out later.
  .post("/:name/events", async (c) => {
    const { id = `evt_${crypto.randomUUID()}`, type = "event", at, in: delay } = c.req.query();
    const event = { id, type, body: await c.req.text() };
    const endpoint = ref(c.env.ENDPOINTS, c.req.param("name"));
    const message =
      at !== undefined
        ? await endpoint.sendLater(Number(at), "deliver", event)
        : delay !== undefined
          ? await endpoint.sendIn(delay, "deliver", event)
          : await endpoint.send("deliver", event);
    return c.json({ id, message }, 202);
  })
  .get("/:name", async (c) => {
    const endpoint = ref(c.env.ENDPOINTS, c.req.param("name"));
    const [stats, pending] = await Promise.all([endpoint.stats(), endpoint.pending({ limit: 10 })]);
    return c.json({ stats, pending: pending.items });
  })
  .get("/:name/dead-letters", async (c) => {
    const { cursor } = c.req.query();
    const endpoint = ref(c.env.ENDPOINTS, c.req.param("name"));
    return c.json(await endpoint.deadLetters(cursor === undefined ? {} : { cursor }));
  })
  .post("/:name/dead-letters/redrive", async (c) => {
    return c.json({ redriven: await ref(c.env.ENDPOINTS, c.req.param("name")).redriveAll() });
  })
  .post("/:name/dead-letters/:id/redrive", async (c) => {
    const { name, id } = c.req.param();
    const isRedriven = await ref(c.env.ENDPOINTS, name).redrive(id);
    return c.json({ redriven: isRedriven ? 1 : 0 }, isRedriven ? 200 : 404);
  });

function newSecret(): string {
  const key = crypto.getRandomValues(new Uint8Array(24));
  return `whsec_${btoa(String.fromCharCode(...key))}`;
}
