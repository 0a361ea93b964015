// What all parts of one mailbox share: the storage, the stores, the alarm, the events, and the few
// facts kept in memory. Facts in memory are hints: every one of them is forgotten after a rollback.

import { Adoption } from "./adoption.ts";
import type { Attempt } from "./attempt.ts";
import { now as clockNow } from "../time/clock.ts";
import { MailboxError, MisconfiguredError, NoAlarmError } from "../errors.ts";
import { EventQueue } from "./event-queue.ts";
import type { Happening } from "./events.ts";
import { schemaVersion } from "../store/schema.ts";
import { type Config, readAudience, readConfig, type ReadOptions, RETENTION_MS } from "./settings.ts";
import { EnvelopeStore } from "../store/envelopes.ts";
import { DeadLetterStore } from "../store/dead-letters.ts";
import { MetaStore, type UserAlarm } from "../store/state.ts";
import { OutboxStore } from "../store/outbox.ts";
import { RecurrenceStore } from "../store/recurrences.ts";
import { Tables } from "./tables.ts";
import { Transactions } from "./transactions.ts";
import { NEVER, realAlarm, Wake } from "./wake.ts";

/** Messages of an unknown type are kept so long before they are given up. */
export const PARKED_AGE_MS: number = 30 * 24 * 60 * 60 * 1000;

const RETENTION_SLACK_MS = 60 * 60 * 1000;

/** What memory held when a transaction began that lets nobody else in: what it goes back to if that is rolled back. */
interface MemoryMark {
  readonly events: number;
  readonly generation: number;
  readonly areReady: boolean;
  readonly pending: number | undefined;
  readonly letterCount: number | undefined;
  readonly noted: number;
}

export class Core {
  readonly ctx: DurableObjectState;
  readonly env: unknown;
  /** The real storage, under whatever the host sees. */
  readonly storage: DurableObjectStorage;
  readonly className: string;
  readonly envelopes: EnvelopeStore;
  readonly recurrences: RecurrenceStore;
  readonly letters: DeadLetterStore;
  readonly outbox: OutboxStore;
  readonly meta: MetaStore;
  readonly wake: Wake;
  readonly events: EventQueue;
  /** Of an alarm from before the object had a mailbox. */
  readonly adoption: Adoption = new Adoption(this);
  /** The user's. */
  readonly transactions: Transactions = new Transactions();
  /** The attempt that runs now; one at a time. */
  running: Attempt | undefined;
  /** When the relay wants to run next; set by the relay. */
  outboxHead: () => number = () => NEVER;
  /** Grows with every change of rows that a drain must see before its next message. */
  generation = 0;
  /** Grows with everything that a part notes in its own memory of what it has written. */
  noted = 0;
  /** The due time up to which a drain has selected: an earlier newcomer makes it select anew. */
  selectedUntil: number = Number.NEGATIVE_INFINITY;
  /** Messages pending, once somebody had to know. */
  pending: number | undefined;
  /** Dead letters kept, once somebody had to know. */
  letterCount: number | undefined;
  /** Messages are parked whose type this code knows, and the wake is about to release them. */
  isReleasing = false;
  /** The user's alarm that runs now. */
  runningAlarm: UserAlarm | undefined;
  /** The drain waits, for a handler or a batch, and others get in. */
  drainWaits = false;
  /** When the start of this instance began. */
  readonly startedAt: number = clockNow();
  delivered = 0;
  failed = 0;
  healed = 0;
  readonly #options: ReadOptions;
  #config: Config | undefined;
  readonly #tables: Tables;
  #steps = 0;
  #isFlushPlanned = false;
  /** Something was taken away, so there may be nothing left to wake for. */
  #mayRest = false;
  readonly #forgetters: (() => void)[] = [];

