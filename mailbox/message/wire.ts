// What actors say to one another and what refs say to actors: one string there, one back. A string,
// because then the whole RPC surface is one method whose argument is parsed, not trusted.
//
// Old and new code talk to each other during every deploy, in both directions. So a call says beside the
// version of who makes it the least one that its receiver must know, and a receiver answers all from a floor
// up to its own, in the caller's form. Fields of a call and of a batch that are not needed are ignored; of a
// message none is, because it would be an option that is dropped in silence. What a receiver does not
// speak yet is refused as "not yet", in whatever code: the caller asks again, and enqueues nothing meanwhile.

import type { Accepting, From } from "./envelope.ts";
import {
  errorFromCode,
  isNotYet,
  MailboxError,
  UnsupportedCallError,
  UnsupportedVersionError,
} from "../errors.ts";
import { isTextUpTo } from "./from.ts";
import { type Fields, isFields, readColumn } from "../json.ts";

const VERSION = 1;
/** The oldest version that is still answered. */
const FLOOR = 1;
/** The least version that a receiver of our calls must know. */
const NEEDED = 1;
/** No outbox repeats what it has sent for longer. */
export const MAX_OUTBOX_AGE_MS: number = 30 * 24 * 60 * 60 * 1000;
/** What a call may be long: the longest that a ref makes, with room for the escapes of text within text. */
const CALL_UNITS = 24 * 1024 * 1024;
/** What is kept of what another actor says of itself. */
const CODE_UNITS = 64;
const MESSAGE_UNITS = 1_024;
const REFUSAL_UNITS = 8_192;

/** Messages from one sender, in the order of its commits. */
export interface Batch {
  readonly sender: string;
  readonly epoch: string;
  /** The last number, and its id, that the sender knows this receiver to have. */
  readonly confirmed: { readonly n: number; readonly id: string } | null;
  /** How long the receiver must remember the sender after this batch. */
  readonly keepMs: number;
  readonly from: From;
  readonly messages: readonly (Accepting & { readonly n: number })[];
}

/** A message that its receiver never takes, and why. */
export interface RefusedMessage {
  readonly n: number;
  readonly code: string;
  readonly message: string;
}

export type BatchAnswer =
  /**
   * All up to `upTo` are in the mailbox, now or before. Those directly behind it that are named in `refused`
   * never will be; what is behind them was not looked at. `full`: there was no room for the rest.
   */
  | {
      readonly kind: "taken";
      readonly upTo: number;
      readonly full: boolean;
      readonly refused: readonly RefusedMessage[];
    }
  /** The number is known with another id: the sender was put back to an earlier moment. */
  | { readonly kind: "fork" }
  /** Nothing was taken of it, for a reason that is not its own. */
  | { readonly kind: "refused"; readonly error: { readonly name: string; readonly message: string } };

/** A call, as a ref makes it. Arguments of verbs are the codec's text, so that moments and payloads keep their types. */
type Call = { readonly v: number; readonly min: number } & (
  | { readonly verb: "deliver"; readonly batch: Batch }
  | { readonly verb: "accept"; readonly messages: readonly Accepting[] }
  | { readonly verb: string; readonly args: string; readonly call?: VerbCall }
);

/** Which call of a verb it is: a repeat of one that was not answered has the same id, and says what it is. */
export interface VerbCall {
  readonly id: string;
  readonly isRepeat: boolean;
}

/** A call, as it came: nothing of it is believed but that it has a verb. */
export interface UncheckedCall {
  readonly verb: string;
  readonly batch?: unknown;
  readonly messages?: unknown;
  readonly args?: unknown;
  readonly call: VerbCall | undefined;
}

type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly notYet?: true };

/** An answer, read: a value, or a refusal, which is the typed error that it was. */
export type Reply =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "refusal"; readonly error: MailboxError; readonly isNotYet: boolean };

const OURS = { v: VERSION, min: NEEDED } as const;

export function formatBatch(batch: Batch): string {
  return JSON.stringify({ ...OURS, verb: "deliver", batch } satisfies Call);
}

export function formatAccept(messages: readonly Accepting[]): string {
  return JSON.stringify({ ...OURS, verb: "accept", messages } satisfies Call);
}

