// Every error the library itself throws. A caller tells them apart by `code`, which survives any
// boundary; `instanceof` holds too, because a ref rebuilds the class from the code it receives.
// What a handler throws is not here: it is the user's, and is only ever recorded.

/** The stable names of everything that can be refused. */
export type MailboxErrorCode =
  | "async_schema"
  | "attempt_ended"
  | "attempt_full"
  | "attempt_timed_out"
  | "invalid_cursor"
  | "invalid_delivery"
  | "invalid_duration"
  | "invalid_key"
  | "invalid_moment"
  | "invalid_option"
  | "invalid_payload"
  | "invalid_policy"
  | "invalid_receive"
  | "invalid_recurrence"
  | "mailbox_full"
  | "misconfigured"
  | "newer_schema"
  | "no_alarm"
  | "no_mailbox"
  | "no_reply_address"
  | "not_sqlite"
  | "outbox_full"
  | "payload_too_large"
  | "refused_in_handler"
  | "refused_in_transaction"
  | "reserved_name"
  | "schema_refused"
  | "unknown_namespace"
  | "unknown_type"
  | "unreachable"
  | "unreadable_row"
  | "unsupported_call"
  | "unsupported_version";

/** The base class of all refusals. Its message says what was wrong, what was expected and what to do. */
export abstract class MailboxError extends Error {
  abstract readonly code: MailboxErrorCode;
}

/** The message map and the actor's `receive` know no such type. Nothing was enqueued. */
export class UnknownTypeError extends MailboxError {
  override readonly name: string = "UnknownTypeError";
  readonly code = "unknown_type";
}

/** The payload holds something that would be lost or changed on its way. Nothing was enqueued. */
export class InvalidPayloadError extends MailboxError {
  override readonly name: string = "InvalidPayloadError";
  readonly code = "invalid_payload";
}

/** The encoded payload is over `settings.maxPayloadBytes`, or the row over the platform's limit. */
export class PayloadTooLargeError extends MailboxError {
  override readonly name: string = "PayloadTooLargeError";
  readonly code = "payload_too_large";
}

/** A schema given to `validated` refused the payload at send time. Nothing was enqueued. */
export class SchemaRefusedError extends MailboxError {
  override readonly name: string = "SchemaRefusedError";
  readonly code = "schema_refused";
}

/** A schema given to `validated` answered a promise; only synchronous schemas can guard a commit. */
export class AsyncSchemaError extends MailboxError {
  override readonly name: string = "AsyncSchemaError";
  readonly code = "async_schema";
}

/** Not a moment: an invalid Date, NaN, a number that looks like seconds, or more than 100 years ahead. */
export class InvalidMomentError extends MailboxError {
  override readonly name: string = "InvalidMomentError";
  readonly code = "invalid_moment";
}

/** Not a duration: unparsable, negative, NaN, infinite, in months or years, or over 100 years. */
export class InvalidDurationError extends MailboxError {
  override readonly name: string = "InvalidDurationError";
  readonly code = "invalid_duration";
}

/** An invalid cron expression, an unknown time zone, or an interval below the smallest one allowed. */
export class InvalidRecurrenceError extends MailboxError {
  override readonly name: string = "InvalidRecurrenceError";
  readonly code = "invalid_recurrence";
}

/** A policy value out of its range, such as `maxAttempts` below 1. */
export class InvalidPolicyError extends MailboxError {
  override readonly name: string = "InvalidPolicyError";
  readonly code = "invalid_policy";
}

/** An option, setting or argument that is not of its form. */
export class InvalidOptionError extends MailboxError {
  override readonly name: string = "InvalidOptionError";
  readonly code = "invalid_option";
}

/** A key that is not a string of 1 to 256 bytes. */
export class InvalidKeyError extends MailboxError {
  override readonly name: string = "InvalidKeyError";
  readonly code = "invalid_key";
}

