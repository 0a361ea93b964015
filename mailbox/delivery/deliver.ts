// One delivery, from the row to its outcome: is there a handler, has it expired, can it be read, must
// it be leased; then it is run, and its outcome applied.

import { Attempt, type Subject } from "../host/attempt.ts";
import { now as clockNow } from "../time/clock.ts";
import { decodePayload } from "../payload/codec.ts";
import { deliverableOptions, unreadableError } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import { dueOfId } from "../message/id.ts";
import { readable, storedLetter } from "../message/letter.ts";
import type { Result } from "../message/decide.ts";
import { EnvelopeDelivery, type SendBack } from "../host/delivery.ts";
import type { Envelope, EnvelopeOptions, LetterRow, StoredError } from "../message/envelope.ts";
import { storedError } from "../message/thrown.ts";
import { applySchema, type Handler, isAsyncFunction } from "../host/handlers.ts";
import { detach } from "../lifecycle/occurrence.ts";
import { MessageRun } from "./message-run.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { clearLease, type Item, settle } from "../lifecycle/settle.ts";
import { DEFAULT_POLICY, type ResolvedPolicy, resolvePolicy } from "../message/policy.ts";
import { run } from "./run.ts";
import type { Lease, UserAlarm } from "../store/state.ts";
import { alarmFailed, alarmInfo, isSame } from "../host/user-alarm.ts";
import { exponential } from "../time/duration.ts";

const HOOK_TIMEOUT_MS = 30_000;
const HOOK_ATTEMPTS = 3;
const HOOK_BACKOFF_MS = 1_000;
/** An alarm of the host may run as long as the platform lets it, but for the mailbox' sake not longer than a handler. */
const ALARM_TIMEOUT_MS = 600_000;
const NO_OPTIONS: EnvelopeOptions = {};

export class Deliverer {
  readonly #core: Core;
  readonly #outbox: Outbox;
  readonly #sendBack: SendBack;
  /** The end of a leased run may not be on disk yet: a death now would be charged to its message. */
  #owesSync = false;

  constructor(core: Core, outbox: Outbox, sendBack: SendBack) {
    this.#core = core;
    this.#outbox = outbox;
    this.#sendBack = sendBack;
  }

  /** Whether what was done must be on disk before this item may run: the next death is not its predecessor's. */
  mustSyncBefore({ row }: Item, isSuspicious: boolean): boolean {
    return this.#owesSync && !mustLease(row, optionsOf(row) ?? NO_OPTIONS, isSuspicious);
  }

  synced(): void {
    this.#owesSync = false;
  }

  /**
   * Delivers one message. Answers undefined when it was done synchronously.
   *
   * @param isSuspicious what was due with it may have killed the object, so its run is leased
   * @param now the present
   */
  deliver(item: Item, isSuspicious: boolean, now: number): Promise<void> | undefined {
    const core = this.#core;
    const { row } = item;
    const handler = core.config.handlers.get(row.type);
    if (handler === undefined) return this.#park(item);
    const options = optionsOf(row);
    if (options === undefined) {
      this.#settleNow(item, row.attempt + 1, unreadable(row), DEFAULT_POLICY, now);
      return undefined;
    }
    if (options.expiresAt !== undefined && options.expiresAt < now) {
      this.#settleNow(item, row.attempt, { kind: "expired" }, this.#policyOf(handler, options), now);
      return undefined;
    }
    // Optimistic first: a healthy first attempt writes nothing before it runs.
    if (mustLease(row, options, isSuspicious)) {
      core.envelopes.endPage();
      return this.#leased(item, handler, options);
    }
    return this.#run(item, handler, options, now);
  }

  /**
   * Charges the attempt that the object did not survive. Its lease was on disk before the handler ran;
   * a lease whose message is gone or has moved on is of an attempt whose outcome is known.
   */
  recover(lease: Lease): void {
    const core = this.#core;
    const now = clockNow();
    core.commit(() => {
      core.meta.clear("lease");
      core.step();
      const error = {
        name: "ObjectDied",
        message:
          "The object died while the handler ran: out of CPU or memory, aborted, or replaced by a deploy.",
      };
      switch (lease.kind) {
        case "message": {
          const row = core.envelopes.byId(lease.id, dueOfId(lease.id) ?? lease.due);
          if (row === undefined || row.attempt !== lease.attempt - 1) return;
          // Rescheduled meanwhile: it is charged all the same, and its new time stands.
          const retryAt = row.due === lease.due ? undefined : row.due;
          const crashed: Result = { kind: "failed", outcome: "crashed", error, retryAt };
          // What cannot be read cannot be redelivered either.
          const options = optionsOf(row);
          const result = options === undefined ? unreadable(row) : crashed;
          const handler = core.config.handlers.get(row.type);
          const policy = this.#policyOf(handler, options ?? NO_OPTIONS);
          settle(core, { row, present: undefined }, lease.attempt, result, policy, lease.startedAt, now);
          return;
        }
        case "hook":
          this.#hookFailed(core.letters.byId(lease.id), lease.attempt, error, now);
          return;
        case "alarm": {
          const alarm = core.meta.get("alarm");
          if (alarm?.time === lease.due && alarm.retry === lease.attempt - 1)
            alarmFailed(core, alarm, error, now);
          return;
        }
      }
    });
  }

