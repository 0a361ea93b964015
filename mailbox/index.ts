// The core without the base class: `Mailbox` for any Durable Object, and everything that it gives and takes.

export { CHANNEL, type EventMessage, type MailboxEvent, type PublishedEvent } from "./events.ts";
export type { RefOptions } from "./address.ts";
export type { DeadLetter } from "./letter.ts";
export type { Delivery, Reply } from "./delivery.ts";
export type { AttemptRecord, DeadLetterReason, From, IfPending, StoredError } from "./envelope.ts";
export {
  MailboxError,
  UnknownTypeError,
  InvalidPayloadError,
  PayloadTooLargeError,
  SchemaRefusedError,
  AsyncSchemaError,
  InvalidMomentError,
  InvalidDurationError,
  InvalidRecurrenceError,
  InvalidPolicyError,
  InvalidOptionError,
  InvalidKeyError,
  InvalidCursorError,
  InvalidReceiveError,
  InvalidDeliveryError,
  ReservedNameError,
  MailboxFullError,
  OutboxFullError,
  AttemptEndedError,
  AttemptFullError,
  AttemptTimedOutError,
  RefusedInHandlerError,
  NoReplyAddressError,
  UnknownNamespaceError,
  NotSqliteError,
  UnreachableError,
  UnreadableRowError,
  UnsupportedCallError,
  NonRetryableError,
  type MailboxErrorCode,
} from "./errors.ts";
export type { Recurrence, RecurrenceOptions } from "./every.ts";
export {
  type Handle,
  type HandlerOptions,
  type HandlerWithPolicy,
  type Receive,
  validated,
  type Validated,
} from "./handlers.ts";
export { Mailbox } from "./mailbox.ts";
export type { TypeOf, VoidTypeOf } from "./messages.ts";
export type { ActorRef } from "./outbox-ref.ts";
export type { SendEntry, SendOptions } from "./outgoing.ts";
export type { Every, Missed } from "./recurrence.ts";
export type { RedriveOptions } from "./redrive.ts";
export type { Ref } from "./remote.ts";
export type { Backoff, Policy } from "./retry.ts";
export type { MailboxOptions, OnDeadLetter, Retention, Settings } from "./settings.ts";
export type { MailboxStats } from "./stats.ts";
export type { Asks, Send, SendAll, SendEvery, SendIn, SendLater, Sends, Which } from "./verbs.ts";
export type { DeadLetterFilter, OutboxMessage, Page, PageOptions, PendingMessage } from "./views.ts";
export type { Duration, Moment } from "./when.ts";