/** A cursor that this verb did not hand out. */
export class InvalidCursorError extends MailboxError {
  override readonly name: string = "InvalidCursorError";
  readonly code = "invalid_cursor";
}

/** `receive` has a value that is no handler. */
export class InvalidReceiveError extends MailboxError {
  override readonly name: string = "InvalidReceiveError";
  readonly code = "invalid_receive";
}

/** `delivery` was used in a way that it does not allow, such as a defer more than 1,000 times. */
export class InvalidDeliveryError extends MailboxError {
  override readonly name: string = "InvalidDeliveryError";
  readonly code = "invalid_delivery";
}

/** A subclass of Actor defines a member that the actor needs for itself. */
export class ReservedNameError extends MailboxError {
  override readonly name: string = "ReservedNameError";
  readonly code = "reserved_name";
}

/** The mailbox holds `settings.maxPending` messages and takes no more from outside. */
export class MailboxFullError extends MailboxError {
  override readonly name: string = "MailboxFullError";
  readonly code = "mailbox_full";
}

/** The outbox holds as many rows for one target as it may. */
export class OutboxFullError extends MailboxError {
  override readonly name: string = "OutboxFullError";
  readonly code = "outbox_full";
}

/** Left-over work of an attempt that failed or timed out used a verb. Nothing was done. */
export class AttemptEndedError extends MailboxError {
  override readonly name: string = "AttemptEndedError";
  readonly code = "attempt_ended";
}

/** One attempt sent more than 10,000 messages or 16 MiB. */
export class AttemptFullError extends MailboxError {
  override readonly name: string = "AttemptFullError";
  readonly code = "attempt_full";
}

/** The reason of `delivery.signal` and the recorded error when an attempt ran past its timeout. */
export class AttemptTimedOutError extends MailboxError {
  override readonly name: string = "AttemptTimedOutError";
  readonly code = "attempt_timed_out";
}

/** The verb or storage call cannot be part of a synchronous handler's one commit. */
export class RefusedInHandlerError extends MailboxError {
  override readonly name: string = "RefusedInHandlerError";
  readonly code = "refused_in_handler";
}

/** The verb waits for other commits or for another object, and cannot inside an open transaction. Nothing was done. */
export class RefusedInTransactionError extends MailboxError {
  override readonly name: string = "RefusedInTransactionError";
  readonly code = "refused_in_transaction";
}

/** `delivery.reply` was called on a message whose sender is no actor that can be reached from here. */
export class NoReplyAddressError extends MailboxError {
  override readonly name: string = "NoReplyAddressError";
  readonly code = "no_reply_address";
}

/** No namespace at all; or for `this.ref` one that is neither a binding of `this.env` nor of `ctx.exports`, so no row could name it. */
export class UnknownNamespaceError extends MailboxError {
  override readonly name: string = "UnknownNamespaceError";
  readonly code = "unknown_namespace";
}

/** The class is not SQLite-backed; declare it in `new_sqlite_classes`. */
export class NotSqliteError extends MailboxError {
  override readonly name: string = "NotSqliteError";
  readonly code = "not_sqlite";
}

/**
 * What the class says of itself is wrong: its handlers, policy, settings or names; `cause` is what was found. Nothing was
 * done, and the messages wait for a deploy that mends it.
 */
export class MisconfiguredError extends MailboxError {
  override readonly name: string = "MisconfiguredError";
  readonly code = "misconfigured";
}

/**
 * The object's mailbox was written by a newer version of the library than the one that runs: a release was rolled
 * back. Nothing was done, and the messages wait for a version that knows them.
 */
export class NewerSchemaError extends MailboxError {
  override readonly name: string = "NewerSchemaError";
  readonly code = "newer_schema";
}

/** The actor did not answer. `cause` is the platform's error; whether the call took effect is unknown. */
export class UnreachableError extends MailboxError {
  override readonly name: string = "UnreachableError";
  readonly code = "unreachable";
}

