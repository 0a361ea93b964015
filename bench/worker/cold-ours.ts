// The smallest Worker with the library, for its cold start.

import type { Env } from "./env.ts";

export { Ours } from "./ours.ts";

export default {
  async fetch(_, env) {
    return Response.json({ value: await env.OURS.getByName("cold").ping() });
  },
} satisfies ExportedHandler<Env>;
