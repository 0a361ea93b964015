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

/** Handles what is due in a real alarm; milliseconds, from the first line to the last commit. */
class DrainTimer {
  handled = 0;
  #expected = 0;
  #done: ((ms: number) => void) | undefined;

  async around(storage: DurableObjectStorage, alarm: () => Promise<unknown>): Promise<void> {
    const start = this.#done === undefined ? 0 : startTime();
    await alarm();
    if (this.#done === undefined || this.handled < this.#expected) return;
    await storage.sync();
    this.#done(endTime() - start);
    this.#done = undefined;
  }

  waitFor(n: number): Promise<number> {
    this.#expected = n;
    this.handled = 0;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#done = resolve;
    return promise;
  }
}

export class AgentsContestant extends Agent<Env> {
  readonly #meter = Meter.of(this.ctx);
  readonly #timer = new DrainTimer();

  async ping(): Promise<void> {
    await this.schedule(new Date(Date.now() + HOUR_MS), "handle", {});
  }

  async handle(_payload: unknown): Promise<void> {
    this.#timer.handled += 1;
  }

  async enqueue(spec: Spec): Promise<number> {
    await this.ping();
    await this.ctx.storage.sync();
    this.#meter?.take();
    const value = payloadOf(spec.payload, this.env.WEBHOOK);
    const due = Date.now() + 24 * HOUR_MS;
    const start = startTime();
    for (let index = 0; index < spec.n; index += 1)
      await this.schedule(new Date(due + index * 1_000), "handle", value);
    await this.ctx.storage.sync();
    return endTime() - start;
  }

  /** Drains what `enqueue` of the same object has left. */
  async drain(spec: Spec): Promise<number> {
    const { storage } = this.ctx;
    storage.sql.exec("UPDATE cf_agents_jobs SET time = time - 86400000 * 2");
    await storage.sync();
    this.#meter?.take();
    const done = this.#timer.waitFor(spec.n);
    await storage.setAlarm(Date.now());
    return done;
  }

  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  rows(): Rows | undefined {
    return this.#meter?.take();
  }

  override async alarm(): Promise<void> {
    await this.#timer.around(this.ctx.storage, () => super.alarm());
  }
}

export class ActorsContestant extends Actor<Env> {
  readonly #meter = Meter.of(this.ctx);
  readonly #timer = new DrainTimer();

  async ping(): Promise<void> {
    await this.alarms.schedule(new Date(Date.now() + HOUR_MS), "handle", {});
  }

  async handle(_payload: unknown): Promise<void> {
    this.#timer.handled += 1;
  }

  async enqueue(spec: Spec): Promise<number> {
    await this.ping();
    await this.ctx.storage.sync();
    this.#meter?.take();
    const value = payloadOf(spec.payload, this.env.WEBHOOK);
    const due = Date.now() + 24 * HOUR_MS;
    const start = startTime();
    for (let index = 0; index < spec.n; index += 1)
      await this.alarms.schedule(new Date(due + index * 1_000), "handle", value);
    await this.ctx.storage.sync();
    return endTime() - start;
  }

  /** Drains what `enqueue` of the same object has left. */
  async drain(spec: Spec): Promise<number> {
    const { storage } = this.ctx;
    storage.sql.exec("UPDATE _actor_alarms SET time = time - 86400 * 2");
    await storage.sync();
    this.#meter?.take();
    const done = this.#timer.waitFor(spec.n);
    await storage.setAlarm(Date.now());
    return done;
  }

  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  rows(): Rows | undefined {
    return this.#meter?.take();
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await this.#timer.around(this.ctx.storage, async () => super.alarm(info));
  }
}
