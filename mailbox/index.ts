// The core without the base class: `Mailbox` for any Durable Object, and everything that it gives and takes.

export { CHANNEL, type PublishedEvent, subscribe } from "./host/channel.ts";
export type { EventActor, EventMessage, MailboxEvent } from "./host/events.ts";
export type { RefOptions } from "./outbox/address.ts";
export type { DeadLetter } from "./message/letter.ts";
export type { Delivery, Reply } from "./host/delivery.ts";
export type { AttemptRecord, DeadLetterReason, From, IfPending, StoredError } from "./message/envelope.ts";
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
  RefusedInTransactionError,
  NoAlarmError,
  NoMailboxError,
  NoReplyAddressError,
  UnknownNamespaceError,
  MisconfiguredError,
  NewerSchemaError,
  NotSqliteError,
  UnreachableError,
  UnreadableRowError,
  UnsupportedCallError,
  UnsupportedVersionError,
  NonRetryableError,
  type MailboxErrorCode,
} from "./errors.ts";
export { RetryAfterError, type RetryAfterOptions } from "./host/retry-after.ts";
export type { Recurrence } from "./lifecycle/recurrence.ts";
export type { RecurrenceOptions } from "./message/recurrence-options.ts";
export {
  type Handle,
  type HandlerOptions,
  type HandlerWithPolicy,
  type Receive,
  validated,
  type Validated,
} from "./host/handlers.ts";
export { Mailbox } from "./mailbox.ts";
export type { AnyMessages, TypeOf } from "./message/message-map.ts";
export type { ActorRef } from "./verbs/outbox-ref.ts";
export type { SendEntry, SendOptions } from "./message/send-options.ts";
export type { Every, Missed } from "./time/rule.ts";
export type { RedriveOptions } from "./verbs/redrive.ts";
export type { Ref } from "./verbs/remote-ref.ts";
export type { Backoff, Policy } from "./message/policy.ts";
export type { MailboxOptions, OnDeadLetter, Retention, Settings } from "./host/settings.ts";
export type { MailboxStats } from "./verbs/operate.ts";
export type { Asks, Send, SendAll, SendEvery, SendIn, SendLater, Sends, Which } from "./verbs/verbs.ts";
export type { DeadLetterFilter, OutboxMessage, Page, PageOptions, PendingMessage } from "./verbs/lists.ts";
export type { Duration, Moment } from "./time/duration.ts";
