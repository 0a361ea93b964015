// What is measured, in which sizes, and how often.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { bundle, Runtime, sizeOf } from "./runtime.ts";
import { type Compared, compare, median, round } from "./stats.ts";
import type { PayloadKind } from "./worker/payloads.ts";
import type { Rows, Spec } from "./worker/spec.ts";

type Contestant = "FLOOR" | "OURS" | "AGENTS" | "ACTORS";

export interface Neighbour {
  readonly us: number;
  /** Times what the library needs for the same. */
  readonly timesOurs: number;
}

export interface Measured extends Compared {
  readonly n: number;
  readonly neighbours: Readonly<Record<string, Neighbour>>;
}

export interface Group extends Measured {
  /** The same for other numbers of messages pending. */
  readonly byPending: Readonly<Record<string, Measured>>;
}

/** How many small messages a round has at least, whatever number of them an object holds. */
const SMALL_ROUND = 40_000;

const neighbours = { agents: "AGENTS", "@cloudflare/actors": "ACTORS" } as const;

export class Bench {
  readonly #runtime: Runtime;
  readonly #isFull: boolean;
  #objects = 0;

  constructor(runtime: Runtime, isFull: boolean) {
    this.#runtime = runtime;
    this.#isFull = isFull;
  }

  /** One work in several sizes; the figures on top are those of the middle one. */
  async group(
    work: "enqueue" | "drain",
    payload: PayloadKind,
    sizes: readonly number[],
    codec: Spec["codec"],
    isCompared: boolean,
    order: Spec["order"] = "asc",
  ): Promise<Group> {
    const byPending: Record<string, Measured> = {};
    for (const n of sizes) {
      const spec: Spec = { payload, n, order, handler: "noop", codec };
      byPending[n] = {
        ...(await this.one(work, spec)),
        n,
        neighbours: isCompared && (n === 1_000 || this.#isFull) ? await this.#neighbours(work, spec) : {},
      };
      if (isCompared && n === 1_000) {
        const more: Spec = { ...spec, n: 5_000 };
        byPending[5_000] = {
          ...(await this.one(work, more, 3)),
          n: 5_000,
          neighbours: payload === "small" || this.#isFull ? await this.#neighbours(work, more) : {},
        };
      }
    }
    const main = byPending[10_000] ?? byPending[sizes[0] ?? 0];
    if (main === undefined) throw new Error("A group needs a size.");
    const atThousand = byPending[1_000] ?? main;
    return { ...main, neighbours: atThousand.neighbours, byPending };
  }

  /** The floor and the library at one work. */
  one(work: "enqueue" | "drain", spec: Spec, rounds = roundsFor(spec)): Promise<Compared> {
    return compare(rounds, this.#side("FLOOR", work, spec), this.#side("OURS", work, spec));
  }

  /** Rows that a message costs, at each contestant, counted by the storage's cursors. */
  async rows(n: number): Promise<Record<string, unknown>> {
    const spec: Spec = { payload: "small", n, order: "asc", handler: "noop", codec: "json" };
    const counted: Record<string, { enqueue: Rows; drain: Rows }> = {};
    for (const [name, contestant] of Object.entries({ floor: "FLOOR", ours: "OURS", ...neighbours })) {
      const enqueued = this.#name("rows");
      await this.#runtime.call(contestant, enqueued, "enqueue", spec);
      const enqueue = await this.#runtime.call<Rows>(contestant, enqueued, "rows");
      const isOwn = contestant === "FLOOR" || contestant === "OURS";
      const drained = isOwn ? this.#name("rows") : enqueued;
      await this.#runtime.call(contestant, drained, "drain", spec);
      const both = await this.#runtime.call<Rows>(contestant, drained, "rows");
      // The floor counts what it was filled with, too.
      const drain =
        contestant === "FLOOR"
          ? { ...both, written: both.written - enqueue.written, read: both.read - enqueue.read }
          : both;
      counted[name] = { enqueue: perMessage(enqueue, n), drain: perMessage(drain, n) };
    }
    const { ours } = counted;
    return {
      written: round((ours?.enqueue.written ?? 0) + (ours?.drain.written ?? 0)),
      read: round((ours?.enqueue.read ?? 0) + (ours?.drain.read ?? 0)),
      contestants: counted,
    };
  }

  /** Sends from a Worker, µs each. */
  async rpc(): Promise<Record<string, unknown>> {
    const worker = (method: string, n: number) => async (): Promise<number> =>
      ((await this.#runtime.call<number>("WORKER", this.#name("rpc"), method, n)) * 1_000) / n;
    const oneByOne = await compare(3, worker("oneByOneFloor", 300), worker("oneByOneOurs", 300));
    const concurrent = await compare(5, worker("concurrentFloor", 1_000), worker("concurrentOurs", 1_000));
    const sendAll = await compare(5, worker("concurrentOurs", 1_000), worker("sendAll", 1_000));
    const sameTime = await compare(3, worker("concurrentOurs", 1_000), worker("sendAllSameTime", 1_000));
    return {
      oneByOne,
      concurrent,
      sendAll: { concurrentUs: sendAll.floorUs, oursUs: sendAll.oursUs, ratio: sendAll.ratio },
      sendAllSameTime: { oursUs: sameTime.oursUs, ratio: sameTime.ratio },
    };
  }

  /** From one actor to another through the outbox: until the last is handled. */
  async outbox(n: number): Promise<Record<string, unknown>> {
    const times: number[] = [];
    for (let index = 0; index < 3; index += 1)
      times.push(await this.#runtime.call<number>("WORKER", this.#name("outbox"), "outbox", n));
    const name = this.#name("rows");
    // Objects in use, as by `drain`: a late first wake of one that has never woken leases what it finds.
    for (const object of [name, `${name}-target`]) {
      await this.#runtime.call("OURS", object, "wakeOnce");
      await this.#runtime.call("OURS", object, "rows");
    }
    await this.#runtime.call("WORKER", name, "outbox", n);
    const sender = await this.#runtime.call<Rows>("OURS", name, "rows");
    const receiver = await this.#runtime.call<Rows>("OURS", `${name}-target`, "rows");
    return {
      us: round((median(times) * 1_000) / n),
      rows: { sender: perMessage(sender, n), receiver: perMessage(receiver, n) },
      fanOutUs: await this.#fanOut(300),
    };
  }

  /** From one actor to n others, a message each: µs until each has it. */
  async #fanOut(n: number): Promise<number> {
    return round(((await this.#runtime.call<number>("WORKER", this.#name("fan"), "fanOut", n)) * 1_000) / n);
  }

  async recurrences(n: number): Promise<Record<string, unknown>> {
    const times: number[] = [];
    for (let index = 0; index < 3; index += 1)
      times.push(await this.#runtime.call<number>("OURS", this.#name("every"), "recurrences", n));
    const name = this.#name("rows");
    await this.#runtime.call("OURS", name, "recurrences", n);
    const rows = await this.#runtime.call<Rows>("OURS", name, "rows");
    return { us: round((median(times) * 1_000) / n), rows: perMessage(rows, n) };
  }

  /** From the due time to the first line of the handler, in ms, one message at a time. */
  async lateness(n: number): Promise<Record<string, number>> {
    const floor: number[] = [];
    const ours: number[] = [];
    const names = [this.#name("late"), this.#name("late")] as const;
    for (let index = 0; index < n; index += 1) {
      floor.push(await this.#runtime.call<number>("FLOOR", names[0], "lateness"));
      ours.push(await this.#runtime.call<number>("OURS", names[1], "lateness"));
    }
    return {
      floorMs: median(floor),
      oursMs: median(ours),
      floorP95Ms: percentile(floor, 0.95),
      oursP95Ms: percentile(ours, 0.95),
    };
  }

  async #neighbours(work: "enqueue" | "drain", spec: Spec): Promise<Record<string, Neighbour>> {
    const found: Record<string, Neighbour> = {};
    for (const [name, contestant] of Object.entries(neighbours)) {
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let index = 0; index < (spec.n > 1_000 ? 1 : 3); index += 1) {
        ours.push(((await this.#object("OURS", work, spec)) * 1_000) / spec.n);
        theirs.push(((await this.#object(contestant, work, spec)) * 1_000) / spec.n);
      }
      found[name] = {
        us: round(median(theirs)),
        timesOurs: round(median(theirs.map((us, index) => us / (ours[index] ?? Number.NaN)))),
      };
    }
    return found;
  }

  /** One side of a comparison: µs a message, over as many objects as make a round long enough. */
  #side(contestant: Contestant, work: "enqueue" | "drain", spec: Spec): () => Promise<number> {
    return async () => {
      const objects = objectsFor(spec);
      let ms = 0;
      for (let index = 0; index < objects; index += 1) ms += await this.#object(contestant, work, spec);
      return (ms * 1_000) / (spec.n * objects);
    };
  }

  /**
   * Measures one object: milliseconds. It begins without garbage and ends with its own collected, in its
   * time: nobody pays for what others have left, and everybody for what they leave.
   */
  async #object(contestant: Contestant, work: "enqueue" | "drain", spec: Spec): Promise<number> {
    const object = this.#name("o");
    const isOwn = contestant === "FLOOR" || contestant === "OURS";
    // What is due cannot be sent to a neighbour without being handled at once: its drain moves the times itself.
    if (work === "drain") await this.#runtime.call(contestant, object, isOwn ? "fill" : "enqueue", spec);
    await this.#collectGarbage();
    const method = work === "drain" && isOwn ? "drainFilled" : work;
    const ms = await this.#runtime.call<number>(contestant, object, method, spec);
    const garbageMs = await this.#collectGarbage();
    await this.#runtime.call(contestant, object, "clear");
    return ms + garbageMs;
  }

  #collectGarbage(): Promise<number> {
    return this.#runtime.call("WORKER", "", "collectGarbage");
  }

  #name(prefix: string): string {
    return `${prefix}-${(this.#objects += 1)}`;
  }
}

/** Memory that a drain of a backlog of n × 4 KB needs at its peak, over what was there before: MiB. */
export async function memoryOf(
  folder: string,
  script: Uint8Array,
  contestant: "FLOOR" | "OURS",
  n: number,
): Promise<number | undefined> {
  const runtime = await Runtime.start(folder, script, ["FLOOR", "OURS", "AGENTS", "ACTORS"], {});
  try {
    if (runtime.memory() === undefined) return undefined;
    const spec = { payload: "4KB", order: "asc", handler: "noop", codec: "json" } as const;
    await runtime.call(contestant, "warm", "drain", { ...spec, n: 500 });
    await runtime.call(contestant, "backlog", "fill", { ...spec, n });
    runtime.resetPeak();
    const before = runtime.memory()?.now ?? 0;
    await runtime.call(contestant, "backlog", "drainFilled", { ...spec, n });
    return round((runtime.memory()?.peak ?? 0) - before);
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From the start of the process to the first answer of a new object, ms. */
export async function coldStart(folder: string, rounds: number): Promise<Record<string, number>> {
  const sides = [
    { name: "FLOOR", script: await bundle("bench/worker/cold-floor.ts", true), times: [] as number[] },
    { name: "OURS", script: await bundle("bench/worker/cold-ours.ts", true), times: [] as number[] },
  ] as const;
  for (let index = 0; index < rounds; index += 1) {
    for (const { name, script, times } of sides) {
      const path = join(folder, `${name}-${index}`);
      const started = performance.now();
      const runtime = await Runtime.start(path, script, [name], {});
      times.push(performance.now() - started);
      await runtime.stop();
    }
  }
  rmSync(folder, { recursive: true, force: true });
  return { floorMs: round(median(sides[0].times)), oursMs: round(median(sides[1].times)) };
}

/** What each entry point weighs. */
export async function bundles(): Promise<Record<string, unknown>> {
  return {
    ".": await sizeOf("actors/index.ts"),
    "./mailbox": await sizeOf("mailbox/index.ts"),
    agents: await sizeOf("bench/node_modules/agents/dist/index.js"),
    "@cloudflare/actors": await sizeOf("bench/node_modules/@cloudflare/actors/dist/core/src/index.js"),
  };
}

/** How many objects make a round, one after the other: enough for the clock, and for the machine's moods. */
function objectsFor({ n, payload }: Spec): number {
  return payload === "small" && n >= 5_000 ? Math.max(1, Math.round(SMALL_ROUND / n)) : 1;
}

/** Most for the sizes that have a target: a single round can be off by a third. */
function roundsFor({ n, payload }: Spec): number {
  if (n > 10_000) return 3;
  if (n < 10_000) return 5;
  return payload === "rich" ? 15 : 11;
}

function perMessage({ read, written, setAlarm }: Rows, n: number): Rows {
  return { read: round(read / n), written: round(written / n), setAlarm };
}

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}