  constructor(ctx: DurableObjectState, env: unknown, className: string, options: ReadOptions) {
    this.ctx = ctx;
    this.env = env;
    this.storage = ctx.storage;
    this.className = className;
    this.#options = options;
    const sql = sqlOf(ctx.storage);
    this.envelopes = new EnvelopeStore(sql, (count) => this.removed(count));
    this.recurrences = new RecurrenceStore(sql);
    this.letters = new DeadLetterStore(sql);
    this.outbox = new OutboxStore(sql);
    this.meta = new MetaStore(sql);
    this.#tables = new Tables(ctx.storage, className, (before) => {
      this.meta.forget();
      if (before === 0) this.adoption.keep();
    });
    const actor = { className, name: ctx.id.name, id: ctx.id.toString() };
    this.events = new EventQueue(actor, () => this.soundConfig?.audience ?? readAudience(this.#options));
    this.wake = new Wake(
      realAlarm(ctx.storage),
      () => this.head(),
      (alarm, head) => this.#onHeal(alarm, head),
      () => {
        const advice = "add: alarm(info) { return this.mailbox.wake(info); }";
        const flaw = `${className} has no alarm(), so nothing that waits in its mailbox would ever be delivered`;
        this.#tables.refuse(new NoAlarmError(`${flaw}; ${advice}`));
      },
    );
  }

  /**
   * Read at the first verb or wake: what a subclass sets in its fields is there by then. What is wrong is read again
   * each time, for it may be a getter that throws for a while.
   *
   * @throws {MisconfiguredError}
   */
  get config(): Config {
    return (this.#config ??= readConfig(this.className, this.#options));
  }

  /** The same for what goes on without it: undefined while it is wrong. */
  get soundConfig(): Config | undefined {
    try {
      return this.config;
    } catch (error) {
      if (error instanceof MisconfiguredError) return undefined;
      throw error;
    }
  }

  /** The constructor has run to its end: what it has read of a class that was half made is read again. */
  constructed(): void {
    this.#config = undefined;
  }

  /** Before a verb: whether this object may do anything at all. @throws {MisconfiguredError} {@link NewerSchemaError} */
  begin(): void {
    void this.config;
    this.ready();
    this.wake.look();
  }

  get paused(): boolean {
    return this.meta.get("paused") === true;
  }

  /** Whether the object has a mailbox on disk, of whatever version. */
  exists(): boolean {
    return this.#tables.exist();
  }

  /** Whether the object has a mailbox on disk whose rows this code can read: not one that a newer version has written. */
  isReadable(): boolean {
    return this.#tables.areReadable();
  }

  /**
   * Makes sure of the tables, at the first verb or wake and after all storage was deleted.
   *
   * @throws {NewerSchemaError} {@link NotSqliteError} {@link NoAlarmError}
   */
  ready(): void {
    this.#tables.ready();
  }

  /** All storage is gone, tables and alarm included. */
  wiped(): void {
    this.adoption.wiped();
    this.envelopes.wiped();
    this.rolledBack();
  }

  /** Has `forget` called whenever what is in memory is no longer believed. */
  onForget(forget: () => void): void {
    this.#forgetters.push(forget);
  }

  /** What was written since some moment may be gone: nothing in memory is believed any more. */
  rolledBack(): void {
    this.#forgetRows();
    this.pending = undefined;
    this.letterCount = undefined;
    this.generation += 1;
    for (const forget of this.#forgetters) forget();
    this.adoption.rolledBack();
  }

  /** Before a transaction in which nobody else gets a turn; for {@link undo}. */
  mark(): MemoryMark {
    return {
      events: this.events.mark,
      generation: this.generation,
      areReady: this.#tables.areReady,
      pending: this.pending,
      letterCount: this.letterCount,
      noted: this.noted,
    };
  }

  /**
   * The transaction since the mark was rolled back, so the rows are again what they were, and so are their counts:
   * whatever fails, and however often, nothing is counted anew. What is a row or two to read is read again.
   */
  undo({ events, generation, areReady, pending, letterCount, noted }: MemoryMark): void {
    this.events.discard(events);
    this.#forgetRows();
    if (areReady) this.#tables.stayed();
    this.generation = generation;
    this.pending = pending;
    this.letterCount = letterCount;
    if (this.noted !== noted) for (const forget of this.#forgetters) forget();
    this.adoption.rolledBack();
  }

  #forgetRows(): void {
    this.#tables.forget();
    this.meta.forget();
    this.envelopes.forget();
    this.recurrences.forget();
    this.letters.forget();
    this.wake.forget();
  }

  /** Runs a transaction of the mailbox itself. When it fails, memory is what it was before. */
  commit<T>(write: () => T): T {
    const mark = this.mark();
    try {
      return this.storage.transactionSync(write);
    } catch (error) {
      this.undo(mark);
      throw error;
    }
  }

  /**
   * Runs a verb. When it fails because all tables were deleted by a handle that bypasses the mailbox,
   * nothing of it was done: they are made again, and it is run once more.
   */
  surviving<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof MailboxError || schemaVersion(this.storage, this.className) > 0) throw error;
      this.wiped();
      this.ready();
      return act();
    }
  }

  /** A row was added that is due at `due`. */
  added(due: number): void {
    this.movedTo(due);
    if (this.pending !== undefined) this.pending += 1;
  }

  /** Grows with every row that changes: a wake in which it stands still has done nothing. */
  get progress(): number {
    return this.generation + this.#steps;
  }

  step(): void {
    this.#steps += 1;
  }

  /** A row is now due at `due`: a drain that has selected later ones selects anew. */
  movedTo(due: number): void {
    this.#steps += 1;
    if (due <= this.selectedUntil) this.generation += 1;
  }

  /** A row was taken away or moved by something else than its own outcome. */
  changed(removed: number): void {
    this.generation += 1;
    this.#mayRest = true;
    this.removed(removed);
  }

  /** Rows left by their own outcome. */
  removed(count: number): void {
    this.#steps += count;
    if (this.pending !== undefined) this.pending -= count;
  }

  /** Whether the message of this id runs now. */
  runs(id: string): boolean {
    return this.running?.subject.kind === "message" && this.running.subject.id === id;
  }

  pendingCount(): number {
    this.envelopes.settleAcks();
    this.pending ??= this.envelopes.counts(0).pending;
    return this.pending;
  }

  /** The earliest moment at which anything is to be done, from the rows alone. */
  head(): number {
    if (!this.isReadable()) return NEVER;
    const oldestParked = this.envelopes.oldestParked();
    const oldestLetter = this.letters.oldest();
    return Math.min(
      this.paused
        ? NEVER
        : Math.min(
            this.envelopes.head() ?? NEVER,
            this.recurrences.head() ?? NEVER,
            this.letters.hookHead() ?? NEVER,
          ),
      this.meta.get("alarm")?.time ?? NEVER,
      // A run that died is charged at once.
      this.meta.get("lease")?.startedAt ?? NEVER,
      this.outboxHead(),
      oldestParked === undefined ? NEVER : this.isReleasing ? clockNow() : oldestParked + PARKED_AGE_MS,
      oldestLetter === undefined ? NEVER : this.retentionAt(oldestLetter),
      // What one page of retention has left of too many.
      (this.letterCount ?? 0) > (this.soundConfig?.retentionCount ?? NEVER) ? clockNow() : NEVER,
    );
  }

  /** Whether messages are parked whose type this code knows. */
  hasReleasable(): boolean {
    if (!this.isReadable() || this.envelopes.oldestParked() === undefined) return false;
    const handlers = this.soundConfig?.handlers;
    return handlers !== undefined && this.envelopes.parkedTypes().some((type) => handlers.has(type));
  }

  /** When the wake looks after a letter's age: a little later than its end, so that many go at once. */
  retentionAt(died: number): number {
    const retentionMs = this.soundConfig?.retentionMs ?? RETENTION_MS;
    return died + retentionMs + Math.min(RETENTION_SLACK_MS, Math.floor(retentionMs / 10));
  }

  /** Raises an event, and sees to it that it is told after its commit. */
  raise(event: Happening): void {
    this.events.raise(event);
    this.tellLater();
  }

  /** Commits what was written, lets others in, and goes on outside of any transaction of the user's. */
  async committed(): Promise<void> {
    do {
      await this.transactions.over();
      await this.storage.sync();
    } while (this.transactions.areOpen);
  }

  /** Tells what was raised, once it is committed. A drain tells at the end of each page by itself, unless it waits. */
  tellLater(): void {
    if (this.#isFlushPlanned || (this.wake.draining && !this.drainWaits)) return;
    this.#isFlushPlanned = true;
    void this.committed().then(
      () => {
        this.#isFlushPlanned = false;
        this.events.flush();
        if (this.#mayRest && this.isReadable()) this.wake.rest();
        this.#mayRest = false;
      },
      // Nothing was committed, and the object is being reset.
      () => {},
    );
  }

  #onHeal(alarm: number | null, head: number): void {
    this.healed += 1;
    // What was due may be what killed the object: it is leased when it runs next.
    const now = clockNow();
    if (head <= now) this.meta.set("suspiciousUntil", now);
    this.raise({ event: "healed", alarm, head });
  }
}

/** Where there is no SQL, some runtimes throw for the member, and others for each statement: here it is each statement. */
function sqlOf(storage: DurableObjectStorage): SqlStorage {
  try {
    return storage.sql;
  } catch (cause) {
    const none: object = {};
    return new Proxy(none as SqlStorage, {
      get: () => {
        throw cause;
      },
    });
  }
}