  /** Runs the hook of one dead letter; answers whether there was one. */
  async runHook(now: number): Promise<boolean> {
    const core = this.#core;
    const letter = core.letters.dueHook(now);
    if (letter === undefined) return false;
    const { onDeadLetter } = core.config;
    if (onDeadLetter === undefined) {
      core.letters.setHook(letter, null, letter.hook_attempt);
      return true;
    }
    const number = letter.hook_attempt + 1;
    const row: Envelope = { ...letter, parked: 0, attempt: letter.hook_attempt, moved: 0 };
    const attempt = this.#attempt("hook", row, number, isAsyncFunction(onDeadLetter), true);
    await this.#lease({
      kind: "hook",
      id: letter.id,
      due: letter.due,
      attempt: number,
      startedAt: clockNow(),
    });
    // Others ran meanwhile: the letter may be gone, or the mailbox paused.
    if (core.paused || !core.letters.has(letter.id)) {
      this.#giveBack();
      return true;
    }
    const delivery = new EnvelopeDelivery(row, attempt, this.#sendBack);
    await run(core, this.#outbox, {
      attempt,
      isAsync: isAsyncFunction(onDeadLetter),
      timeoutMs: HOOK_TIMEOUT_MS,
      call: () => onDeadLetter(readable(storedLetter(letter)), delivery),
      completed: () => {
        clearLease(core, attempt);
        core.letters.setHook(letter, null, number);
      },
      failed: (result) =>
        core.commit(() => {
          clearLease(core, attempt);
          if (result.kind !== "expired") this.#hookFailed(letter, number, result.error, clockNow());
        }),
    });
    core.running = undefined;
    return true;
  }

  /** Runs the user's own alarm, which is due. */
  async runAlarm(alarm: UserAlarm, isSuspicious: boolean): Promise<void> {
    const core = this.#core;
    const handler = core.config.alarm;
    if (handler === undefined) {
      core.meta.clear("alarm");
      return;
    }
    const leased = isSuspicious || alarm.retry > 0;
    const subject = { id: "alarm", type: "alarm", due: alarm.time };
    // Async, whatever it is: the platform puts no transaction around an alarm.
    const attempt = this.#attempt("alarm", subject, alarm.retry + 1, true, leased);
    const startedAt = clockNow();
    if (leased) {
      await this.#lease({
        kind: "alarm",
        id: subject.id,
        due: alarm.time,
        attempt: alarm.retry + 1,
        startedAt,
      });
      // Others ran meanwhile: it may have been deleted or set anew, or all storage deleted.
      if (!isSame(core.meta.get("alarm"), alarm)) {
        this.#giveBack();
        return;
      }
    }
    core.runningAlarm = alarm;
    try {
      await run(core, this.#outbox, {
        attempt,
        isAsync: true,
        timeoutMs: ALARM_TIMEOUT_MS,
        call: async () => {
          await handler(alarmInfo(alarm));
        },
        completed: () => {
          clearLease(core, attempt);
          if (isSame(core.meta.get("alarm"), alarm)) core.meta.clear("alarm");
        },
        failed: (result) =>
          core.commit(() => {
            clearLease(core, attempt);
            if (result.kind !== "expired") alarmFailed(core, alarm, result.error, clockNow());
          }),
      });
    } finally {
      core.runningAlarm = undefined;
      core.running = undefined;
    }
  }

  async #leased(item: Item, handler: Handler, options: EnvelopeOptions): Promise<void> {
    const core = this.#core;
    // Only a message can be found again by a lease.
    const row = item.present === undefined ? item.row : detach(core, item.present);
    if (row === undefined) return;
    const own: Item = { row, present: undefined };
    const attempt = this.#attempt("message", row, row.attempt + 1, handler.isAsync, true);
    const generation = core.generation;
    await this.#lease({
      kind: "message",
      id: row.id,
      due: row.due,
      attempt: row.attempt + 1,
      startedAt: clockNow(),
    });
    // Others ran meanwhile: it may have been cancelled, or the mailbox paused, or all storage deleted.
    if (
      attempt.cancelledBy !== undefined ||
      core.paused ||
      (generation !== core.generation && core.envelopes.at(row) === undefined)
    ) {
      this.#giveBack();
      return;
    }
    await this.#run(own, handler, options, clockNow(), attempt);
  }

  async #lease(lease: Lease): Promise<void> {
    const core = this.#core;
    core.meta.set("lease", lease);
    core.wake.guard();
    await core.committed();
    this.#owesSync = true;
    // All storage may have been deleted meanwhile.
    core.ready();
  }

  /** A leased run does not begin after all. */
  #giveBack(): void {
    this.#core.running = undefined;
    this.#core.meta.clear("lease");
  }

  #run(
    item: Item,
    handler: Handler,
    options: EnvelopeOptions,
    startedAt: number,
    leased?: Attempt,
  ): Promise<void> | undefined {
    const core = this.#core;
    const { row } = item;
    const number = row.attempt + 1;
    const attempt = leased ?? this.#attempt("message", row, number, handler.isAsync, false);
    let payload: unknown;
    try {
      payload = decodePayload(row.payload);
      if (handler.schema !== undefined) payload = applySchema(handler.schema, row.type, payload);
    } catch (error) {
      core.running = undefined;
      const result: Result = { kind: "unreadable", error: storedError(error) };
      core.commit(() => {
        clearLease(core, attempt);
        settle(core, item, number, result, this.#policyOf(handler, options), startedAt, clockNow());
      });
      return undefined;
    }
    const delivery = new EnvelopeDelivery(row, attempt, this.#sendBack);
    const policy = this.#policyOf(handler, options);
    const message = { item, handler, policy, attempt, payload, delivery, startedAt };
    return run(core, this.#outbox, new MessageRun(core, message));
  }

  /** Keeps a message whose type this code version does not know: another version will. */
  #park(item: Item): undefined {
    const core = this.#core;
    core.commit(() => {
      const row = item.present === undefined ? item.row : detach(core, item.present);
      if (row === undefined) return;
      if (core.envelopes.move(row, { ...row, parked: Math.max(1, clockNow()), moved: 1 })) core.step();
      core.raise({ event: "parked", id: row.id, type: row.type });
    });
    return undefined;
  }

  #settleNow(item: Item, attempt: number, result: Result, policy: ResolvedPolicy, startedAt: number): void {
    this.#core.commit(() => settle(this.#core, item, attempt, result, policy, startedAt, startedAt));
  }

  #attempt(
    kind: Subject["kind"],
    row: Pick<Subject, "id" | "type" | "due">,
    number: number,
    isAsync: boolean,
    leased: boolean,
  ): Attempt {
    const subject = { kind, id: row.id, type: row.type, due: row.due, attempt: number };
    const attempt = new Attempt(this.#core, subject, isAsync ? "async" : "sync", leased);
    this.#core.running = attempt;
    return attempt;
  }

  #policyOf(handler: Handler | undefined, options: EnvelopeOptions): ResolvedPolicy {
    const { policy } = this.#core.config;
    if (policy === undefined && handler?.policy === undefined && options.policy === undefined)
      return DEFAULT_POLICY;
    return resolvePolicy(policy, handler?.policy, options.policy);
  }

  #hookFailed(letter: LetterRow | undefined, attempt: number, error: StoredError, now: number): void {
    if (letter === undefined) return;
    const { id, type } = letter;
    const wait = exponential(HOOK_BACKOFF_MS, Number.POSITIVE_INFINITY, attempt);
    const nextAt = attempt < HOOK_ATTEMPTS ? now + wait : undefined;
    this.#core.letters.setHook(letter, nextAt ?? null, attempt);
    this.#core.raise({ event: "hookFailed", id, type, attempt, maxAttempts: HOOK_ATTEMPTS, error, nextAt });
  }
}

/** Undefined when a column of the row cannot be read. */
function optionsOf(row: Envelope): EnvelopeOptions | undefined {
  return row.options === null && row.history === null ? NO_OPTIONS : deliverableOptions(row);
}

function unreadable(row: Envelope): Result {
  return { kind: "unreadable", error: unreadableError(row) };
}

function mustLease(row: Envelope, options: EnvelopeOptions, isSuspicious: boolean): boolean {
  return isSuspicious || row.attempt > 0 || options.suspicious === true;
}
