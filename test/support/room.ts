// A Durable Object that is no actor: it holds a mailbox, and its own alarm.

import { DurableObject } from "cloudflare:workers";
import { Mailbox } from "durable-mailbox/mailbox";

export interface RoomMessages {
  open: { topic: string };
  close: void;
}

export class Room extends DurableObject<Cloudflare.Env> {
  readonly seen: unknown[] = [];
  readonly mailbox: Mailbox<RoomMessages> = new Mailbox<RoomMessages>(this.ctx, this.env, {
    receive: {
      open: ({ topic }) => {
        this.seen.push(topic);
        this.mailbox.sendIn("1 hour", "close");
      },
      close: () => void this.seen.push("closed"),
    },
    alarm: (info) => void this.seen.push(["alarm", info.isRetry]),
    console: false,
  });

  override alarm(info?: AlarmInvocationInfo): Promise<void> {
    return this.mailbox.wake(info);
  }

  mailboxCall(call: string): Promise<string> {
    return this.mailbox.call(call);
  }

  sightings(): string[] {
    return this.seen.map((sighting) => JSON.stringify(sighting));
  }

  setAlarmIn(ms: number): Promise<void> {
    return this.ctx.storage.setAlarm(Date.now() + ms);
  }
}
