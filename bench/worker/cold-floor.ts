// The smallest Worker with the floor, for its cold start.

import type { Env } from "./env.ts";

export { Floor } from "./floor.ts";

export default {
  async fetch(_, env) {
    return Response.json({ value: await env.FLOOR.getByName("cold").ping() });
  },
} satisfies ExportedHandler<Env>;
