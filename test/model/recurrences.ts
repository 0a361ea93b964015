// The model's recurrences: one present occurrence each, and what becomes of planned times that passed.

import type { Message } from "./message.ts";
import type { EverySpec } from "./plan.ts";

export interface Every {
  readonly id: string;
  label: number;
  spec: EverySpec;
  readonly startAt: number | undefined;
  /** Planned times are counted from it. Without a start, an interval keeps the one it got first. */
  readonly anchor: number;
  planned: number;
  last: number | undefined;
  delivered: number;
  dead: number;
  skipped: number;
  ended: boolean;
  /** The present occurrence is a message of its own. */
  detached: boolean;
  /** What it was before missed occurrences were skipped: a wake that ended early has not looked at all. */
  untaken?: { readonly planned: number; readonly skipped: number } | undefined;
}

const CAUGHT_UP = 1_000;

/** The present occurrence, as a message. */
export function present({ id, label, spec, planned }: Every): Message {
  const { kind, maxAttempts, backoff } = spec;
  const plain = { attempt: 0, key: null, expiresAt: undefined, suspicious: false, earlier: 0, errors: 0 };
  return {
    ...plain,
    id: `${id}@${planned}`,
    label,
    kind,
    due: planned,
    maxAttempts,
    backoff,
    recurrence: id,
  };
}

/** What a declaration leads to: nothing, another payload and policy, or other times. */
export function replan(
  before: Every | undefined,
  id: string,
  label: number,
  spec: EverySpec,
  now: number,
): { every: Every; isSame: boolean } {
  const startAt = spec.startIn === undefined ? undefined : now + spec.startIn;
  const times = ({ every, times }: EverySpec, start: number | undefined): string =>
    JSON.stringify([every, times, start]);
  if (before !== undefined && times(before.spec, before.startAt) === times(spec, startAt)) {
    return { every: { ...before, label, spec }, isSame: true };
  }
  const { every } = spec;
  const isKept = before !== undefined && before.startAt === undefined && before.spec.every === every;
  const anchor = startAt ?? (isKept ? before.anchor : now);
  const after = startAt !== undefined && startAt >= now ? startAt - 1 : now;
  const planned = anchor + (Math.floor((after - anchor) / every) + 1) * every;
  const fresh = { delivered: 0, dead: 0, skipped: 0, ended: false, detached: false };
  return {
    every: { ...fresh, id, label, spec, startAt, anchor, planned, last: before?.last },
    isSame: false,
  };
}

/** Skips what `missed` says when the present occurrence is looked at. */
export function takeUp(every: Every, now: number): void {
  const { spec, planned, skipped } = every;
  if (every.ended || every.detached || planned > now) return;
  const count = Math.floor((now - planned) / spec.every);
  if (count === 0) return;
  const untaken = { planned, skipped };
  switch (spec.missed) {
    case "latest":
      move(every, planned + count * spec.every, count);
      break;
    case "skip":
      move(every, planned + (count + 1) * spec.every, count + 1);
      break;
    case "all":
      if (count >= CAUGHT_UP)
        move(every, planned + (count + 1 - CAUGHT_UP) * spec.every, count + 1 - CAUGHT_UP);
      break;
  }
  if (every.planned !== planned) every.untaken = untaken;
}

/** As it was before {@link takeUp}. */
export function putBack(every: Every): void {
  Object.assign(every, every.untaken, { untaken: undefined });
}

export function skipPresent(every: Every): void {
  move(every, every.planned + every.spec.every, 1);
}

/** Moves on from the present occurrence, or ends. */
export function advance(every: Every, end: "delivered" | "dead"): void {
  every[end] += 1;
  every.last = every.planned;
  every.detached = false;
  every.untaken = undefined;
  if (every.spec.times !== undefined && every.delivered + every.dead >= every.spec.times) every.ended = true;
  else every.planned += every.spec.every;
}

function move(every: Every, planned: number, skipped: number): void {
  every.planned = planned;
  every.skipped += skipped;
  every.detached = false;
  every.untaken = undefined;
}
