// The Worker of the bench: each request is one measurement in one object, or of RPC from here.

import { ref } from "../../actors/index.ts";
import { endTime, startTime } from "./fine-clock.ts";
import { payloadOf } from "./payloads.ts";
import type { Env } from "./env.ts";

export { Floor } from "./floor.ts";
export { ActorsContestant, AgentsContestant } from "./neighbours.ts";
export { Ours } from "./ours.ts";

interface Work {
  readonly contestant: "FLOOR" | "OURS" | "AGENTS" | "ACTORS" | "WORKER";
  readonly object: string;
  readonly method: string;
  readonly args: readonly unknown[];
}

const HOUR_MS = 3_600_000;

export default {
  async fetch(request, env) {
    const { contestant, object, method, args }: Work = await request.json();
    try {
      return Response.json({ value: (await run(env, contestant, object, method, args)) ?? null });
    } catch (error) {
      return Response.json({ error: error instanceof Error ? `${error.stack}` : String(error) });
    }
  },
} satisfies ExportedHandler<Env>;

async function run(
  env: Env,
  contestant: Work["contestant"],
  object: string,
  method: string,
  args: readonly unknown[],
): Promise<unknown> {
  if (method === "collectGarbage") return collectGarbage();
  if (contestant === "WORKER") return fromWorker(env, object, method, Number(args[0]));
  const stub = env[contestant].getByName(object) as unknown as Record<
    string,
    ((...args: readonly unknown[]) => Promise<unknown>) | undefined
  >;
  return stub[method]?.(...args);
}

/** Young garbage only, which keeps the engine's heap as large as it has found useful: milliseconds. */
function collectGarbage(): number {
  const start = startTime();
  // The bench's runtime is told to offer it.
  (globalThis as unknown as { gc(options: { type: "minor" }): void }).gc({ type: "minor" });
  return endTime() - start;
}

/** Sends from a Worker: milliseconds for n of them. */
async function fromWorker(env: Env, object: string, method: string, n: number): Promise<number> {
  const due = Date.now() + HOUR_MS;
  const floor = env.FLOOR.getByName(object);
  const ours = ref<{ noop: unknown }>(env.OURS, object);
  const payload = payloadOf("small", undefined);
  const all = Array.from({ length: n }, (_, index) => due + index);
  const one = {
    floor: (at: number) => floor.insert(at, "noop", JSON.stringify(payload)),
    ours: (at: number) => ours.sendLater(at, "noop", payload),
  };
  await Promise.all([one.floor(due), one.ours(due)]);
  const start = performance.now();
  switch (method) {
    case "oneByOneFloor":
      for (const at of all) await one.floor(at);
      break;
    case "oneByOneOurs":
      for (const at of all) await one.ours(at);
      break;
    case "concurrentFloor":
      await Promise.all(all.map((at) => one.floor(at)));
      break;
    case "concurrentOurs":
      await Promise.all(all.map((at) => one.ours(at)));
      break;
    case "sendAll":
      await ours.sendAll(all.map((at) => ({ type: "noop", payload, at })));
      break;
    case "sendAllSameTime":
      await ours.sendAll(all.map(() => ({ type: "noop", payload, at: due })));
      break;
    case "outbox": {
      const received = env.OURS.getByName(`${object}-target`).receive(n);
      await env.OURS.getByName(object).relay(`${object}-target`, n);
      await received;
      break;
    }
    case "fanOut": {
      const sender = env.OURS.getByName(object);
      await sender.fanOut(`${object}-to`, n);
      while ((await sender.outgoing()) > 0) await scheduler.wait(10);
      break;
    }
    default:
      throw new Error(`The bench's Worker knows no ${method}.`);
  }
  return performance.now() - start;
}
