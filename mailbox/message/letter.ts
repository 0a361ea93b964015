// A dead letter as a person sees it, and as it travels.

import { decodePayload } from "../payload/codec.ts";
import { readableAddress } from "./address.ts";
import { parseHistory, parseOptions } from "./columns.ts";
import type { AttemptRecord, DeadLetterReason, From, LetterRow } from "./envelope.ts";
import { sentOfId } from "./id.ts";
import type { AnyMessages, TypeOf } from "./message-map.ts";

/**
 * A dead letter, as the verbs and the hook give it: of one of the types of the map, with its payload. One with a
 * `target` was for another actor, so its type and payload are of that actor's map.
 */
export type DeadLetter<M extends object = AnyMessages> = {
  [T in TypeOf<M>]: LetterOf<T, M[T]>;
}[TypeOf<M>];

interface LetterOf<T extends string, P> {
  readonly id: string;
  readonly type: T;
  /**
   * The payload. What cannot be read is `undefined`, and `payloadText` is what was stored; what a schema refused
   * (reason `unreadable`) is what was sent, whatever its shape.
   */
  readonly payload: P;
  readonly payloadText?: string;
  readonly reason: DeadLetterReason;
  readonly diedAt: number;
  readonly dueAt: number;
  readonly sentAt: number | undefined;
  /** The number of all attempts, also of those whose record was dropped, and of earlier lives. */
  readonly attempts: number;
  /** The first attempt and the last 19, oldest first. */
  readonly errors: readonly AttemptRecord[];
  /** Name and message of the last error with numbers, ids and quoted parts taken out: for the filter `error`. */
  readonly fingerprint?: string;
  readonly key?: string;
  readonly recurrence?: string;
  /** Whom an `undeliverable` message was for: `BINDING/name`. */
  readonly target?: string;
  readonly from?: From;
}

/** A letter as it travels: the payload still encoded. */
export type StoredLetter = Omit<DeadLetter, "payload" | "payloadText"> & { readonly text: string };

/** A letter for a person: what was stored is believed to be of the map. */
export function letterOf<M extends object>(stored: StoredLetter): DeadLetter<M> {
  return readable(stored) as unknown as DeadLetter<M>;
}

/** What a row says, without decoding its payload. */
export function storedLetter(row: LetterRow): StoredLetter {
  const { from } = parseOptions(row.options);
  return {
    id: row.id,
    type: row.type,
    text: row.payload,
    reason: row.reason,
    diedAt: row.died,
    dueAt: row.due,
    sentAt: sentOfId(row.id),
    attempts: row.attempts,
    errors: parseHistory(row.history),
    ...(row.fingerprint === null ? {} : { fingerprint: row.fingerprint }),
    ...(row.key === null ? {} : { key: row.key }),
    ...(row.recurrence === null ? {} : { recurrence: row.recurrence }),
    ...(row.target === null ? {} : { target: readableAddress(row.target) }),
    ...(from === undefined ? {} : { from }),
  };
}

/** Decodes the payload of what travelled, if it can be read. */
export function readable<T extends { readonly text: string }>(
  stored: T,
): Omit<T, "text"> & { payload: unknown; payloadText?: string } {
  const { text, ...rest } = stored;
  try {
    return { ...rest, payload: decodePayload(text) };
  } catch {
    return { ...rest, payload: undefined, payloadText: text };
  }
}
