// Where the actors find one another, and what is wrong with them in the present life of the runtime.

import type { Settings } from "../../../actors/index.ts";
import {
  ACTORS,
  actorName,
  IMPATIENT,
  IMPATIENT_AGE_MS,
  lossRateOf,
  maxPendingOf,
  MIN_INTERVAL_MS,
  NAMELESS,
  NARROW,
  NARROW_BYTES,
  NARROW_INTERVAL_MS,
} from "../actors.ts";
import type { Present } from "../life.ts";
import { witness } from "./witness.ts";

/** Longer than any life of the runtime. */
const FOR_EVER_MS = 600_000;
/** A version that no code of today has. */
const NEWER = 99;

/** The bindings of the Worker: a namespace for each of the classes. */
export interface Bindings<N> {
  readonly CLERKS: N;
  readonly NAMELESS: N;
  readonly PRESENT: Present;
}

export function namespaceOf<N>(bindings: Bindings<N>, actor: number): N {
  return NAMELESS.includes(actor) ? bindings.NAMELESS : bindings.CLERKS;
}

export function indexOf(
  id: DurableObjectId,
  bindings: Bindings<{ idFromName(name: string): DurableObjectId }>,
): number {
  for (let index = 0; index < ACTORS; index += 1) {
    if (namespaceOf(bindings, index).idFromName(actorName(index)).equals(id)) return index;
  }
  throw new Error(`No actor has the id ${id.toString()}.`);
}

export function settingsOf(actor: number): Settings {
  const maxPending = maxPendingOf(actor);
  const isNarrow = NARROW.includes(actor);
  return {
    minInterval: isNarrow ? NARROW_INTERVAL_MS : MIN_INTERVAL_MS,
    ...(isNarrow ? { maxPayloadBytes: NARROW_BYTES } : {}),
    ...(maxPending === undefined ? {} : { maxPending }),
    ...(actor === IMPATIENT ? { outbox: { maxAge: IMPATIENT_AGE_MS } } : {}),
  };
}

/**
 * As if a newer version of the library had migrated this object and been taken back; and else as if it had
 * been deployed again, which is what its operator does.
 */
export function pretendNewer(sql: SqlStorage, isNewer: boolean): void {
  const [table] = sql.exec("SELECT 1 FROM sqlite_master WHERE name = '_mailbox_schema'").toArray();
  if (table === undefined) return;
  if (isNewer) sql.exec("INSERT OR IGNORE INTO _mailbox_schema (version) VALUES (?)", NEWER);
  else sql.exec("DELETE FROM _mailbox_schema WHERE version = ?", NEWER);
}

/** Answers a call of another actor or of a ref; or does not, because this actor or its answer is lost. */
export async function answerOutage(
  actor: number,
  { outages, lossRate }: Present,
  call: string,
  answer: () => Promise<string>,
): Promise<string> {
  const outage = outages[actor];
  if (outage === "hangs") await scheduler.wait(FOR_EVER_MS);
  if (outage === "hangs" || outage === "throws") throw new Error("out of order");
  const brought = messagesOf(call);
  const nonce = crypto.randomUUID();
  if (brought.length > 0)
    witness({ call: { nonce, actor, ids: brought.map(({ id }) => id), at: Date.now() } });
  const answered = await answer();
  if (brought.length > 0) witness({ answered: nonce, at: Date.now() });
  if (outage === "deaf" || Math.random() < Math.max(lossRate, lossRateOf(actor))) {
    // As the platform says it: the call may have arrived.
    throw Object.assign(new Error("Network connection lost."), { retryable: true });
  }
  if (isFull(answered, brought)) witness({ full: actor, at: Date.now() });
  return answered;
}

interface Brought {
  readonly id: string;
  /** Of one that came by an outbox. */
  readonly n?: number;
}

/** What a call brings: the messages of a ref, or of an outbox. */
function messagesOf(call: string): readonly Brought[] {
  const { messages, batch } = JSON.parse(call) as {
    readonly messages?: readonly Brought[];
    readonly batch?: { readonly messages: readonly Brought[] };
  };
  return messages ?? batch?.messages ?? [];
}

/** Whether a batch of an outbox was answered that there is no room for any of it. */
function isFull(answered: string, [first]: readonly Brought[]): boolean {
  if (first?.n === undefined || !answered.includes('"full":true')) return false;
  const { value } = JSON.parse(answered) as { readonly value: { readonly upTo: number } };
  return first.n > value.upTo;
}
