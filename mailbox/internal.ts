// What the folders beside `mailbox/` need of it and no user does: nothing of this is exported by the package.

export { checkSettings } from "./host/settings.ts";
export { recurrenceId } from "./message/id.ts";
export {
  type AnyNamespace,
  checkTarget,
  type GivenNamespace,
  type RefOptions,
  stubIn,
} from "./outbox/address.ts";
export { schemaVersion } from "./store/schema.ts";
export { dateOf, now } from "./time/clock.ts";
export { MAX_AHEAD_MS } from "./time/duration.ts";
export { RemoteRef } from "./verbs/remote-ref.ts";
