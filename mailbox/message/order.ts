// The order of delivery, and how two lists in that order become one page.

/** What of a row says its place, and its size. */
interface Placed {
  readonly due: number;
  readonly id: string;
  readonly payload: string;
}

/** By due time, then by id: for one sender that is the order sent. */
export function compareDue(a: Placed, b: Placed): number {
  return a.due - b.due || (a.id < b.id ? -1 : 1);
}

/** The size of a list, in UTF-16 units of its payloads. */
export function unitsOf(rows: readonly Placed[]): number {
  return rows.reduce((sum, row) => sum + row.payload.length, 0);
}

/** Where a list was cut because of its size. From another list nothing may come that is behind this. */
export function cutOf<P extends Placed>(rows: readonly P[], maxUnits: number): P | undefined {
  return unitsOf(rows) >= maxUnits ? rows.at(-1) : undefined;
}

/** Whether a row is behind one of these. */
export function isBehind(row: Placed, cuts: readonly (Placed | undefined)[]): boolean {
  return cuts.some((cut) => cut !== undefined && cut.id !== row.id && compareDue(cut, row) < 0);
}
