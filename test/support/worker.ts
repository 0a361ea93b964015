// The Worker of the tests in workerd: the actor classes that they script.

import type { Cart as ReadmeCart } from "../docs/readme/cart.ts";
import type { ScriptedActor } from "./scripted.ts";

export { Cart as ReadmeCart } from "../docs/readme/cart.ts";
export { ScriptedActor } from "./scripted.ts";

// What `env` of "cloudflare:workers" holds in the tests: the same as in test/wrangler.toml.
declare global {
  namespace Cloudflare {
    interface Env {
      readonly README_CARTS: DurableObjectNamespace<ReadmeCart>;
      readonly ACTORS: DurableObjectNamespace<ScriptedActor>;
    }
  }
}

export default {
  fetch: () => new Response("durable-mailbox tests"),
} satisfies ExportedHandler<Cloudflare.Env>;
