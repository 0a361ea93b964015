// What can be seen of a mailbox from outside, of the real one and of the model, in one form.

import type { Lease, Model } from "./model.ts";
import { present, putBack, takeUp } from "./recurrences.ts";

export interface View {
  readonly pending: readonly {
    readonly id: string;
    readonly due: number;
    readonly attempt: number;
    readonly key: string | null;
    readonly errors: number;
  }[];
  readonly letters: readonly {
    readonly id: string;
    readonly reason: string;
    readonly attempts: number;
    readonly errors: number;
    readonly died: number;
  }[];
  readonly everies: readonly {
    readonly id: string;
    readonly next: number | null;
    readonly last: number | null;
    readonly delivered: number;
    readonly dead: number;
    readonly skipped: number;
  }[];
  readonly paused: boolean;
  readonly lease: Lease | null;
  /** The object's real alarm. */
  readonly armed: number | null;
}

export const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : 1;
const inOrder = (a: { due: number; id: string }, b: { due: number; id: string }): number =>
  a.due - b.due || byId(a, b);

function viewOf({ state }: Model): Omit<View, "armed"> {
  const everies = [...state.everies.values()];
  const presents = everies.filter((every) => !every.ended && !every.detached).map((every) => present(every));
  return {
    pending: [...state.pending.values(), ...presents]
      .map(({ id, due, attempt, key, errors }) => ({ id, due, attempt, key, errors }))
      .sort(inOrder),
    letters: [...state.letters.values()]
      .map(({ message: { id, errors }, reason, attempts, died }) => ({ id, reason, attempts, errors, died }))
      .sort(byId),
    everies: everies
      .map((every) => ({
        id: every.id,
        next: every.ended ? null : every.planned,
        last: every.last ?? null,
        delivered: every.delivered,
        dead: every.dead,
        skipped: every.skipped,
      }))
      .sort(byId),
    paused: state.paused,
    lease: state.lease ?? null,
  };
}

/**
 * Compares the model with what is there; a text says where they differ. Missed occurrences may have
 * been skipped already or not yet: a wake that ended early has not looked at all recurrences.
 */
export function sameAsView(model: Model, view: Omit<View, "armed">): string | undefined {
  for (const every of model.state.everies.values()) {
    const seen = view.everies.find(({ id }) => id === every.id);
    if (seen === undefined || seen.next === every.planned) continue;
    if (seen.next === every.untaken?.planned) putBack(every);
    else takeUp(every, model.now);
  }
  const expected = viewOf(model);
  for (const part of Object.keys(expected) as (keyof typeof expected)[]) {
    const [a, e] = [view[part], expected[part]].map((value) => JSON.stringify(value));
    if (a !== e) return `${part}:\n  is        ${a}\n  should be ${e}`;
  }
  return undefined;
}

const RETENTION_MS = 30 * 24 * 3_600_000 + 3_600_000;

/** When the mailbox next has something to do. */
export function headOf({ state, now }: Model): number {
  const everies = [...state.everies.values()].filter((every) => !every.ended && !every.detached);
  const dues = [...state.pending.values(), ...everies.map((every) => present(every))].map(({ due }) => due);
  return Math.min(
    ...(state.paused ? [] : dues),
    ...[...state.letters.values()].map(({ died }) => died + RETENTION_MS),
    state.lease === undefined ? Number.POSITIVE_INFINITY : now,
  );
}
