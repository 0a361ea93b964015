// Small questions about what JSON has said: whoever asks them believes nothing of a text before.

/** The largest time, in either direction, that a Date can hold. */
export const MAX_TIME_MS = 8.64e15;

/** What an object says, field by field. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether it is an object, and no list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether it is a number from `min` to `max`. */
export function isNumber(
  value: unknown,
  min: number = -Number.MAX_VALUE,
  max: number = Number.MAX_VALUE,
): value is number {
  return typeof value === "number" && value >= min && value <= max;
}

/** Whether a field is absent, or as it is to be. */
export function isAbsentOr(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** Whether it is a moment that a Date can hold, in epoch milliseconds. */
export function isTime(value: unknown): value is number {
  return isNumber(value, -MAX_TIME_MS, MAX_TIME_MS);
}

/** The JSON column of an object: null when nothing is set in it. */
export function formatColumn(value: object): string | null {
  const text = JSON.stringify(value);
  return text === "{}" ? null : text;
}

/** Reads a JSON column; undefined when it holds no JSON, or JSON of another shape. */
export function readColumn<T>(text: string, isShape: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isShape(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
