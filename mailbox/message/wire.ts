// What actors say to one another and what refs say to actors: one string there, one back. Versioned,
// because old and new code talk to each other during every deploy, so fields are only ever added.
// A string, because then the whole RPC surface is one method whose argument is parsed, not trusted.

import type { Accepting, From } from "./envelope.ts";
import { errorFromCode, MailboxError, UnsupportedCallError } from "../errors.ts";

const VERSION = 1;
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

export type BatchAnswer =
  /** All up to this number are in the mailbox, now or before, but those refused. `full`: there was no room for the rest. */
  | {
      readonly kind: "taken";
      readonly upTo: number;
      readonly full: boolean;
      readonly refused: readonly { readonly n: number; readonly code: string; readonly message: string }[];
    }
  /** The number is known with another id: the sender was put back to an earlier moment. */
  | { readonly kind: "fork" }
  | { readonly kind: "refused"; readonly message: string };

/** A call, as a ref makes it. Arguments of verbs are the codec's text, so that moments and payloads keep their types. */
type Call =
  | { readonly v: number; readonly verb: "deliver"; readonly batch: Batch }
  | { readonly v: number; readonly verb: "accept"; readonly messages: readonly Accepting[] }
  | { readonly v: number; readonly verb: string; readonly args: string };

/** A call, as it came: nothing of it is believed but that it has a verb. */
export interface UncheckedCall {
  readonly verb: string;
  readonly batch?: unknown;
  readonly messages?: unknown;
  readonly args?: unknown;
}

type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export function formatBatch(batch: Batch): string {
  return JSON.stringify({ v: VERSION, verb: "deliver", batch } satisfies Call);
}

export function formatAccept(messages: readonly Accepting[]): string {
  return JSON.stringify({ v: VERSION, verb: "accept", messages } satisfies Call);
}

export function formatVerb(verb: string, args: string): string {
  return JSON.stringify({ v: VERSION, verb, args } satisfies Call);
}

/** Reads a call. @throws {UnsupportedCallError} for what is not of this form or of a newer version */
export function parseCall(text: unknown): UncheckedCall {
  const call = typeof text === "string" && text.length <= CALL_UNITS ? parseObject(text) : undefined;
  const { v, verb, batch, messages, args } = call ?? {};
  if (typeof verb !== "string") {
    throw new UnsupportedCallError(
      "mailboxCall was given something that no ref makes; call actors through ref(…).",
    );
  }
  if (v !== VERSION) {
    throw new UnsupportedCallError(
      `mailboxCall speaks version ${VERSION}, and was called in ${typeof v === "number" ? `version ${v}` : "none"}; deploy the receiving Worker before the calling one.`,
    );
  }
  return { verb: verb.slice(0, CODE_UNITS), batch, messages, args };
}

/** Runs a call and formats what it answers. Refusals travel as data; anything else is the platform's and is thrown. */
export async function answering(run: () => unknown): Promise<string> {
  try {
    const value = await run();
    return JSON.stringify({ ok: true, value: value === undefined ? null : value } satisfies Answer);
  } catch (error) {
    if (!(error instanceof MailboxError)) throw error;
    return JSON.stringify({ ok: false, code: error.code, message: error.message } satisfies Answer);
  }
}

/** The value of an answer. @throws the refusal, as the typed error that it was */
export function valueOf(text: unknown): unknown {
  const answer = typeof text === "string" ? parseObject(text) : undefined;
  if (answer?.["ok"] === true) return answer["value"];
  if (answer?.["ok"] !== false)
    throw new UnsupportedCallError("The actor gave an answer that is not of this library.");
  throw errorFromCode(textOf(answer["code"], CODE_UNITS), textOf(answer["message"], REFUSAL_UNITS));
}

/** The answer to a batch. A refusal of the whole is an answer too, and so is nonsense. */
export function parseAnswer(text: unknown): BatchAnswer {
  let value: unknown;
  try {
    value = valueOf(text);
  } catch (error) {
    const refusal = error instanceof MailboxError ? `${error.code}: ${error.message}` : String(error);
    return { kind: "refused", message: textOf(refusal, MESSAGE_UNITS) };
  }
  const answer = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const { kind, upTo, full, refused } = answer;
  if (kind === "fork") return { kind };
  if (kind !== "taken" || typeof upTo !== "number") {
    return { kind: "refused", message: "The answer to the batch is not of this library." };
  }
  return {
    kind,
    upTo,
    full: full === true,
    refused: (Array.isArray(refused) ? refused : []).map((one: unknown) => {
      const { n, code, message } = (typeof one === "object" && one !== null ? one : {}) as Record<
        string,
        unknown
      >;
      return { n: Number(n), code: textOf(code, CODE_UNITS), message: textOf(message, MESSAGE_UNITS) };
    }),
  };
}

function textOf(value: unknown, length: number): string {
  return typeof value === "string" ? value.slice(0, length) : "";
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
