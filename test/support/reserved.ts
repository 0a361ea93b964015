// Actors that take names which an actor needs for itself, in each way that the compiler would refuse.

import { Actor, type Receive } from "durable-mailbox";

interface Messages {
  note: void;
}

abstract class Base extends Actor<Cloudflare.Env, Messages> {
  protected override readonly receive: Receive<Messages> = { note: () => {} };
}

export class ReservedMethod extends Base {
  // @ts-expect-error the compiler refuses it too
  send(): void {}
}

export class ReservedAccessor extends Base {
  // @ts-expect-error the compiler refuses it too
  get mailbox(): string {
    return "mine";
  }
}

export class ReservedField extends Base {
  // @ts-expect-error the compiler refuses it too
  cancel = "mine";
}

export class AlarmField extends Base {
  override alarm = (): void => {};
}
