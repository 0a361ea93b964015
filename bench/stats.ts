// Medians and ratios of rounds that alternate, so that both sides meet the same machine.

/** The middle of some numbers; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Rounded to three significant digits, for people. */
export function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(3)) : value;
}

/** What a comparison found: µs a message, and the median of the ratios of the rounds. */
export interface Compared {
  readonly floorUs: number;
  readonly oursUs: number;
  readonly ratio: number;
  /** The smallest and the largest ratio of a round. */
  readonly spread: readonly [number, number];
}

/** Runs both sides in turn, once unmeasured, and compares them round by round. Sides answer µs. */
export async function compare(
  rounds: number,
  floor: () => Promise<number>,
  ours: () => Promise<number>,
): Promise<Compared> {
  const measured: { floor: number; ours: number }[] = [];
  for (let index = -1; index < rounds; index += 1) {
    // Who goes first changes too.
    const isFloorFirst = index % 2 === 0;
    const first = isFloorFirst ? await floor() : await ours();
    const second = isFloorFirst ? await ours() : await floor();
    if (index < 0) continue;
    measured.push(isFloorFirst ? { floor: first, ours: second } : { floor: second, ours: first });
  }
  const ratios = measured.map(({ floor, ours }) => ours / floor);
  return {
    floorUs: round(median(measured.map(({ floor }) => floor))),
    oursUs: round(median(measured.map(({ ours }) => ours))),
    ratio: round(median(ratios)),
    spread: [round(Math.min(...ratios)), round(Math.max(...ratios))],
  };
}
