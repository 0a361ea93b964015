// The JSON that the bench prints. Fields are only ever added.

import type { Compared } from "./stats.ts";
import type { Group } from "./works.ts";
import type { Rows } from "./worker/spec.ts";

export interface Size {
  readonly bytes: number;
  readonly gzip: number;
}

export interface Growth {
  readonly enqueue: number;
  readonly drain: number;
}

export interface Result {
  readonly enqueue: Readonly<Record<"small" | "medium" | "nested" | "rich" | "random", Group>>;
  readonly drain: Readonly<Record<"small" | "medium" | "rich" | "random", Group>>;
  readonly handlers: Readonly<Record<"plain" | "write" | "async" | "failing" | "againstCommits", Compared>>;
  /** Of the library, for one message from its send to its ack; of everybody under `contestants`. */
  readonly rows: {
    readonly written: number;
    readonly read: number;
    readonly contestants: Readonly<Record<string, { readonly enqueue: Rows; readonly drain: Rows }>>;
  };
  /** From 1,000 to 100,000 pending: how much more a message costs. */
  readonly growth: Growth & { readonly floor: Growth; readonly random: Growth; readonly randomFloor: Growth };
  readonly rpc: {
    readonly oneByOne: Compared;
    readonly concurrent: Compared;
    readonly sendAll: { readonly concurrentUs: number; readonly oursUs: number; readonly ratio: number };
    readonly sendAllSameTime: { readonly oursUs: number; readonly ratio: number };
  };
  readonly outbox: {
    readonly us: number;
    readonly rows: { readonly sender: Rows; readonly receiver: Rows };
    /** From one actor to as many new ones, a message each: µs for each of them. */
    readonly fanOutUs: number;
  };
  readonly recurrences: { readonly us: number; readonly rows: Rows };
  readonly lateness: Readonly<Record<"floorMs" | "oursMs" | "floorP95Ms" | "oursP95Ms", number>>;
  readonly memory: {
    readonly floorMiB?: number;
    readonly oursMiB?: number;
    readonly oursTenthMiB?: number;
  };
  readonly coldStart: { readonly floorMs: number; readonly oursMs: number };
  readonly bundle: Readonly<Record<string, Size>>;
  readonly machine: { readonly cpus: number; readonly model: string; readonly load: number };
  readonly seconds: number;
}

/** How much more a message costs at 100,000 pending than at 1,000. */
export function growthOf(
  groups: { readonly enqueue: Group; readonly drain: Group },
  side: "oursUs" | "floorUs",
): Growth {
  const of = ({ byPending }: Group): number => {
    const few = byPending["1000"]?.[side] ?? Number.NaN;
    const many = byPending["100000"]?.[side] ?? Number.NaN;
    return Number((many / few).toFixed(2));
  };
  return { enqueue: of(groups.enqueue), drain: of(groups.drain) };
}
