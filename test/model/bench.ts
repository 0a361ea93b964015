// The real mailbox under the model test: an actor whose handlers do what their plan says and write down
// what they did, and the platform's part, played by hand: when the alarm fires, and again after a crash.

import { vi } from "vitest";
import { type Delivery, RetryAfterError, type SendOptions } from "../../actors/index.ts";
import { actor, type Scripted, type ScriptedActor } from "../support/scripted.ts";
import type { Entry, Lease } from "./model.ts";
import type { EverySpec, Spec, Step } from "./plan.ts";
import { byId, type View } from "./view.ts";

const OK: Step = { do: "ok" };
const HANG_MS = 5;
const NO_OP = (): void => {};

export interface Fired {
  readonly entries: readonly Entry[];
  readonly crashed: boolean;
  readonly suspiciousUntil: number;
}

export class Bench {
  readonly actor: Scripted;
  now: number;
  /** Every message's plan by its label, recurrences as messages. */
  readonly specs = new Map<number, Spec>();
  /** Everything that may be cancelled by id. */
  readonly ids: string[] = [];
  #log: Entry[] = [];
  readonly #entries = new Map<number, number>();
  #isFresh = true;
  #rerun: { readonly scheduledTime: number; readonly retryCount: number } | undefined;

  constructor(now: number) {
    this.now = now;
    this.actor = actor((self) => ({
      settings: { minInterval: 100 },
      receive: {
        sync: (payload, delivery) => {
          const entry = this.#enter(payload, delivery);
          this.#act(self, entry);
          return this.#finish(self, entry.step, delivery);
        },
        async: async (payload, delivery) => {
          const entry = this.#enter(payload, delivery);
          await this.#actLater(self, entry);
          return this.#finishLater(self, entry.step, delivery);
        },
        lazy: (payload, delivery) => {
          const entry = this.#enter(payload, delivery);
          this.#act(self, entry);
          return this.#finishLater(self, entry.step, delivery);
        },
      },
    }));
  }

  advance(ms: number): void {
    this.now += ms;
    vi.setSystemTime(this.now);
  }

  /** Notes a message's plan; answers its label. */
  label(spec: Spec): number {
    this.specs.set(this.specs.size, spec);
    return this.specs.size - 1;
  }

  labelEvery({ kind, maxAttempts, backoff, steps }: EverySpec): number {
    return this.label({ kind, when: { at: "now" }, maxAttempts, backoff, steps, acts: [] });
  }

  optionsOf(spec: Spec): SendOptions {
    const { key, ifPending, maxAttempts, backoff, expires, steps } = spec;
    return {
      maxAttempts,
      backoff,
      ...(key === undefined ? {} : { key }),
      ...(ifPending === undefined ? {} : { ifPending }),
      ...(expires === undefined ? {} : { expires }),
      ...(steps.some((step) => step.do === "hang") ? { timeout: HANG_MS } : {}),
    };
  }

  /** Sends from inside; answers the id that the send gave. */
  send(self: ScriptedActor, label: number, spec: Spec): string {
    const options = this.optionsOf(spec);
    const { when, kind } = spec;
    const id =
      when.at === "now"
        ? self.send(kind, { label }, options)
        : when.at === "later"
          ? self.sendLater(new Date(this.now + when.by), kind, { label }, options)
          : self.sendIn(when.by, kind, { label }, options);
    this.ids.push(id);
    return id;
  }

  /** Ends the instance, as hibernation or as a crash does. */
  async end(how: "evict" | "crash"): Promise<void> {
    this.#isFresh = true;
    if (how === "evict") {
      // The platform's own eviction waits for timers, and one looks after an alarm that is late. With all on disk, an
      // abort ends an instance just so.
      await this.actor
        .inside(async ({ state }) => {
          await state.storage.sync();
          state.abort("evicted");
        })
        .catch(NO_OP);
    } else await this.actor.inside((self) => self.state.abort("crash")).catch(NO_OP);
  }