export function formatVerb(verb: string, args: string, call: VerbCall): string {
  return JSON.stringify({ ...OURS, verb, args, call } satisfies Call);
}

/**
 * Reads a call.
 *
 * @throws {UnsupportedCallError} for what is not of this form
 * @throws {UnsupportedVersionError} for what needs another version
 */
export function parseCall(text: unknown): UncheckedCall {
  const call = typeof text === "string" && text.length <= CALL_UNITS ? parseObject(text) : undefined;
  const { v, min = v, verb, batch, messages, args, call: which } = call ?? {};
  if (typeof verb !== "string" || !isVersion(v) || !isVersion(min)) {
    throw new UnsupportedCallError(
      "mailboxCall was given something that no ref makes; call actors through ref(…).",
    );
  }
  if (min > VERSION) {
    throw new UnsupportedVersionError(
      `mailboxCall speaks version ${VERSION}, and the call needs version ${min}; deploy the receiving Worker.`,
    );
  }
  if (v < FLOOR) {
    throw new UnsupportedVersionError(
      `mailboxCall speaks versions from ${FLOOR} on, and was called in version ${v}; deploy the calling Worker.`,
    );
  }
  return { verb: verb.slice(0, CODE_UNITS), batch, messages, args, call: verbCallOf(which) };
}

/** A call that does not say which it is, is none that is made again. */
function verbCallOf(value: unknown): VerbCall | undefined {
  const { id, isRepeat } = fieldsOf(value);
  return isTextUpTo(id, CODE_UNITS) ? { id, isRepeat: isRepeat === true } : undefined;
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

/** Runs a call and formats what it answers. Refusals travel as data; anything else is the platform's and is thrown. */
export async function answering(run: () => unknown): Promise<string> {
  try {
    const value = await run();
    return JSON.stringify({ ok: true, value: value === undefined ? null : value } satisfies Answer);
  } catch (error) {
    if (!(error instanceof MailboxError)) throw error;
    const { code, message } = error;
    return JSON.stringify({
      ok: false,
      code,
      message,
      ...(isNotYet(error) ? { notYet: true } : {}),
    } satisfies Answer);
  }
}

/** Reads an answer. One that is not of this library is a refusal too. */
export function parseReply(text: unknown): Reply {
  const answer = typeof text === "string" ? parseObject(text) : undefined;
  if (answer?.["ok"] === true) return { kind: "value", value: answer["value"] };
  if (answer?.["ok"] !== false) {
    const error = new UnsupportedCallError("The actor gave an answer that is not of this library.");
    return { kind: "refusal", error, isNotYet: false };
  }
  const error = errorFromCode(textOf(answer["code"], CODE_UNITS), textOf(answer["message"], REFUSAL_UNITS));
  // Whoever refuses says so itself: newer code may have reasons that this one does not know.
  return { kind: "refusal", error, isNotYet: answer["notYet"] === true };
}

/** Reads the answer to a batch. A refusal of the whole is an answer too, and so is nonsense. */
export function parseBatchAnswer(text: unknown): BatchAnswer {
  const reply = parseReply(text);
  if (reply.kind === "refusal") {
    const { name, message } = reply.error;
    return { kind: "refused", error: { name, message: message.slice(0, MESSAGE_UNITS) } };
  }
  const { kind, upTo, full, refused } = fieldsOf(reply.value);
  if (kind === "fork") return { kind };
  if (kind !== "taken" || !isNumberOfRow(upTo)) {
    const message = "The answer to the batch is not of this library.";
    return { kind: "refused", error: { name: "UnsupportedCallError", message } };
  }
  return {
    kind,
    upTo,
    full: full === true,
    refused: (Array.isArray(refused) ? refused : []).map((one: unknown) => {
      const { n, code, message } = fieldsOf(one);
      return { n: Number(n), code: textOf(code, CODE_UNITS), message: textOf(message, MESSAGE_UNITS) };
    }),
  };
}

function isNumberOfRow(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function textOf(value: unknown, length: number): string {
  return typeof value === "string" ? value.slice(0, length) : "";
}

function parseObject(text: string): Fields | undefined {
  return readColumn(text, isFields);
}
