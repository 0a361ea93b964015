// Classes that no ref can reach: one that is no actor, and one that cannot even be made.

import { DurableObject } from "cloudflare:workers";

export class Plain extends DurableObject<Cloudflare.Env> {}

export class Unmakeable extends DurableObject<Cloudflare.Env> {
  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    throw new TypeError("the constructor's own");
  }
}
