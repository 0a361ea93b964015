// The calls of verbs that change something, remembered for a while: one whose answer is lost comes again, and is
// answered as it was. Memory of the instance is enough for most, because a call that was executed and lost its
// answer mostly finds the same instance. Where it does not, the verb is run again only if that cannot act twice.

import { UnreachableError } from "../errors.ts";
import { isRecurrenceId } from "../message/id.ts";
import type { VerbCall } from "../message/wire.ts";
import { now as clockNow } from "../time/clock.ts";

const REMEMBERED_MS = 60_000;
const REMEMBERED = 1_000;

/** Verbs that act on one message or letter, or on many. All others may be run as often as they are asked for. */
const ACTING: ReadonlySet<string> = new Set([
  "cancel",
  "reschedule",
  "redrive",
  "purge",
  "redriveAll",
  "purgeAll",
]);

interface Remembered {
  readonly at: number;
  readonly answer: Promise<unknown>;
}

export class Calls {
  readonly #remembered = new Map<string, Remembered>();

  /**
   * Runs a verb, unless this call of it was made before: then answers what came of that.
   *
   * @param first - the first argument, which says what it acts on
   * @throws {UnreachableError} when nobody knows whether it took effect, and it cannot be run again
   */
  async answer(
    verb: string,
    first: unknown,
    call: VerbCall | undefined,
    run: () => unknown,
  ): Promise<unknown> {
    if (call === undefined || !ACTING.has(verb)) return run();
    const known = this.#remembered.get(call.id);
    if (known !== undefined) return known.answer;
    if (call.isRepeat && !isOfOne(first)) throw forgotten(verb);
    // A refusal is remembered too: nothing was done, and nothing will be.
    const answer = (async () => run())();
    this.#remember(call.id, answer);
    const value = await answer;
    // The first may have done it, so that the second found nothing more to do.
    if (call.isRepeat && value !== true) throw forgotten(verb);
    return value;
  }

  #remember(id: string, answer: Promise<unknown>): void {
    const now = clockNow();
    for (const [oldest, { at }] of this.#remembered) {
      if (this.#remembered.size < REMEMBERED && now - at < REMEMBERED_MS) break;
      this.#remembered.delete(oldest);
    }
    this.#remembered.set(id, { at: now, answer });
    answer.catch(() => {});
  }
}

/** The id of a message or a letter names one for good. A key, and a recurrence, may be another's by now. */
function isOfOne(first: unknown): boolean {
  return typeof first === "string" && !isRecurrenceId(first);
}

function forgotten(verb: string): UnreachableError {
  return new UnreachableError(
    `An earlier try of ${verb} was not answered, and the actor does not remember it, so it may have taken effect; look at what is there, and call again if need be.`,
  );
}
