// The few single facts of an object: whether it is paused, the user's alarm, the lease, and until when what is due is suspicious. Each is one row, read once and kept in memory until a
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

/** The user's own alarm. */
export interface UserAlarm {
  /** When it runs next. */
  readonly time: number;
  /** How often it has failed. */
  readonly retry: number;
  /** The time that it was set for; absent until it has failed, because it is then `time`. */
  readonly askedFor?: number;
  /** Set by the alarm while it ran: tells it from the one that runs, for the same time too. */
  readonly anew?: number;
}

interface Meta {
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
    return JSON.parse(text) as Meta[N];
  }

  set<N extends Name>(name: N, value: Meta[N]): void {
    const text = JSON.stringify(value);
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
