import { expect } from "vitest";
import { moveClock } from "./clock.ts";
import type { Scripted } from "./scripted.ts";

const DAY = 86_400_000;

/** Nothing may begin any more, however far the clock goes. */
export async function expectNoMore(box: Scripted, runs: () => number): Promise<void> {
  const before = runs();
  for (let n = 0; n < 3; n += 1) {
    moveClock(DAY);
    await box.drain();
  }
  expect(runs()).toBe(before);
  expect(await box.ref.stats()).toMatchObject({ pending: 0, deadLetters: 0, nextWake: undefined });
}
