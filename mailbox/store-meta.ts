// The few single facts of an object: its epoch, whether it is paused, the user's alarm, the lease,
// and until when what is due is suspicious. Each is one row, read once and kept in memory until a
// rollback makes the memory doubtful.

import type { Sql } from "./schema.ts";

/** The mark written before a run that may kill the object. There is at most one, as one handler runs at a time. */
export interface Lease {
  /** What runs: a message, the hook of a dead letter, or the user's own alarm. */
  readonly kind: "message" | "hook" | "alarm";
  readonly id: string;
  readonly due: number;
  /** The number of the attempt that the lease counts. */
  readonly attempt: number;
  /** When the handler was about to be entered. */
  readonly startedAt: number;
}

/** The user's own alarm: its time, and how often it has failed. */
export interface UserAlarm {
  readonly time: number;
  readonly retry: number;
}

interface Meta {
  epoch: string;
  paused: true;
  alarm: UserAlarm;
  lease: Lease;
  suspiciousUntil: number;
}

type Name = keyof Meta;

export class MetaStore {
  readonly #sql: Sql;
  #cache: Map<string, string> | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get<N extends Name>(name: N): Meta[N] | undefined {
    const text = this.#all().get(name);
    if (text === undefined) return undefined;
    return (name === "epoch" ? text : JSON.parse(text)) as Meta[N];
  }

  set<N extends Name>(name: N, value: Meta[N]): void {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    this.#sql.exec(
      "INSERT INTO _mailbox_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      text,
    );
    this.#all().set(name, text);
  }

  /** Writes nothing when the fact is not there. */
  clear(name: Name): void {
    if (!this.#all().has(name)) return;
    this.#sql.exec("DELETE FROM _mailbox_meta WHERE name = ?", name);
    this.#all().delete(name);
  }

  /** Reads from disk again: after a rollback, and after all storage was deleted. */
  forget(): void {
    this.#cache = undefined;
  }

  #all(): Map<string, string> {
    if (this.#cache === undefined) {
      const rows = this.#sql
        .exec<{ name: string; value: string }>("SELECT name, value FROM _mailbox_meta")
        .toArray();
      this.#cache = new Map(rows.map((row) => [row.name, row.value]));
    }
    return this.#cache;
  }
}
