// The library, as anybody would use it, by its public verbs.

import { DurableObject } from "cloudflare:workers";
import { Mailbox } from "../../mailbox/index.ts";
import { endTime, startTime } from "./fine-clock.ts";
import { Meter } from "./meter.ts";
import { dueTimes, payloadOf } from "./payloads.ts";
import type { Env } from "./env.ts";
import type { Rows, Spec } from "./spec.ts";

const HOUR_MS = 3_600_000;
const STEP = 1_000;

type Messages = {
  noop: unknown;
  write: unknown;
  async: unknown;
  fail: unknown;
  late: unknown;
};

export class Ours extends DurableObject<Env> {
  readonly #meter = Meter.of(this.ctx);
  readonly mailbox: Mailbox<Messages> = new Mailbox<Messages>(this.ctx, this.env, {
    receive: {
      noop: () => {
        this.#handled += 1;
      },
      write: () => {
        this.#handled += 1;
        this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", "noted");
      },
      async: async () => {
        this.#handled += 1;
      },
      fail: {
        backoff: "10 hours",
        handle: () => {
          if ((this.#handled += 1) % 100 === 0) throw new Error("one in a hundred");
        },
      },
      late: (_, { dueAt }) => {
        this.#handled += 1;
        this.#lateMs = Date.now() - dueAt;
      },
    },
  });
  #handled = 0;
  #expected = 0;
  #lateMs = 0;
  #isTimed = false;
  #started = 0;
  #done: ((ms: number) => void) | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)");
  }

  ping(): string {
    return this.mailbox.sendLater(Date.now() + HOUR_MS, "noop", {});
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    if (this.#isTimed && this.#started === 0) this.#started = startTime();
    await this.mailbox.wake(info);
    if (this.#handled < this.#expected || this.#done === undefined) return;
    await this.ctx.storage.sync();
    const ms = this.#isTimed ? endTime() - this.#started : 0;
    const done = this.#done;
    this.#done = undefined;
    done(ms);
  }

  mailboxCall(call: string): Promise<string> {
    return this.mailbox.call(call);
  }

  /** A first wake, as an object in use has behind it: a later one is not taken for the re-run of a crash. */
  async wakeOnce(): Promise<void> {
    const done = this.#waitFor(1, false);
    this.mailbox.send("noop", {});
    await done;
  }

  /** Sends n messages for a later time in one request; milliseconds. */
  async enqueue(spec: Spec): Promise<number> {
    this.ping();
    await this.ctx.storage.sync();
    this.#meter?.take();
    const value = payloadOf(spec.payload, this.env.WEBHOOK);
    const dues = dueTimes(spec.order, spec.n, Date.now() + 480 * HOUR_MS);
    const start = startTime();
    for (const due of dues) this.mailbox.sendLater(due, "noop", value);
    await this.ctx.storage.sync();
    return endTime() - start;
  }

  /** Delivers n messages in a real alarm; milliseconds from its first line to the last commit. */
  async drain(spec: Spec): Promise<number> {
    await this.fill(spec);
    return this.drainFilled(spec);
  }

  /** Sends n messages that are due and wait, because the mailbox is paused. */
  async fill(spec: Spec): Promise<void> {
    await this.wakeOnce();
    const value = payloadOf(spec.payload, this.env.WEBHOOK);
    this.mailbox.pause();
    for (const [index, due] of dueTimes(spec.order, spec.n, Date.now() - 1).entries()) {
      this.mailbox.sendLater(due, spec.handler, value);
      if (index % STEP === 0) await this.ctx.storage.sync();
    }
    await this.ctx.storage.sync();
    this.#meter?.take();
  }

  async drainFilled(spec: Spec): Promise<number> {
    const done = this.#waitFor(spec.n, true);
    this.mailbox.resume();
    return done;
  }

  /** n recurrences, due at the same moment: milliseconds for one occurrence of each. */
  async recurrences(n: number): Promise<number> {
    await this.wakeOnce();
    const startAt = Date.now() + 1_500;
    for (let index = 0; index < n; index += 1)
      this.mailbox.sendEvery("10 hours", "noop", { n: index }, { key: `k${index}`, startAt });
    await this.ctx.storage.sync();
    this.#meter?.take();
    return this.#waitFor(n, true);
  }

  async lateness(): Promise<number> {
    const done = this.#waitFor(1, false);
    this.mailbox.sendIn(15, "late", {});
    await done;
    return this.#lateMs;
  }

  /** Sends to another actor, all in one commit. */
  relay(to: string, n: number): void {
    const other = this.mailbox.ref<Messages>(this.env.OURS, to);
    const value = payloadOf("small", undefined);
    for (let index = 0; index < n; index += 1) other.send("noop", value);
  }

  /** Sends one message to each of n others, all in one commit. */
  fanOut(prefix: string, n: number): void {
    for (let index = 0; index < n; index += 1)
      this.mailbox.ref<Messages>(this.env.OURS, `${prefix}-${index}`).send("noop", {});
  }

  /** Messages on their way to others. */
  outgoing(): number {
    return this.mailbox.stats().outbox;
  }

  /** Resolves when n messages have been handled since it was called. */
  async receive(n: number): Promise<void> {
    await this.#waitFor(n, false);
  }

  /** Gives the disk back. */
  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  rows(): Rows | undefined {
    return this.#meter?.take();
  }

  #waitFor(n: number, isTimed: boolean): Promise<number> {
    this.#expected = n;
    this.#handled = 0;
    this.#started = 0;
    this.#isTimed = isTimed;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#done = resolve;
    return promise;
  }
}
