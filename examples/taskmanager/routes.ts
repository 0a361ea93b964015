// Trials over HTTP: the object answers the requests itself.

import { Hono } from "hono";

export interface TrialsEnv {
  readonly TRIALS: DurableObjectNamespace;
}

export const trials: Hono<{ Bindings: TrialsEnv }> = new Hono<{ Bindings: TrialsEnv }>()
  .post("/:name/:verb{start|buy|close}", (c) => c.env.TRIALS.getByName(c.req.param("name")).fetch(c.req.raw))
  .get("/:name", (c) => c.env.TRIALS.getByName(c.req.param("name")).fetch(c.req.raw));
