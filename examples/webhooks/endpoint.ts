// One customer's endpoint: every webhook for it is a message, so one that is slow or down delays no other
// endpoint. A webhook is signed as Standard Webhooks and POSTed until the receiver answers 2xx, with the
// mailbox' backoff in between; what stays refused is a dead letter, to be redriven once it is repaired.

import { Webhook } from "standardwebhooks";
import { Actor, NonRetryableError, type Policy, type Receive, RetryAfterError } from "../../actors/index.ts";

/** One webhook. The receiver may get it more than once, and knows it again by its id. */
export interface WebhookEvent {
  readonly id: string;
  /** What happened, such as `push`. */
  readonly type: string;
  /** Sent as it is, so that the signature holds for exactly what the receiver reads. */
  readonly body: string;
}

export interface EndpointMessages {
  deliver: WebhookEvent;
}

/** Where webhooks go, and what they are signed with. */
export interface Target {
  readonly url: string;
  /** `whsec_` and the key in base64. */
  readonly secret: string;
}

export class Endpoint extends Actor<unknown, EndpointMessages> {
  // Five attempts within about 15 seconds, so that it can be watched. A relay in production goes on for days:
  // { maxAttempts: 12, backoff: { initial: "5 seconds", factor: 3, max: "12 hours" } }.
  protected override readonly policy: Policy = { maxAttempts: 5, timeout: "15 seconds" };

  protected override readonly receive: Receive<EndpointMessages> = {
    deliver: async (event, { signal }) => {
      const target = this.target();
      if (target === undefined) {
        throw new NonRetryableError("The endpoint has no URL; register one, then redrive.");
      }
      const response = await fetch(target.url, {
        method: "POST",
        headers: headersOf(event, target.secret),
        body: event.body,
        // A redirect is a refusal: nothing signed for one address goes to another.
        redirect: "manual",
        // Aborted when the attempt times out, or when somebody cancels the message.
        signal,
      });
      if (!response.ok) throw await refusal(response);
      await response.body?.cancel();
    },
  };

  /** Sets where webhooks go from now on, those included that wait for a redelivery. */
  register(target: Target): void {
    this.ctx.storage.kv.put("target", target);
  }

  target(): Target | undefined {
    return this.ctx.storage.kv.get<Target>("target");
  }
}

/** The headers of one attempt: the id stays, the time and with it the signature are new each time. */
function headersOf({ id, type, body }: WebhookEvent, secret: string): Record<string, string> {
  const now = new Date();
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, now, body),
    "x-webhook-type": type,
  };
}

/** The error of an answer that is not 2xx; its text is what a dead letter shows. */
async function refusal(response: Response): Promise<Error> {
  const { status, headers } = response;
  const message = `The receiver answered ${status}: ${await beginningOf(response)}`;
  // Gone says that nobody will ever accept it here.
  if (status === 410) return new NonRetryableError(message);
  const error = new Error(message);
  // How long it asks for wins over the backoff.
  return headers.has("retry-after") ? RetryAfterError.of(response, { cause: error }) : error;
}

/** The first 200 characters of what arrives first: a receiver may answer with anything, of any length. */
async function beginningOf(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  const text = new TextDecoder().decode(value).trim().slice(0, 200);
  return text === "" ? "(no text)" : text;
}
