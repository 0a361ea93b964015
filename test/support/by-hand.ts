// Moves an actor's time by hand: the clock is set, and the alarm is called as the platform would.

import { runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";

/** Sets the clock of the tests and of every object, and stops it there. */
export function setClock(at: Date | number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: at });
}

/** Lets the clock go on by itself again. */
export function releaseClock(): void {
  vi.useRealTimers();
}

/** Runs the alarm of an actor, without waiting for the platform's clock. */
export async function wake(stub: DurableObjectStub): Promise<void> {
  await runInDurableObject(stub, async (actor) => {
    await actor.alarm?.();
  });
}
