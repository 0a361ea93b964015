// The bindings of the bench's Worker; the smallest Workers have only the one they need.

import type { Spec } from "./spec.ts";

/** What all contestants do. */
interface Contestant extends Rpc.DurableObjectBranded {
  ping(): Promise<string>;
  enqueue(spec: Spec): Promise<number>;
  drain(spec: Spec): Promise<number>;
}

interface Floor extends Contestant {
  insert(due: number, type: string, payload: string): Promise<void>;
}

interface Ours extends Contestant {
  mailboxCall(call: string): Promise<string>;
  relay(to: string, n: number): Promise<void>;
  receive(n: number): Promise<void>;
  fanOut(prefix: string, n: number): Promise<void>;
  outgoing(): Promise<number>;
}

export interface Env {
  readonly FLOOR: DurableObjectNamespace<Floor>;
  readonly OURS: DurableObjectNamespace<Ours>;
  readonly AGENTS: DurableObjectNamespace<Contestant>;
  readonly ACTORS: DurableObjectNamespace<Contestant>;
  readonly WEBHOOK: unknown;
}