/** A stored row has a column that something else than the mailbox has written. Nothing was done. */
export class UnreadableRowError extends MailboxError {
  override readonly name: string = "UnreadableRowError";
  readonly code = "unreadable_row";
}

/** A call that is not of the form that `ref` makes, or an answer that no mailbox gives. */
export class UnsupportedCallError extends MailboxError {
  override readonly name: string = "UnsupportedCallError";
  readonly code = "unsupported_call";
}

/** A call that needs more of its receiver than the code there knows yet. Nothing was done. */
export class UnsupportedVersionError extends MailboxError {
  override readonly name: string = "UnsupportedVersionError";
  readonly code = "unsupported_version";
}

/** The class has a mailbox and no `alarm()`, so nothing would be delivered: a host that is no actor has to write it. */
export class NoAlarmError extends MailboxError {
  override readonly name: string = "NoAlarmError";
  readonly code = "no_alarm";
}

/** The class behind a namespace is no actor: it has no `mailboxCall`. Nothing was done. */
export class NoMailboxError extends MailboxError {
  override readonly name: string = "NoMailboxError";
  readonly code = "no_mailbox";
}

/**
 * Thrown by a handler to say that no later attempt can succeed: the message becomes a dead letter
 * at once, with reason `rejected`. It is the user's to throw, so it is not a MailboxError.
 */
export class NonRetryableError extends Error {
  override readonly name: string = "NonRetryableError";
}

type MailboxErrorClass = new (message: string, options?: ErrorOptions) => MailboxError;

const classes: Readonly<Record<MailboxErrorCode, MailboxErrorClass>> = {
  async_schema: AsyncSchemaError,
  attempt_ended: AttemptEndedError,
  attempt_full: AttemptFullError,
  attempt_timed_out: AttemptTimedOutError,
  invalid_cursor: InvalidCursorError,
  invalid_delivery: InvalidDeliveryError,
  invalid_duration: InvalidDurationError,
  invalid_key: InvalidKeyError,
  invalid_moment: InvalidMomentError,
  invalid_option: InvalidOptionError,
  invalid_payload: InvalidPayloadError,
  invalid_policy: InvalidPolicyError,
  invalid_receive: InvalidReceiveError,
  invalid_recurrence: InvalidRecurrenceError,
  mailbox_full: MailboxFullError,
  misconfigured: MisconfiguredError,
  newer_schema: NewerSchemaError,
  no_alarm: NoAlarmError,
  no_mailbox: NoMailboxError,
  no_reply_address: NoReplyAddressError,
  not_sqlite: NotSqliteError,
  outbox_full: OutboxFullError,
  payload_too_large: PayloadTooLargeError,
  refused_in_handler: RefusedInHandlerError,
  refused_in_transaction: RefusedInTransactionError,
  reserved_name: ReservedNameError,
  schema_refused: SchemaRefusedError,
  unknown_namespace: UnknownNamespaceError,
  unknown_type: UnknownTypeError,
  unreachable: UnreachableError,
  unreadable_row: UnreadableRowError,
  unsupported_call: UnsupportedCallError,
  unsupported_version: UnsupportedVersionError,
};

/** Refusals that say nothing of the call: another version of the receiver's code, or other settings, may take it. */
const notYet: ReadonlySet<MailboxErrorCode> = new Set([
  "misconfigured",
  "newer_schema",
  "unsupported_version",
]);

/** Whether a refusal is none for good: a ref asks again for a while, and an outbox waits. */
export function isNotYet({ code }: MailboxError): boolean {
  return notYet.has(code);
}

/** Rebuilds, in the caller's isolate, a refusal that travelled as data. */
export function errorFromCode(code: string, message: string): MailboxError {
  const known = Object.hasOwn(classes, code) ? classes[code as MailboxErrorCode] : UnsupportedCallError;
  return new known(message);
}
