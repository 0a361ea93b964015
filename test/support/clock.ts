// A clock that a test holds in its hand. Only `Date` is faked: the platform's alarms go on by the real
// clock, so a test that moves this one drains by hand.

import { afterEach, vi } from "vitest";

/** Stops the clock until the test ends; answers the moment at which it stands. */
export function stopClock(at: number = Date.now()): number {
  vi.useFakeTimers({ toFake: ["Date"], now: at });
  return at;
}

/** Stops the clock so far ahead that no alarm of the platform fires by itself: only a drain by hand does. */
export function stopClockAhead(): number {
  return stopClock(Date.now() + 86_400_000);
}

/** Moves the stopped clock, also back. */
export function moveClock(ms: number): number {
  const at = Date.now() + ms;
  vi.setSystemTime(at);
  return at;
}

/** Starts the clock again after each test of a file. */
export function startClockAfterEach(): void {
  afterEach(() => {
    vi.useRealTimers();
  });
}
