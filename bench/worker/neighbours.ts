// The neighbours, by their public verbs. So that their drains need not be waited for, the bench moves
// the due times of what they hold into the past by hand, and sets the alarm.

import { Actor } from "@cloudflare/actors";
import { Agent } from "agents";
import { endTime, startTime } from "./fine-clock.ts";
import { Meter } from "./meter.ts";
import { payloadOf } from "./payloads.ts";
import type { Env } from "./env.ts";
import type { Rows, Spec } from "./spec.ts";

const HOUR_MS = 3_600_000;

/** One contestant's measurements: what it schedules, and how long that and its alarm take. */
class Measuring {
  handled = 0;
  readonly #ctx: DurableObjectState;
  readonly #meter: Meter | undefined;
  #expected = 0;
  #done: ((ms: number) => void) | undefined;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
    this.#meter = Meter.of(ctx);
  }

  /** Schedules n payloads, a second apart; milliseconds. */
  async enqueue(n: number, schedule: (at: Date) => Promise<unknown>): Promise<number> {
    await this.#ctx.storage.sync();
    this.#meter?.take();
    const due = Date.now() + 24 * HOUR_MS;
    const start = startTime();
    for (let index = 0; index < n; index += 1) await schedule(new Date(due + index * 1_000));
    await this.#ctx.storage.sync();
    return endTime() - start;
  }

  /** Drains what was enqueued, by a statement that makes it due: milliseconds, from the alarm's first line to the last commit. */
  async drain(n: number, makeDue: string): Promise<number> {
    const { storage } = this.#ctx;
    storage.sql.exec(makeDue);
    await storage.sync();
    this.#meter?.take();
    this.#expected = n;
    this.handled = 0;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#done = resolve;
    await storage.setAlarm(Date.now());
    return promise;
  }

  /** Around the contestant's alarm. */
  async around(alarm: () => Promise<unknown>): Promise<void> {
    const start = this.#done === undefined ? 0 : startTime();
    await alarm();
    if (this.#done === undefined || this.handled < this.#expected) return;
    await this.#ctx.storage.sync();
    this.#done(endTime() - start);
    this.#done = undefined;
  }

  rows(): Rows | undefined {
    return this.#meter?.take();
  }
}

export class AgentsContestant extends Agent<Env> {
  readonly #measuring = new Measuring(this.ctx);

  async ping(): Promise<void> {
    await this.schedule(new Date(Date.now() + HOUR_MS), "handle", {});
  }

  async handle(_payload: unknown): Promise<void> {
    this.#measuring.handled += 1;
  }

  async enqueue(spec: Spec): Promise<number> {
    await this.ping();
    const value = payloadOf(spec.payload, this.env.WEBHOOK);
    return this.#measuring.enqueue(spec.n, (at) => this.schedule(at, "handle", value));
  }

  /** Drains what `enqueue` of the same object has left. */
  drain(spec: Spec): Promise<number> {
    return this.#measuring.drain(spec.n, "UPDATE cf_agents_jobs SET time = time - 86400000 * 2");
  }

  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  rows(): Rows | undefined {
    return this.#measuring.rows();
  }

  override async alarm(): Promise<void> {
    await this.#measuring.around(() => super.alarm());
  }
}

export class ActorsContestant extends Actor<Env> {
  readonly #measuring = new Measuring(this.ctx);

  async ping(): Promise<void> {
    await this.alarms.schedule(new Date(Date.now() + HOUR_MS), "handle", {});
  }

  async handle(_payload: unknown): Promise<void> {
    this.#measuring.handled += 1;
  }

  async enqueue(spec: Spec): Promise<number> {
    await this.ping();
    const value = payloadOf(spec.payload, this.env.WEBHOOK);
    return this.#measuring.enqueue(spec.n, (at) => this.alarms.schedule(at, "handle", value));
  }

  /** Drains what `enqueue` of the same object has left. */
  drain(spec: Spec): Promise<number> {
    return this.#measuring.drain(spec.n, "UPDATE _actor_alarms SET time = time - 86400 * 2");
  }

  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  rows(): Rows | undefined {
    return this.#measuring.rows();
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await this.#measuring.around(async () => super.alarm(info));
  }
}
