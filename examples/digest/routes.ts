// Digests over HTTP.

import { Hono } from "hono";
import { z } from "zod";
import { ref } from "../../actors/index.ts";
import type { Digest } from "./digest.ts";

export interface DigestsEnv {
  readonly DIGESTS: DurableObjectNamespace<Digest>;
}

const Rule = z.object({ cron: z.string().default("0 9 * * 1-5"), timeZone: z.string().default("UTC") });
const Note = z.object({ text: z.string().min(1) });

export const digests: Hono<{ Bindings: DigestsEnv }> = new Hono<{ Bindings: DigestsEnv }>()
  // A bad expression or zone is refused here, by a typed error, before anything is stored.
  .put("/:name", async (c) => {
    const rule = Rule.parse(await c.req.json());
    const digest = ref(c.env.DIGESTS, c.req.param("name"));
    const id = await digest.sendEvery(rule, "compile");
    return c.json({ id, recurrences: (await digest.recurrences()).items });
  })
  .delete("/:name/:id", async (c) => {
    const { name, id } = c.req.param();
    return c.json({ cancelled: await ref(c.env.DIGESTS, name).cancel(id) });
  })
  .post("/:name/notes", async (c) => {
    const note = Note.parse(await c.req.json());
    return c.json({ message: await ref(c.env.DIGESTS, c.req.param("name")).send("noted", note) }, 202);
  })
  .get("/:name", async (c) => {
    const name = c.req.param("name");
    const [compiled, recurrences] = await Promise.all([
      c.env.DIGESTS.getByName(name).digests(),
      ref(c.env.DIGESTS, name).recurrences(),
    ]);
    return c.json({ digests: compiled, recurrences: recurrences.items });
  });
