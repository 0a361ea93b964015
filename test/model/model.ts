// The mailbox as it is promised to be, in memory and without cleverness: a set of messages, of which
// the one with the smallest (dueAt, id) that is due is next. The test compares it with the real one.

import type { Message } from "./message.ts";
import type { EverySpec, Spec, Step } from "./plan.ts";
import { advance, type Every, present, replan, skipPresent, takeUp } from "./recurrences.ts";

export interface Letter {
  readonly message: Message;
  readonly reason: string;
  readonly attempts: number;
  readonly died: number;
}

/** The attempt that the object did not survive, if its lease was on disk. */
export interface Lease {
  readonly id: string;
  readonly attempt: number;
  /** When the attempt was due. */
  readonly due: number;
}

/** One entry of a handler, as it happened. */
export interface Entry {
  readonly id: string;
  readonly label: number;
  readonly attempt: number;
  readonly dueAt: number;
  readonly step: Step;
  /** What its acts answered; a send also says which label its message got. */
  readonly acts: { readonly answer: string | boolean; readonly label?: number; readonly id?: string }[];
}

export class Refuted extends Error {}

export function expectSame(what: string, actual: unknown, expected: unknown): void {
  const [a, e] = [actual, expected].map((value) => JSON.stringify(value, undefined, 1));
  if (a !== e) throw new Refuted(`${what}: the mailbox has\n${a}\nand should have\n${e}`);
}

/** What is on disk. Plain data, so that a crash can put it back. */
export interface State {
  readonly pending: Map<string, Message>;
  readonly letters: Map<string, Letter>;
  readonly everies: Map<string, Every>;
  paused: boolean;
  lease: Lease | undefined;
}

export const EMPTY: State = {
  pending: new Map(),
  letters: new Map(),
  everies: new Map(),
  paused: false,
  lease: undefined,
};

export function newMessage(id: string, label: number, spec: Spec, now: number): Message {
  const { when, maxAttempts, backoff, expires, kind, key } = spec;
  const due = when.at === "now" ? now : now + when.by;
  const expiresAt = expires === undefined ? undefined : due + expires;
  const plain = { suspicious: false, earlier: 0, errors: 0, recurrence: undefined, attempt: 0 };
  return { ...plain, id, label, kind, due, key: key ?? null, maxAttempts, backoff, expiresAt };
}

export class Model {
  state: State = structuredClone(EMPTY);
  now: number;

  constructor(now: number) {
    this.now = now;
  }

  /** Resolves the key and takes the message in; answers the id of the one that waits. */
  accept(message: Message, ifPending: Spec["ifPending"], running?: Message): string {
    const holder = message.key === null ? undefined : this.holder(message.kind, message.key);
    if (holder !== undefined) {
      if (holder.id === running?.id) holder.key = null;
      else if (ifPending === "replace") this.state.pending.delete(holder.id);
      else return holder.id;
    }
    this.state.pending.set(message.id, message);
    return message.id;
  }

  holder(kind: Spec["kind"], key: string): Message | undefined {
    return [...this.state.pending.values()].find((other) => other.kind === kind && other.key === key);
  }

  /** The message of an id, the present occurrence of a recurrence included. */
  find(id: string): Message | undefined {
    return this.state.pending.get(id) ?? this.#presents().find((message) => message.id === id);
  }

  cancel(id: string): boolean {
    const every = this.state.everies.get(id);
    if (every !== undefined) {
      this.#forsake(every);
      this.state.everies.delete(id);
      return !every.ended;
    }
    const message = this.find(id);
    if (message === undefined) return false;
    this.state.pending.delete(id);
    const owner = message.recurrence === undefined ? undefined : this.state.everies.get(message.recurrence);
    if (owner !== undefined && present(owner).id === id && !owner.ended) skipPresent(owner);
    return true;
  }

  reschedule(id: string, due: number, running?: Message): boolean {
    const message = this.find(id);
    if (message === undefined || id === running?.id) return false;
    this.#detach(message);
    message.due = due;
    return true;
  }

