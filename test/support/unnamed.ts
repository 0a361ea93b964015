// An actor whose class has no name: what the commonest way to write a mixin makes of every class.

import { Actor, type ActorRef, type Receive } from "../../actors/index.ts";
import type { AnyMessages } from "./scripted.ts";

class Traveller extends Actor<Cloudflare.Env, AnyMessages> {
  protected override readonly receive: Receive<AnyMessages> = {
    write: (to) => void this.other(String(to)).send("note", "from nobody in particular"),
  };

  /** A scripted actor, through the outbox. */
  other(name: string): ActorRef<AnyMessages> {
    return this.mailbox.ref<AnyMessages>(this.env.ACTORS, name);
  }
}

type Class = new (ctx: DurableObjectState, env: Cloudflare.Env) => Traveller;

function traced(base: Class): Class {
  return class extends base {};
}

export const Unnamed: Class = traced(Traveller);
