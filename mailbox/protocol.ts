// What actors say to one another and what refs say to actors: one string there, one back. Versioned,
// because old and new code talk to each other during every deploy, so fields are only ever added.
// A string, because then the whole RPC surface is one method whose argument is parsed, not trusted.

import type { Accepting, From } from "./envelope.ts";
import { errorFromCode, MailboxError, UnsupportedCallError } from "./errors.ts";

const VERSION = 1;

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

/** A call, as it travels. Arguments of verbs are the codec's text, so that moments and payloads keep their types. */
export type Call =
  | { readonly v: number; readonly verb: "deliver"; readonly batch: Batch }
  | { readonly v: number; readonly verb: "accept"; readonly messages: readonly Accepting[] }
  | { readonly v: number; readonly verb: string; readonly args: string };

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
export function parseCall(text: unknown): Call {
  const call = parseObject(text);
  if (call === undefined || typeof call["verb"] !== "string") {
    throw new UnsupportedCallError(
      "mailboxCall was given something that no ref makes; call actors through ref(…).",
    );
  }
  if (call["v"] !== VERSION) {
    throw new UnsupportedCallError(
      `mailboxCall speaks version ${VERSION}, and was called in version ${String(call["v"])}; deploy the receiving Worker before the calling one.`,
    );
  }
  return call as Call;
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
export function valueOf(text: string): unknown {
  const answer = parseObject(text) as Answer | undefined;
  if (answer === undefined)
    throw new UnsupportedCallError("The actor gave an answer that is not of this library.");
  if (answer.ok) return answer.value;
  throw errorFromCode(answer.code, answer.message);
}

/** The answer to a batch; a refusal of the whole is an answer too. */
export function parseAnswer(text: string): BatchAnswer {
  try {
    return valueOf(text) as BatchAnswer;
  } catch (error) {
    if (error instanceof MailboxError) return { kind: "refused", message: `${error.code}: ${error.message}` };
    throw error;
  }
}

function parseObject(text: unknown): Record<string, unknown> | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
