// After the load: recurrences that never end are ended, dead letters get their last rites, and all is
// waited for, until no mailbox and no outbox holds anything.

import { setTimeout as sleep } from "node:timers/promises";
import type { Asker } from "./asker.ts";
import { ACTORS } from "./actors.ts";
import type { Plan } from "./plan/plan.ts";
import type { Runtime } from "./runtime.ts";
import type { Question } from "./testimony.ts";

const PATIENCE_MS = 120_000;
/** Longer than a delay of the plan, and than a crashed run takes to be looked at again. */
const ALONE_MS = 6_000;
const FAR_MS = 60 * 60 * 1_000;

interface Stats {
  readonly pending: number;
  readonly outbox: number;
  readonly leased: number;
  readonly overdueMs: number;
  readonly nextWake?: number;
}

/** How late an actor is that nobody has called for a while. */
export interface Lateness {
  readonly actor: number;
  readonly at: number;
  readonly overdueMs: number;
}

/** An actor that has something to do still when all patience has ended. */
export interface Restless extends Omit<Stats, "overdueMs"> {
  readonly actor: number;
  readonly at: number;
}

/** What came of the waiting. */
export interface Drained {
  /** How late each actor was when nothing but its own alarm had woken it. */
  readonly lateness: readonly Lateness[];
  readonly restless: readonly Restless[];
}

/** @param names of recurrences that somebody has to end */
export async function drain(
  runtime: Runtime,
  asker: Asker,
  names: readonly string[],
  lastRites: Plan["lastRites"],
  say: (text: string) => void,
): Promise<Drained> {
  for (let actor = 0; actor < ACTORS; actor += 1) await answered(runtime, { verb: "resume", actor });
  await endAll(asker, names);
  // Nobody calls an actor now: only its own alarm can wake it.
  await sleep(ALONE_MS);
  const lateness: Lateness[] = [];
  for (let actor = 0; actor < ACTORS; actor += 1) {
    const at = Date.now();
    const { overdueMs } = await statsOf(runtime, actor);
    lateness.push({ actor, at, overdueMs });
  }
  say("nobody sends any more; waiting for what is pending");
  const before = await restlessAtLast(runtime, asker, names);
  if (before.length > 0) return { lateness, restless: before };
  const rites = [...lastRites];
  for (let actor = 0; actor < ACTORS; actor += 1) {
    for (const letter of await asker.lettersOf(actor)) {
      const rite = rites.shift() ?? "left";
      if (rite === "purged") await asker.purge(actor, letter);
      else if (rite !== "left") await asker.redrive(actor, letter, rite === "repaired");
    }
  }
  say("dead letters were redriven and purged; waiting again");
  return { lateness, restless: await restlessAtLast(runtime, asker, names) };
}

async function endAll(asker: Asker, names: readonly string[]): Promise<void> {
  for (const name of names)
    await until(async () => ((await asker.end(name)) ? true : undefined), `the end of ${name}`);
}

/**
 * Waits until two looks at all actors have found nothing, and nothing was printed between them.
 *
 * @returns whom it has waited for in vain
 */
async function restlessAtLast(
  runtime: Runtime,
  asker: Asker,
  names: readonly string[],
): Promise<readonly Restless[]> {
  const started = performance.now();
  let before = -1;
  for (let look = 1; ; look += 1) {
    const restless = await restlessOf(runtime);
    const isQuiet = restless.length === 0;
    const { printed } = runtime;
    if (isQuiet && printed === before) return [];
    before = isQuiet ? printed : -1;
    if (performance.now() - started > PATIENCE_MS) return restless;
    await sleep(250);
    // A declaration that came late by an outbox has begun a recurrence anew.
    if (!isQuiet && look % 10 === 0) await endAll(asker, names);
  }
}

async function restlessOf(runtime: Runtime): Promise<readonly Restless[]> {
  const restless: Restless[] = [];
  for (let actor = 0; actor < ACTORS; actor += 1) {
    const { pending, outbox, leased, nextWake } = await statsOf(runtime, actor);
    const at = Date.now();
    const isWoken = nextWake !== undefined && nextWake < at + FAR_MS;
    if (pending === 0 && outbox === 0 && leased === 0 && !isWoken) continue;
    restless.push({
      actor,
      at,
      pending,
      outbox,
      leased,
      ...(nextWake === undefined ? {} : { nextWake }),
    });
  }
  return restless;
}

async function statsOf(runtime: Runtime, actor: number): Promise<Stats> {
  return (await answered(runtime, { verb: "stats", actor })) as Stats;
}

/** Asks until it is answered: an actor that is being aborted answers nothing. */
async function answered(runtime: Runtime, question: Question): Promise<unknown> {
  const { value } = await until(async () => {
    const reply = await runtime.ask(question);
    return reply.kind === "answered" ? reply : undefined;
  }, `an answer to ${question.verb}`);
  return value;
}

async function until<T>(attempt: () => Promise<T | undefined>, what: string): Promise<T> {
  const started = performance.now();
  for (;;) {
    const result = await attempt();
    if (result !== undefined) return result;
    if (performance.now() - started > PATIENCE_MS) throw new Error(`Waited in vain for ${what}.`);
    await sleep(100);
  }
}
