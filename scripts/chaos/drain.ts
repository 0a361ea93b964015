// After the load: recurrences that never end are ended, dead letters get their last rites, and all is
// waited for, until no mailbox and no outbox holds anything.

import { setTimeout as sleep } from "node:timers/promises";
import type { Asker } from "./asker.ts";
import { CLERKS } from "./parcel.ts";
import type { Plan } from "./plan.ts";
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

/** @returns how late each actor was when nothing but its own alarm had woken it */
export async function drain(
  runtime: Runtime,
  asker: Asker,
  keys: readonly string[],
  lastRites: Plan["lastRites"],
  say: (text: string) => void,
): Promise<Lateness[]> {
  for (let actor = 0; actor < CLERKS; actor += 1) await answered(runtime, { verb: "resume", actor });
  await endAll(asker, keys);
  // Nobody calls an actor now: only its own alarm can wake it.
  await sleep(ALONE_MS);
  const lateness: Lateness[] = [];
  for (let actor = 0; actor < CLERKS; actor += 1) {
    const at = Date.now();
    const { overdueMs } = await statsOf(runtime, actor);
    lateness.push({ actor, at, overdueMs });
  }
  say("nobody sends any more; waiting for what is pending");
  if (!(await isQuietAtLast(runtime, asker, keys))) return lateness;
  const rites = [...lastRites];
  for (let actor = 0; actor < CLERKS; actor += 1) {
    for (const letter of await asker.lettersOf(actor)) {
      const rite = rites.shift() ?? "left";
      if (rite === "purged") await asker.purge(actor, letter);
      else if (rite !== "left") await asker.redrive(actor, letter, rite === "repaired");
    }
  }
  say("dead letters were redriven and purged; waiting again");
  await isQuietAtLast(runtime, asker, keys);
  return lateness;
}

async function endAll(asker: Asker, keys: readonly string[]): Promise<void> {
  for (const key of keys)
    await until(async () => ((await asker.end(key)) ? true : undefined), `the end of ${key}`);
}

/**
 * Waits until two looks at all actors have found nothing, and nothing was printed between them. What it
 * cannot wait for is for the books to say: it is pending still.
 */
async function isQuietAtLast(runtime: Runtime, asker: Asker, keys: readonly string[]): Promise<boolean> {
  const started = performance.now();
  let before = -1;
  for (let look = 1; ; look += 1) {
    const isQuiet = await isAllQuiet(runtime);
    const { printed } = runtime;
    if (isQuiet && printed === before) return true;
    before = isQuiet ? printed : -1;
    if (performance.now() - started > PATIENCE_MS) return false;
    await sleep(250);
    // A declaration that came late by an outbox has begun a recurrence anew.
    if (!isQuiet && look % 10 === 0) await endAll(asker, keys);
  }
}

async function isAllQuiet(runtime: Runtime): Promise<boolean> {
  for (let actor = 0; actor < CLERKS; actor += 1) {
    const { pending, outbox, leased, nextWake } = await statsOf(runtime, actor);
    if (pending > 0 || outbox > 0 || leased > 0) return false;
    if (nextWake !== undefined && nextWake < Date.now() + FAR_MS) return false;
  }
  return true;
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
