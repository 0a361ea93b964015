// Owns what a person may write as a cron expression, and what is said of what is none: the number and the
// form that were written, not a parser's inner ones. Dialects that would mean something else are refused.
// What is stored already is not asked: it is believed.

import { quote } from "../input.ts";

/** One field: its name, its smallest and largest value, and the names of values, from the smallest on. */
interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const MONTH_DAY: Field = { name: "day", min: 1, max: 31 };
const WEEKDAY: Field = { name: "day of the week", min: 0, max: 7, names: DAYS };
const FIELDS: readonly Field[] = [
  { name: "second", min: 0, max: 59 },
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  MONTH_DAY,
  { name: "month", min: 1, max: 12, names: MONTHS },
  WEEKDAY,
];

const NICKNAMES = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/** What is wrong with an expression whose fields are parted by single spaces; undefined when nothing is. */
export function faultOfCron(cron: string): string | undefined {
  if (/^(?:cron|rate|at)\(/i.test(cron)) {
    return "it is in the form of AWS; leave the word and the parentheses out, and the year at the end, or pass an interval by itself";
  }
  if (cron.startsWith("@")) {
    if (NICKNAMES.includes(cron.toLowerCase())) return undefined;
    return `it is none of ${NICKNAMES.join(", ")}; pass an interval by itself, such as "1 hour"`;
  }
  const parts = cron.split(" ");
  const fields = FIELDS.slice(parts.length === 5 ? 1 : 0);
  if (parts.length !== fields.length) {
    return `it has ${parts.length === 1 ? "one field" : `${parts.length} fields`}${parts.length === 7 ? "; leave the year out, because there is none here" : ""}`;
  }
  if (parts.length === 6 && (parts[2]?.includes("?") || parts[4]?.includes("?"))) {
    return "it has the six fields of AWS, of which the last is the year; leave the year out, because six fields here begin with the second";
  }
  for (const [index, field] of fields.entries()) {
    const fault = faultOfPart(parts[index] ?? "", field);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfPart(part: string, field: Field): string | undefined {
  const isDay = field === MONTH_DAY || field === WEEKDAY;
  if (part.includes("?")) {
    return part === "?" && isDay ? undefined : `? is only for a day; write * for every ${field.name}`;
  }
  if (field === MONTH_DAY && /^lw$/i.test(part)) return undefined;
  // A plus before days of the week: these and the days of the month, not one of the two.
  const items = (field === WEEKDAY ? part.replace(/^\+/, "") : part).split(",");
  for (const item of items) {
    const fault = faultOfItem(item, field);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfItem(item: string, field: Field): string | undefined {
  if (field === MONTH_DAY) {
    if (/^l$/i.test(item)) return undefined;
    const [, day] = item.match(/^(.+)w$/i) ?? [];
    if (day !== undefined) return faultOfValue(day, field);
  }
  if (field === WEEKDAY) {
    // The n-th of its kind in the month, or the last.
    const [, day] = item.match(/^(.+?)(?:#(?:[1-5]|l)|l)$/i) ?? [];
    if (day !== undefined) return faultOfValue(day, field);
  }
  const [, all, from = "", to, step] = item.match(/^(?:(\*)|([^-/]+)(?:-([^-/]+))?)(?:\/([^/]+))?$/) ?? [];
  if (all === undefined && from === "") return invalid(item, field);
  if (all === undefined) {
    const fault = faultOfValue(from, field) ?? (to === undefined ? undefined : faultOfValue(to, field));
    if (fault !== undefined) return fault;
    const first = valueOf(from, field) ?? 0;
    const last = to === undefined ? undefined : (valueOf(to, field) ?? 0);
    const end = field === WEEKDAY ? 6 : field.max;
    if (last !== undefined && first > last) {
      return `the range ${item} runs backwards; write it as two: ${first}-${end},${field.min}-${last}`;
    }
    if (step !== undefined && last === undefined) {
      return `the step of ${item} needs a range or *; write ${first}-${end}/${step}`;
    }
  }
  const size = field.max - field.min + 1;
  if (step === undefined || (/^\d+$/.test(step) && Number(step) >= 1 && Number(step) <= size))
    return undefined;
  return `the step of ${item} is ${step}; expected a whole number from 1 to ${size}`;
}

function faultOfValue(text: string, field: Field): string | undefined {
  return valueOf(text, field) === undefined ? invalid(text, field) : undefined;
}

function valueOf(text: string, { min, max, names = [] }: Field): number | undefined {
  const named = names.indexOf(text.toUpperCase());
  if (named >= 0) return min + named;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

function invalid(text: string, { name, min, max, names }: Field): string {
  const words = names === undefined ? "" : `, or ${names[0]} to ${names.at(-1)}`;
  return `Invalid value for ${name}: ${/^\d+$/.test(text) ? text : quote(text)}; expected ${min} to ${max}${words}`;
}
