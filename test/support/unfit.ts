// Classes that lack what a mailbox needs: an alarm(), or SQL.

import { DurableObject } from "cloudflare:workers";
import { Actor, Mailbox, type Receive } from "durable-mailbox";

interface Messages {
  note: number;
}

/** A host that has forgotten the second of the three lines. */
export class NoAlarm extends DurableObject<Cloudflare.Env> {
  readonly mailbox: Mailbox<Messages>;

  constructor(ctx: DurableObjectState, bindings: Cloudflare.Env) {
    super(ctx, bindings);
    // The tests' runtime gives every class an alarm(), so what the platform says is played.
    Object.defineProperty(ctx.storage, "setAlarm", {
      value: () =>
        Promise.reject(
          new TypeError("Your Durable Object class must have an alarm() handler in order to call setAlarm()"),
        ),
    });
    this.mailbox = new Mailbox<Messages>(ctx, bindings, { receive: { note: () => {} } }, "NoAlarm");
  }

  mailboxCall(call: string): Promise<string> {
    return this.mailbox.call(call);
  }
}

/** An actor that is declared in `new_classes`. */
export class KeyValueActor extends Actor<Cloudflare.Env, Messages> {
  protected override readonly receive: Receive<Messages> = { note: () => {} };
}
