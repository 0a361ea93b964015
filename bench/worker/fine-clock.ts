// Time inside workerd comes in whole milliseconds. To measure less, this waits for the next tick and
// counts how far it was away, against how much it can count in one.

let spinsPerMs = 0;

function spinToTick(): { spins: number; at: number } {
  const before = performance.now();
  let spins = 0;
  for (;;) {
    const at = performance.now();
    if (at !== before) return { spins, at };
    spins += 1;
  }
}

/** The beginning of a measurement: waits for a tick, so that it is exact. */
export function startTime(): number {
  spinToTick();
  // The fullest of three ticks is the one in which the machine did least else.
  for (let round = 0; round < 3; round += 1) spinsPerMs = Math.max(spinsPerMs * 0.98, spinToTick().spins);
  return performance.now();
}

/** The end of a measurement, in fractions of a millisecond. */
export function endTime(): number {
  const { spins, at } = spinToTick();
  return at - Math.min(1, spins / spinsPerMs);
}
