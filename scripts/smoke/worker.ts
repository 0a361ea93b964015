// The smallest Worker with an actor; scripts/smoke.ts runs it at both ends of the compatible dates.
import { Actor, ref, type Receive } from "../../actors/index.ts";

interface Env {
  readonly PROBES: DurableObjectNamespace<Probe>;
}

interface ProbeMessages {
  note: { text: string };
}

export class Probe extends Actor<Env, ProbeMessages> {
  protected override readonly receive: Receive<ProbeMessages> = {
    note: ({ text }) => this.ctx.storage.kv.put("noted", text),
  };

  noted(): string | undefined {
    return this.ctx.storage.kv.get<string>("noted");
  }
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/send") {
      return new Response(
        await ref(env.PROBES, "smoke").send("note", { text: searchParams.get("text") ?? "" }),
      );
    }
    return new Response((await env.PROBES.getByName("smoke").noted()) ?? "");
  },
} satisfies ExportedHandler<Env>;
