// The few single facts of an object: whether it is paused, the user's alarm, the lease, and until when
// what is due is suspicious. Each is one row, read once and kept in memory until a rollback makes the
// memory doubtful. One that something else has written is as if it were not there; but who has paused
// a mailbox wants it paused, whatever the row says.

import type { Sql } from "./schema.ts";
import { isAbsentOr, isFields, isNumber, isText, readColumn } from "../json.ts";

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

/** What can be known. */
export type FactName = keyof Meta;

const shapes: { readonly [N in FactName]: (value: unknown) => value is Meta[N] } = {
  paused: (value) => value === true,
  alarm: isAlarm,
  lease: isLease,
  suspiciousUntil: (value): value is number => isNumber(value),
};

/** What stands for a fact whose row cannot be read. */
const insteads: { readonly [N in FactName]?: Meta[N] } = { paused: true };

const NAMES: readonly FactName[] = ["paused", "alarm", "lease", "suspiciousUntil"];
const NONE: readonly FactName[] = [];

export class MetaStore {
  readonly #sql: Sql;
  #cache: Map<string, string> | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get<N extends FactName>(name: N): Meta[N] | undefined {
    const text = this.#all().get(name);
    if (text === undefined) return undefined;
    return readColumn<Meta[N]>(text, shapes[name]) ?? insteads[name];
  }

  /** The facts whose rows are there and say nothing. */
  unreadable(): readonly FactName[] {
    if (this.#all().size === 0) return NONE;
    return NAMES.filter((name) => this.#all().has(name) && this.get(name) === undefined);
  }

  set<N extends FactName>(name: N, value: Meta[N]): void {
    const text = JSON.stringify(value);
    this.#sql.exec(
      "INSERT INTO _mailbox_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      name,
      text,
    );
    this.#all().set(name, text);
  }

  /** Writes nothing when the fact is not there. */
  clear(name: FactName): void {
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

function isLease(value: unknown): value is Lease {
  if (!isFields(value)) return false;
  const { kind, id, due, attempt, startedAt }: Partial<Record<keyof Lease, unknown>> = value;
  return (
    (kind === "message" || kind === "hook" || kind === "alarm") &&
    isText(id) &&
    [due, attempt, startedAt].every((number) => isNumber(number))
  );
}

function isAlarm(value: unknown): value is UserAlarm {
  if (!isFields(value)) return false;
  const { time, retry, askedFor, anew }: Partial<Record<keyof UserAlarm, unknown>> = value;
  return (
    isNumber(time) &&
    isNumber(retry, 0) &&
    isAbsentOr(askedFor, (at) => isNumber(at)) &&
    isAbsentOr(anew, (count) => isNumber(count))
  );
}
