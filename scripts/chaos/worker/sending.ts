// A parcel of the plan, as a send: the same from a ref, an outbox and an actor's own mailbox.

import type { RecurrenceOptions, SendEntry, SendOptions, Sends } from "../../../mailbox/index.ts";
import type { Answer, Mode } from "../../../mailbox/verbs/verbs.ts";
import { bulkOf, type ClerkMessages, type Parcel, type Payload, type Rhythm } from "../parcel.ts";

/** Sends one parcel; answers the id. */
export function sendParcel<A extends Mode>(
  to: Sends<ClerkMessages, A>,
  parcel: Parcel,
  payload: Payload,
): Answer<A, string> {
  const { kind, delay } = parcel;
  const options = optionsOf(parcel);
  if (delay === undefined) return to.send(kind, payload, options);
  if (delay < 0) return to.sendLater(Date.now() + delay, kind, payload, options);
  return to.sendIn(delay, kind, payload, options);
}

/** The same, as an entry of `sendAll`. */
export function entryOf(parcel: Parcel, payload: Payload): SendEntry<ClerkMessages> {
  const { kind, delay } = parcel;
  const time = delay === undefined ? {} : delay < 0 ? { at: Date.now() + delay } : { in: delay };
  return { type: kind, payload, ...time, ...optionsOf(parcel) };
}

/** The payload of a parcel that is sent now. */
export function payloadOf(parcel: Parcel): Payload {
  const bulk = bulkOf(parcel);
  return {
    parcel,
    notBefore: Date.now() + (parcel.delay ?? 0),
    ...(bulk === undefined ? {} : { bulk }),
  };
}

/** Declares a recurrence; answers its id. */
export function declare<A extends Mode>(to: Sends<ClerkMessages, A>, rhythm: Rhythm): Answer<A, string> {
  const { key, everyMs, startAt, times, until, missed } = rhythm;
  const options: RecurrenceOptions = {
    key,
    missed,
    ...(startAt === undefined ? {} : { startAt }),
    ...(times === undefined ? {} : { times }),
    ...(until === undefined ? {} : { until }),
  };
  return to.sendEvery(everyMs, "tick", rhythm, options);
}

export function optionsOf({ key, ifPending, maxAttempts, expires }: Parcel): SendOptions {
  return {
    ...(key === undefined ? {} : { key }),
    ...(ifPending === undefined ? {} : { ifPending }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(expires === undefined ? {} : { expires }),
  };
}
