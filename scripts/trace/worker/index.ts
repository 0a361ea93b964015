// The Worker whose messages are traced: an actor that somebody listens to, with a handler that writes and
// one that throws, both plain functions.

import { Actor, type Receive, ref } from "../../../actors/index.ts";
import { BACKOFF_MS, DELAY_MS, MAX_ATTEMPTS } from "../times.ts";
import { ran, recorded, take } from "./recorder.ts";

interface Env {
  readonly PROBES: DurableObjectNamespace<Probe>;
}

interface ProbeMessages {
  note: { text: string };
  fail: { text: string };
}

const HOUR_MS = 3_600_000;

export class Probe extends Actor<Env, ProbeMessages> {
  protected override readonly settings = { console: false, onEvent: (): void => {} };
  protected override readonly receive: Receive<ProbeMessages> = {
    note: ({ text }) => {
      ran();
      this.ctx.storage.kv.put("noted", text);
    },
    fail: {
      maxAttempts: MAX_ATTEMPTS,
      backoff: BACKOFF_MS,
      handle: ({ text }) => {
        ran();
        this.ctx.storage.kv.put("noted", text);
        throw new Error("This handler fails.");
      },
    },
  };
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const object = searchParams.get("object") ?? "";
    return Response.json(await answerTo(pathname, env, object, searchParams.get("id") ?? ""));
  },
} satisfies ExportedHandler<Env>;

/** Each makes its own handle, which is the first step of its way. */
async function answerTo(path: string, env: Env, object: string, id: string): Promise<unknown> {
  switch (path) {
    case "/prepare":
      return ref(env.PROBES, object).sendIn("1 hour", "note", { text: "hello" });
    case "/note":
      return ref(env.PROBES, object).sendIn(`${DELAY_MS / 1_000} seconds`, "note", { text: "hello" });
    case "/fail":
      return ref(env.PROBES, object).sendIn(`${DELAY_MS / 1_000} seconds`, "fail", { text: "hello" });
    case "/redrive":
      // Not for now: the wake that follows is another trip.
      return ref(env.PROBES, object).redrive(id, { at: Date.now() + HOUR_MS });
    case "/recorded":
      return recorded();
    case "/take":
      return take();
    default:
      throw new Error(`There is no ${path}.`);
  }
}
