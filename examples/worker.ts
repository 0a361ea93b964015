// The local Worker behind `npm start`: the examples over HTTP, and a page that says what can be called.
// It asks nobody who they are, so it is for one's own machine.

import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { prettyJSON } from "hono/pretty-json";
import { z } from "zod";
import { MailboxError } from "../actors/index.ts";
import { carts, type CartsEnv, mailers } from "./cart/routes.ts";
import { digests, type DigestsEnv } from "./digest/routes.ts";
import { page } from "./page.ts";
import { trials, type TrialsEnv } from "./taskmanager/routes.ts";
import { endpoints, type EndpointsEnv } from "./webhooks/routes.ts";

export { Cart } from "./cart/cart.ts";
export { Mailer } from "./cart/mailer.ts";
export { Digest } from "./digest/digest.ts";
export { Trial } from "./taskmanager/trial.ts";
export { Endpoint } from "./webhooks/endpoint.ts";

type Env = EndpointsEnv & CartsEnv & DigestsEnv & TrialsEnv;

const app = new Hono<{ Bindings: Env }>()
  .use(prettyJSON({ force: true }))
  .get("/", (c) => c.html(page(new URL(c.req.url).origin)))
  .route("/endpoints", endpoints)
  .route("/carts", carts)
  .route("/mailers", mailers)
  .route("/digests", digests)
  .route("/trials", trials)
  // A receiver to try the webhooks on: answers what its path says.
  .post("/receiver/:status{[2-5][0-9]{2}}", (c) => {
    const status = Number(c.req.param("status"));
    // Some answers have no body by their nature.
    const text = [204, 205, 304].includes(status) ? null : "this receiver always says so";
    return new Response(text, { status });
  })
  .notFound((c) => c.json({ error: "There is no such route; / lists those there are." }, 404))
  .onError(answerError);

/** What the library or a schema refuses is the caller's to repair, in the words of the refusal. */
function answerError(error: Error, c: Context): Response {
  if (error instanceof HTTPException) return error.getResponse();
  if (error instanceof z.ZodError) return c.json({ error: z.prettifyError(error) }, 400);
  if (error instanceof SyntaxError) return c.json({ error: `The body is no JSON: ${error.message}` }, 400);
  if (error instanceof MailboxError) {
    return c.json({ error: error.message, code: error.code }, error.code === "unreachable" ? 503 : 400);
  }
  console.error(error);
  return c.json({ error: "Something went wrong here; the log of the Worker says what." }, 500);
}

export default app;