  declare(id: string, label: number, spec: EverySpec): void {
    const { everies } = this.state;
    const before = everies.get(id);
    const { every, isSame } = replan(before, id, label, spec, this.now);
    if (before !== undefined && !isSame) this.#endPresent(before);
    // A planned time has one message, also when it ran early under other times.
    while (!isSame && this.#isTaken(present(every).id)) every.planned += spec.every;
    everies.set(id, every);
  }

  redrive(id: string, at = this.now): boolean {
    const letter = this.state.letters.get(id);
    if (letter === undefined) return false;
    const { message, attempts, reason } = letter;
    this.state.letters.delete(id);
    const key =
      message.key !== null && this.holder(message.kind, message.key) === undefined ? message.key : null;
    const fresh = { attempt: 0, due: at, expiresAt: undefined, recurrence: undefined, key };
    const suspicious = message.suspicious || reason === "crashed";
    this.state.pending.set(id, { ...message, ...fresh, earlier: attempts, suspicious });
    return true;
  }

  redriveAll(): number {
    const letters = [...this.state.letters.values()].sort(
      (a, b) => b.died - a.died || (a.message.id < b.message.id ? 1 : -1),
    );
    return letters.filter(({ message }) => this.redrive(message.id)).length;
  }

  /** The next that is due, after what was missed of recurrences was skipped. */
  next(): Message | undefined {
    if (this.state.paused) return undefined;
    for (const every of this.state.everies.values()) takeUp(every, this.now);
    return [...this.state.pending.values(), ...this.#presents()]
      .filter((message) => message.due <= this.now)
      .sort((a, b) => a.due - b.due || (a.id < b.id ? -1 : 1))[0];
  }

  /** Ends an attempt, or what never became one, without an ack. */
  fail(message: Message, outcome: string, retryAfter?: number): void {
    if (this.find(message.id) === undefined) return;
    const counted = outcome === "expired" ? message.attempt : message.attempt + 1;
    const isFinal = outcome === "rejected" || outcome === "expired" || counted >= message.maxAttempts;
    const errors = Math.min(20, message.errors + (outcome === "expired" ? 0 : 1));
    if (!isFinal) {
      this.#detach(message);
      this.#keep({ ...message, errors, attempt: counted }, this.now + (retryAfter ?? message.backoff));
      return;
    }
    this.state.pending.delete(message.id);
    const reason = outcome === "threw" ? "exhausted" : outcome;
    const letter = {
      message: { ...message, errors },
      reason,
      attempts: message.earlier + counted,
      died: this.now,
    };
    this.state.letters.set(message.id, letter);
    this.#advance(message, "dead");
  }

  ack(message: Message): void {
    this.state.pending.delete(message.id);
    this.#advance(message, "delivered");
  }

  defer(message: Message, ms: number): void {
    if (this.find(message.id) === undefined) return;
    this.#detach(message);
    this.#keep(message, this.now + ms);
  }

  /** The lease of a dead attempt charges it, unless its message has gone or moved on. */
  charge(): void {
    const { lease } = this.state;
    this.state.lease = undefined;
    const message = lease === undefined ? undefined : this.state.pending.get(lease.id);
    if (lease === undefined || message === undefined || message.attempt !== lease.attempt - 1) return;
    // Rescheduled meanwhile: its new time stands.
    const isMoved = message.due !== lease.due;
    this.fail(message, "crashed", isMoved ? Math.max(1, message.due - this.now) : undefined);
  }

  /** The present occurrence becomes a message of its own. */
  detachForLease(message: Message): void {
    this.#detach(message);
  }

  #keep(message: Message, due: number): void {
    const holder = message.key === null ? undefined : this.holder(message.kind, message.key);
    const key = holder === undefined || holder.id === message.id ? message.key : null;
    this.state.pending.set(message.id, { ...message, due, key });
  }

  #detach(message: Message): void {
    const { pending, everies } = this.state;
    if (pending.has(message.id)) return;
    pending.set(message.id, message);
    const every = everies.get(message.recurrence ?? "");
    if (every !== undefined) every.detached = true;
  }

  #advance(message: Message, end: "delivered" | "dead"): void {
    const every = this.state.everies.get(message.recurrence ?? "");
    if (every !== undefined && present(every).id === message.id) advance(every, end);
  }

  /** Of other times' occurrences one that is due is delivered all the same, as a message of its own. */
  #endPresent(every: Every): void {
    takeUp(every, this.now);
    if (every.detached) this.#forsake(every);
    else if (!every.ended && every.planned <= this.now) {
      const message = present(every);
      this.state.pending.set(message.id, { ...message, recurrence: undefined });
    }
  }

  #isTaken(id: string): boolean {
    return this.state.pending.has(id) || this.state.letters.has(id);
  }

  #forsake(every: Every): void {
    this.state.pending.delete(present(every).id);
  }

  #presents(): Message[] {
    return [...this.state.everies.values()]
      .filter((every) => !every.ended && !every.detached)
      .map((every) => present(every));
  }
}

export type { Message } from "./message.ts";