  /** The platform fires the alarm if its time has come. */
  async fire(isRestart: boolean): Promise<Fired | undefined> {
    const armed = await this.actor.inside(({ realStorage }) => realStorage.getAlarm());
    const rerun = this.#rerun?.scheduledTime === armed ? this.#rerun : undefined;
    this.#rerun = undefined;
    // After a crash the platform waits two seconds, and a restarted one knows nothing of its retries.
    if (rerun !== undefined) this.advance(isRestart ? 150 : 2_000);
    if (armed === null || armed > this.now) return undefined;
    const retryCount = rerun === undefined || isRestart ? 0 : rerun.retryCount;
    const late = this.now - armed;
    const isSuspicious = retryCount > 0 || late >= 1_500 || (this.#isFresh && late >= 100);
    const suspiciousUntil = isSuspicious ? this.now : Number.NEGATIVE_INFINITY;
    this.#isFresh = false;
    this.#log = [];
    const info = { scheduledTime: armed, retryCount, isRetry: retryCount > 0 };
    try {
      await this.actor.drain(info);
    } catch (error) {
      if (this.#log.at(-1)?.step.do !== "crash") throw error;
      this.#isFresh = true;
      this.#rerun = { scheduledTime: armed, retryCount: retryCount + 1 };
      return { entries: this.#log, crashed: true, suspiciousUntil };
    }
    // The platform deletes the alarm that fired, unless another was set.
    await this.actor.inside(async ({ realStorage }) => {
      if ((await realStorage.getAlarm()) === armed) await realStorage.deleteAlarm();
    });
    return { entries: this.#log, crashed: false, suspiciousUntil };
  }

  /** What is there. */
  view(): Promise<View> {
    return this.actor.inside(async ({ mailbox, realStorage }) => {
      const limit = 1_000;
      const { paused } = mailbox.stats();
      const lease = realStorage.sql
        .exec<{ value: string }>("SELECT value FROM _mailbox_meta WHERE name = 'lease'")
        .toArray()[0];
      const { id, attempt, due } = JSON.parse(lease?.value ?? "{}") as Partial<Lease>;
      return {
        pending: mailbox.pending({ limit }).items.map(({ id, dueAt, attempts, key, errors }) => ({
          id,
          due: dueAt,
          attempt: attempts,
          key: key ?? null,
          errors: errors.length,
        })),
        letters: mailbox
          .deadLetters({ limit })
          .items.map(({ id, reason, attempts, errors, diedAt }) => ({
            id,
            reason,
            attempts,
            errors: errors.length,
            died: diedAt,
          }))
          .sort(byId),
        everies: mailbox
          .recurrences({ limit })
          .items.map(({ id, nextAt, lastAt, delivered, dead, skipped }) => ({
            id,
            next: nextAt ?? null,
            last: lastAt ?? null,
            delivered,
            dead,
            skipped,
          }))
          .sort(byId),
        paused,
        lease: id === undefined || attempt === undefined || due === undefined ? null : { id, attempt, due },
        armed: await realStorage.getAlarm(),
      };
    });
  }

  #enter(payload: unknown, delivery: Delivery): Entry {
    const { label } = payload as { readonly label: number };
    const count = this.#entries.get(label) ?? 0;
    this.#entries.set(label, count + 1);
    const step = this.specs.get(label)?.steps[count] ?? OK;
    const { id, attempt, dueAt } = delivery;
    const entry: Entry = { id, label, attempt, dueAt, step, acts: [] };
    this.#log.push(entry);
    if (!this.ids.includes(id)) this.ids.push(id);
    return entry;
  }

  #act(self: ScriptedActor, entry: Entry): void {
    if (entry.step.do === "crash") return;
    for (const index of this.specs.get(entry.label)?.acts.keys() ?? []) this.#actOne(self, entry, index);
  }

  async #actLater(self: ScriptedActor, entry: Entry): Promise<void> {
    if (entry.step.do === "crash") return;
    for (const index of this.specs.get(entry.label)?.acts.keys() ?? []) {
      this.#actOne(self, entry, index);
      await Promise.resolve();
    }
  }

  #actOne(self: ScriptedActor, entry: Entry, index: number): void {
    const act = this.specs.get(entry.label)?.acts[index];
    switch (act?.act) {
      case "send": {
        const label = this.label(act.spec);
        const id = this.send(self, label, act.spec);
        entry.acts.push({ answer: id, id, label });
        return;
      }
      case "cancel": {
        const id = this.pickId(act.pick);
        entry.acts.push({ answer: self.cancel(id), id });
        return;
      }
      case "reschedule": {
        const id = this.pickId(act.pick);
        entry.acts.push({ answer: self.mailbox.reschedule(id, new Date(this.now + act.by)), id });
        return;
      }
      case "pause":
        self.mailbox.pause();
        entry.acts.push({ answer: true });
        return;
      case undefined:
    }
  }

  pickId(pick: number): string {
    return this.ids[pick % Math.max(1, this.ids.length)] ?? "none";
  }

  #finish(self: ScriptedActor, step: Step, delivery: Delivery): undefined {
    if (step.do === "ok") return undefined;
    if (step.do === "defer") {
      delivery.defer(step.ms);
      return undefined;
    }
    if (step.do === "crash") self.state.abort("crash");
    throw errorOf(step);
  }

  async #finishLater(self: ScriptedActor, step: Step, delivery: Delivery): Promise<void> {
    if (step.do === "ok") return;
    if (step.do === "hang") await new Promise(NO_OP);
    if (step.do === "crash") {
      if (step.synced) await self.state.storage.sync();
      self.state.abort("crash");
      await new Promise(NO_OP);
    }
    this.#finish(self, step, delivery);
  }
}

function errorOf(step: Step): Error {
  const error = new Error(step.do);
  if (step.do === "reject") error.name = "NonRetryableError";
  return step.do === "retryAfter" ? new RetryAfterError(step.ms) : error;
}
