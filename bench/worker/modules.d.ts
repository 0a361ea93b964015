// The little that the bench uses of its neighbours, which are not installed with the project.

declare module "agents" {
  import type { DurableObject } from "cloudflare:workers";

  export class Agent<Env> extends DurableObject<Env> {
    schedule(when: Date | number, callback: string, payload: unknown): Promise<unknown>;
    override alarm(): Promise<void>;
  }
}

declare module "@cloudflare/actors" {
  import type { DurableObject } from "cloudflare:workers";

  export class Actor<Env> extends DurableObject<Env> {
    readonly alarms: { schedule(when: Date | number, callback: string, payload: unknown): Promise<unknown> };
    override alarm(info?: AlarmInvocationInfo): Promise<void>;
  }
}
