// An actor that prints what becomes of it, so that a test need not wake it in order to see.

import { Actor, NonRetryableError, ref, type Receive, type Settings } from "../../../actors/index.ts";
import type { Line } from "../line.ts";

interface Env {
  readonly SLEEPERS: DurableObjectNamespace<Sleeper>;
  readonly VERSION: number;
}

interface SleeperMessages {
  note: string;
}

const print = (line: Line): void => console.log(JSON.stringify(line));

export class Sleeper extends Actor<Env, SleeperMessages> {
  protected override readonly receive: Receive<SleeperMessages> = {
    note: (text, { attempt }) => {
      if (text === "fail") throw new NonRetryableError(text);
      print({ line: "ran", text, attempt, leased: this.mailbox.stats().leased });
    },
  };
  protected override readonly settings: Settings = {
    console: false,
    onEvent: ({ event }) => print({ line: "told", event }),
  };

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    print({ line: "made", version: env.VERSION });
  }
}

export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const delayMs = Number(searchParams.get("in"));
    const text = searchParams.get("text") ?? "";
    return new Response(await ref(env.SLEEPERS, "one").sendIn(delayMs, "note", text));
  },
} satisfies ExportedHandler<Env>;
