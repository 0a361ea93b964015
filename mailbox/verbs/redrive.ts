// Repairing dead letters: back into the mailbox or the outbox with the id they had, or away for good.

import { now as clockNow } from "../time/clock.ts";
import { decodePayload, encodePayload } from "../payload/codec.ts";
import { formatOptions, keptHistory, parseOptions, readOptions, wrongOf } from "../message/columns.ts";
import type { Core } from "../host/context.ts";
import { rest } from "../host/rest.ts";
import type { EnvelopeOptions, LetterRow } from "../message/envelope.ts";
import { InvalidPayloadError, MailboxError, UnknownTypeError, UnreadableRowError } from "../errors.ts";
import { applySchema } from "../host/handlers.ts";
import { movedFlag } from "../message/id.ts";
import { checkNames, type Names } from "../input.ts";
import { checkSize } from "../message/incoming.ts";
import { acceptingOf, type Outbox, readOutboxOptions } from "../outbox/outbox.ts";
import { freeKey } from "../lifecycle/settle.ts";
import { acceptedRow } from "../store/envelopes.ts";
import type { LetterFilter } from "../store/dead-letters.ts";
import { type Moment, parseMoment } from "../time/duration.ts";

/** How a letter goes back. */
export interface RedriveOptions<P = unknown> {
  /** Another payload than the one that died, checked like that of a send. @default that of the letter, also for `undefined` */
  readonly payload?: P;
  /** When it is due. @default now, or its own time where that is still to come */
  readonly at?: Moment;
}

const REDRIVE_NAMES: Names<RedriveOptions> = { payload: true, at: true };

/** The repair, with its payload encoded where it was asked for. */
export interface Repair {
  readonly text?: string;
  readonly at?: number;
}

const PAGE = 100;
const PAGE_BYTES = 1024 * 1024;

/** Checks the options of a redrive. @throws typed errors */
export function repairOf(options: RedriveOptions): Repair {
  checkNames(options, REDRIVE_NAMES, "the options");
  return {
    // What is undefined, as a look-up that found nothing, must not wipe out the payload that is there.
    ...(options.payload === undefined ? {} : { text: encodePayload(options.payload) }),
    ...(options.at === undefined ? {} : { at: parseMoment(options.at, "at", clockNow()) }),
  };
}

/** Puts one letter back, in one commit; whether there was one. @throws typed errors when it could not be handled */
export function redrive(core: Core, outbox: Outbox, id: string, repair: Repair): boolean {
  const letter = core.letters.byId(id);
  if (letter === undefined) return false;
  const payload = repair.text ?? letter.payload;
  checkOptions(letter);
  if (letter.target === null) checkReadable(core, letter, payload);
  if (repair.text !== undefined) checkSize(core.config, payload);
  if (letter.target !== null) outbox.checkRoom(letter.target, 1);
  core.commit(() => putBack(core, outbox, letter, payload, repair.at ?? Math.max(clockNow(), letter.due)));
  return true;
}

function putBack(core: Core, outbox: Outbox, letter: LetterRow, payload: string, due: number): void {
  core.letters.delete(letter.id);
  if (core.letterCount !== undefined) core.letterCount -= 1;
  const history = keptHistory(letter.history, letter.attempts, clockNow());
  if (letter.target !== null) {
    // The letter of a declaration has an id of its own.
    const id = letter.recurrence ?? letter.id;
    const { options, ...message } = acceptingOf({ ...letter, id, payload, due });
    const { expiresAt: _expiresAt, ...kept } = options ?? {};
    const { locationHint } = readOutboxOptions(letter.options) ?? {};
    outbox.write(
      letter.target,
      { ...message, immediate: false, ...(Object.keys(kept).length === 0 ? {} : { options: kept }) },
      {
        earlierAttempts: letter.attempts,
        ...(history === null ? {} : { history }),
        ...(locationHint === undefined ? {} : { locationHint }),
      },
    );
  } else {
    const { expiresAt: _expiresAt, defers: _defers, ...kept } = parseOptions(letter.options);
    const options: EnvelopeOptions = {
      ...kept,
      earlierAttempts: letter.attempts,
      ...(letter.reason === "crashed" ? { suspicious: true as const } : {}),
    };
    const row = {
      ...acceptedRow({ id: letter.id, due, type: letter.type, payload, immediate: false }, due),
      moved: movedFlag(letter.id, due),
      key: letter.key,
      options: formatOptions(options),
      history,
    };
    core.envelopes.insert({ ...row, key: freeKey(core, row) });
    core.added(due);
    if (!core.paused) core.wake.arm(due);
  }
  core.raise({ event: "redriven", id: letter.id, type: letter.type });
}

/** A letter does not go back without what its message was sent with. @throws {UnreadableRowError} */
function checkOptions({ id, options, target }: LetterRow): void {
  if (options === null) return;
  const read = target === null ? readOptions(options) : readOutboxOptions(options);
  if (read !== undefined) return;
  throw new UnreadableRowError(
    `The column options of the dead letter ${id} cannot be read, because ${wrongOf(options)}; repair it in _mailbox_dead_letters, or set it to NULL, then redrive the letter.`,
  );
}

/** A letter goes back only if it can be handled: else it would be here again at once. */
function checkReadable(core: Core, letter: LetterRow, payload: string): void {
  const handler = core.config.handlers.get(letter.type);
  if (handler === undefined) {
    throw new UnknownTypeError(
      `The dead letter ${letter.id} is of type ${letter.type}, which receive has no handler for; deploy one, or purge the letter.`,
    );
  }
  let value: unknown;
  try {
    value = decodePayload(payload);
  } catch (cause) {
    throw new InvalidPayloadError(
      `The payload of the dead letter ${letter.id} cannot be read; redrive it with another: redrive(id, { payload }).`,
      { cause },
    );
  }
  if (handler.schema !== undefined) applySchema(handler.schema, letter.type, value);
}

/** Deletes one letter; whether there was one. */
export function purge(core: Core, id: string): boolean {
  if (!core.letters.delete(id)) return false;
  if (core.letterCount !== undefined) core.letterCount -= 1;
  core.raise({ event: "purged", id });
  return true;
}

/**
 * Puts back all letters that match and died before the call, in pages; how many went. One that cannot go stays a
 * letter, and is not counted: it is unreadable, of an unknown type, or its target's outbox is full.
 *
 * @throws what the platform throws: the pages before are committed then
 */
export function redriveAll(core: Core, outbox: Outbox, filter: LetterFilter): Promise<number> {
  return forAll(core, filter, (id) => {
    try {
      return redrive(core, outbox, id, {});
    } catch (error) {
      if (!(error instanceof MailboxError)) throw error;
      return false;
    }
  });
}

/** Deletes all letters that match and died before the call, in pages; how many were deleted. */
export function purgeAll(core: Core, filter: LetterFilter): Promise<number> {
  return forAll(core, filter, (id) => purge(core, id));
}

async function forAll(core: Core, filter: LetterFilter, act: (id: string) => boolean): Promise<number> {
  const diedBefore = Math.min(filter.diedBefore ?? Number.POSITIVE_INFINITY, clockNow() + 1);
  let before = { died: Number.MAX_SAFE_INTEGER, id: "" };
  let done = 0;
  for (;;) {
    const page = core.letters.places(before, { ...filter, diedBefore }, PAGE, PAGE_BYTES);
    const last = page.at(-1);
    if (last === undefined) return done;
    for (const { id } of page) if (act(id)) done += 1;
    before = last;
    await rest(core);
  }
}
