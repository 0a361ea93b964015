// Sends messages on the five trips, and takes down what each calls.

import { setTimeout as sleep } from "node:timers/promises";
import type { Recording, Trips } from "./calls.ts";
import type { Runtime } from "./runtime.ts";
import { BACKOFF_MS, DELAY_MS } from "./times.ts";

const PATIENCE_MS = 60_000;
const POLL_MS = 50;
/** A trip has ended when nothing is under way, and for so many polls nothing more was called. */
const STILL_POLLS = 6;
/** To a first wake that is so late the object may have died meanwhile: it takes another way. */
const LATE_MS = 100;
const TRIES = 5;

/** The machine had something else to do, so what was recorded is not the trip that was meant. */
class DisturbedError extends Error {}

/** Begins anew, with new objects, when the machine was too busy for a wake to come in time. */
export async function makeTrips(runtime: Runtime): Promise<Trips> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return {
        ...(await deliver(runtime, `delivers-${attempt}`)),
        ...(await fail(runtime, `fails-${attempt}`)),
      };
    } catch (error) {
      if (!(error instanceof DisturbedError) || attempt === TRIES) throw error;
      console.error(`trace: ${error.message} Once more.`);
    }
  }
}

async function deliver(runtime: Runtime, object: string): Promise<Pick<Trips, "send" | "wake">> {
  await prepare(runtime, object);
  const dueAt = Date.now() + DELAY_MS;
  await runtime.ask("/note", { object });
  const send = await endOf(runtime, "send");
  const wake = await endOf(runtime, "wake", dueAt);
  return { send: send.calls, wake: wake.calls };
}

async function fail(runtime: Runtime, object: string): Promise<Pick<Trips, "failure" | "death" | "redrive">> {
  await prepare(runtime, object);
  const dueAt = Date.now() + DELAY_MS;
  const id = await runtime.ask<string>("/fail", { object });
  await endOf(runtime, "send");
  const failure = await endOf(runtime, "failure", dueAt);
  const death = await endOf(runtime, "death", (failure.ranAt[0] ?? dueAt) + BACKOFF_MS);
  if (!(await runtime.ask<boolean>("/redrive", { object, id })))
    throw new Error(`There is no dead letter of message ${id}, though its last attempt has failed.`);
  const redrive = await endOf(runtime, "redrive");
  return { failure: failure.calls, death: death.calls, redrive: redrive.calls };
}

/** Gives an object a message that is due long after: from then on it has tables, and an instance that has not woken. */
async function prepare(runtime: Runtime, object: string): Promise<void> {
  await runtime.ask("/prepare", { object });
  await endOf(runtime, "prepare");
}

/** Waits until a trip has ended, and takes what it has called. With a time it is a wake, whose handler runs then. */
async function endOf(runtime: Runtime, trip: string, dueAt?: number): Promise<Recording> {
  const runs = dueAt === undefined ? 0 : 1;
  const started = performance.now();
  let called = 0;
  for (let still = 0; still < STILL_POLLS;) {
    if (performance.now() - started > PATIENCE_MS)
      throw new Error(`The trip "${trip}" did not end within ${PATIENCE_MS} ms:\n${runtime.output()}`);
    await sleep(POLL_MS);
    const { calls, open, ranAt } = await runtime.ask<Recording>("/recorded");
    still = open === 0 && ranAt.length >= runs && calls.length === called ? still + 1 : 0;
    called = calls.length;
  }
  const recording = await runtime.ask<Recording>("/take");
  const { ranAt } = recording;
  if (ranAt.length !== runs)
    throw new DisturbedError(`In the trip "${trip}" handlers ran ${ranAt.length} times, not ${runs}.`);
  const late = (ranAt[0] ?? 0) - (dueAt ?? 0);
  if (dueAt !== undefined && late >= LATE_MS)
    throw new DisturbedError(`The trip "${trip}" began ${late} ms late.`);
  return recording;
}
