// The floor: what the same work costs with a bare table and no library. Four columns, JSON.stringify,
// one INSERT; then pages of 100 and a DELETE for each row. No ids, no errors, no retries, no types.

import { DurableObject } from "cloudflare:workers";
import superjson from "superjson";
import { endTime, startTime } from "./fine-clock.ts";
import { Meter } from "./meter.ts";
import { dueTimes, payloadOf } from "./payloads.ts";
import type { Env } from "./env.ts";
import type { Rows, Spec } from "./spec.ts";

const HOUR_MS = 3_600_000;
const STEP = 1_000;

export class Floor extends DurableObject<Env> {
  readonly #meter = Meter.of(this.ctx);
  readonly #sql = this.ctx.storage.sql;
  #seq = 0;
  #handled = 0;
  #alarm: () => Promise<void> = async () => {};

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS messages (due INTEGER NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (due, seq)) WITHOUT ROWID",
    );
    this.#sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)");
    this.#meter?.take();
  }

  ping(): number {
    this.insert(Date.now() + HOUR_MS, "note", "{}");
    return this.#handled;
  }

  /** What a bare RPC does. */
  insert(due: number, type: string, payload: string): void {
    this.#sql.exec(
      "INSERT INTO messages (due, seq, type, payload) VALUES (?, ?, ?, ?)",
      due,
      (this.#seq += 1),
      type,
      payload,
    );
  }

  /** Writes n messages in one request; milliseconds. */
  async enqueue(spec: Spec): Promise<number> {
    const dues = dueTimes(spec.order, spec.n, Date.now() + 480 * HOUR_MS);
    const start = startTime();
    this.#fill(spec, dues);
    await this.ctx.storage.sync();
    return endTime() - start;
  }

  /** Handles n messages in a real alarm; milliseconds. */
  async drain(spec: Spec): Promise<number> {
    await this.fill(spec);
    return this.drainFilled(spec);
  }

  /** Writes n messages that are due. In steps, so that no memory is kept for it. */
  async fill(spec: Spec): Promise<void> {
    const dues = dueTimes(spec.order, spec.n, Date.now() - 1);
    for (let index = 0; index < spec.n; index += STEP) {
      this.#fill(spec, dues.slice(index, index + STEP));
      await this.ctx.storage.sync();
    }
  }

  async drainFilled(spec: Spec): Promise<number> {
    return this.#inAlarm(async () => {
      const start = startTime();
      await this.#drainAll(spec);
      await this.ctx.storage.sync();
      return endTime() - start;
    });
  }

  async lateness(): Promise<number> {
    const due = Date.now() + 15;
    const late = this.#atAlarm(due, async () => Date.now() - due);
    return late;
  }

  /** Gives the disk back. */
  async clear(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  rows(): Rows | undefined {
    return this.#meter?.take();
  }

  override alarm(): Promise<void> {
    return this.#alarm();
  }

  #fill({ payload, codec }: Spec, dues: readonly number[]): void {
    const value = payloadOf(payload, this.env.WEBHOOK);
    if (codec === "superjson") for (const due of dues) this.insert(due, "note", superjson.stringify(value));
    else for (const due of dues) this.insert(due, "note", JSON.stringify(value));
  }

  async #drainAll({ codec, handler, commits }: Spec): Promise<void> {
    const now = Date.now();
    for (;;) {
      const rows = [
        ...this.#sql
          .exec(
            "SELECT due, seq, type, payload FROM messages WHERE due <= ? ORDER BY due, seq LIMIT 100",
            now,
          )
          .raw<[number, number, string, string]>(),
      ];
      if (rows.length === 0) return;
      for (const [due, seq, , text] of rows) {
        const payload: unknown =
          codec === "none" ? text : codec === "json" ? JSON.parse(text) : superjson.parse(text);
        if (handler === "async") await this.#handleLater(payload);
        else this.#handle(payload, handler === "write");
        this.#sql.exec("DELETE FROM messages WHERE due = ? AND seq = ?", due, seq);
      }
      if (commits === true) await this.ctx.storage.sync();
    }
  }

  #handle(payload: unknown, isWriting: boolean): void {
    if (payload !== undefined) this.#handled += 1;
    if (isWriting) this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", "noted");
  }

  async #handleLater(payload: unknown): Promise<void> {
    if (payload !== undefined) this.#handled += 1;
  }

  #inAlarm<T>(run: () => Promise<T>): Promise<T> {
    return this.#atAlarm(Date.now(), run);
  }

  #atAlarm<T>(at: number, run: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#alarm = () => run().then(resolve, reject);
    void this.ctx.storage.setAlarm(at);
    return promise;
  }
}
