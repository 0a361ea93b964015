// What answers a ref: one call in, one answer out. Arguments are parsed here and passed to the same
// verbs that the actor itself has, so that a ref can do nothing that they do not check.

import { acceptFromOutside } from "../lifecycle/accept.ts";
import { decodePayload, encodePayload } from "../payload/codec.ts";
import type { Engine } from "./submit.ts";
import { InvalidOptionError, UnsupportedCallError, UnsupportedVersionError } from "../errors.ts";
import { quote } from "../input.ts";
import { isIdLength } from "../message/id.ts";
import { takeBatch } from "../outbox/inbox.ts";
import { checkIncoming } from "../message/incoming.ts";
import { answering, parseCall, type UncheckedCall } from "../message/wire.ts";
import { purge, purgeAll, redrive, redriveAll, type Repair } from "./redrive.ts";
import { statsOf } from "./operate.ts";
import { cancel, get, reschedule } from "./cancel.ts";
import { parseTarget, type Target } from "../message/selector.ts";
import { storedLetter } from "../message/letter.ts";
import { lettersPage, outboxPage, parseFilter, pendingPage, recurrencesPage } from "./lists.ts";
import { parseMoment } from "../time/duration.ts";
import { now as clockNow } from "../time/clock.ts";
import { pause, resume } from "./pause.ts";

const MESSAGES_A_CALL = 10_000;

/** Answers one call of `mailboxCall`. Refusals are answers; only the platform's errors are thrown. */
export function answerCall(engine: Engine, text: unknown): Promise<string> {
  return answering(async () => {
    const value = await answer(engine, parseCall(text));
    // A host without an alarm() accepts, and is told only now that it never will be woken.
    const { arming } = engine.core.wake;
    if (arming !== undefined) await arming.then(() => engine.core.ready());
    return value;
  });
}

function answer(engine: Engine, call: UncheckedCall): unknown {
  if (call.verb === "accept")
    return engine.group.run(() => written(engine, () => acceptCalled(engine, call.messages)));
  if (call.verb === "deliver")
    return engine.group.run(() => written(engine, () => takeBatch(engine.core, call.batch)));
  engine.core.begin();
  if (typeof call.args !== "string") throw new UnsupportedCallError(`${call.verb} has no arguments.`);
  return answerVerb(engine, call, call.args);
}

/** Others may have waited for the same commit, and deleted all storage meanwhile. */
function written<T>(engine: Engine, write: () => T): T {
  engine.core.begin();
  return engine.core.surviving(write);
}

function acceptCalled(engine: Engine, messages: unknown): readonly string[] {
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MESSAGES_A_CALL) {
    throw new UnsupportedCallError(`A send is of 1 to ${MESSAGES_A_CALL} messages.`);
  }
  const checked = messages.map((message) => {
    const accepting = checkIncoming(engine.core.config, message);
    engine.checkType(accepting);
    return accepting;
  });
  return acceptFromOutside(engine.core, checked);
}

async function answerVerb(
  engine: Engine,
  { verb, call }: Pick<UncheckedCall, "verb" | "call">,
  args: string,
): Promise<string> {
  let list: unknown;
  try {
    list = decodePayload(args);
  } catch {
    // Text that our codec does not write; its error may be one of the end of the stack.
  }
  if (!Array.isArray(list)) throw new UnsupportedCallError(`${verb} was called without a list of arguments.`);
  // The answer is the codec's text as well: it may hold undefined, and moments of any kind.
  const [first, second]: unknown[] = list;
  const answer = engine.calls.answer(verb, first, call, () =>
    engine.core.surviving(() => verbs(engine, verb, first, second)),
  );
  return encodePayload(await answer);
}

function verbs(engine: Engine, verb: string, first: unknown, second: unknown): unknown {
  const { core, outbox, attempt } = engine;
  switch (verb) {
    case "cancel":
      return withTarget(first, false, (target) => cancel(core, attempt, target));
    case "reschedule": {
      const at = parseMoment(second, "at", clockNow());
      return withTarget(first, false, (target) => reschedule(core, attempt, target, at));
    }
    case "get":
      return withTarget(first, undefined, (target) => get(core, attempt, target));
    case "pending":
      return pendingPage(core, optionsOf(first));
    case "recurrences":
      return recurrencesPage(core, optionsOf(first));
    case "outbox":
      return outboxPage(core, optionsOf(first));
    case "deadLetters":
      return lettersPage(core, optionsOf(first));
    case "deadLetter": {
      const letter = core.letters.byId(idOf(first));
      return letter === undefined ? undefined : storedLetter(letter);
    }
    case "redrive":
      return redrive(core, outbox, idOf(first), repairOf(second));
    case "redriveAll":
      return redriveAll(core, outbox, parseFilter(optionsOf(first)));
    case "purge":
      return purge(core, idOf(first));
    case "purgeAll":
      return purgeAll(core, parseFilter(optionsOf(first)));
    case "pause":
      return pause(core);
    case "resume":
      return resume(core);
    case "stats":
      return statsOf(core);
    default:
      throw new UnsupportedVersionError(
        `mailboxCall knows no verb ${quote(verb)}; deploy the receiving Worker.`,
      );
  }
}

function withTarget<T>(which: unknown, otherwise: T, act: (target: Target) => T): T {
  const target = parseTarget(which);
  return target === undefined ? otherwise : act(target);
}

function optionsOf(value: unknown): object {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null) return value;
  throw new InvalidOptionError(`The options are ${quote(value)}; expected an object.`);
}

/** What is no id names nothing. */
function idOf(value: unknown): string {
  return typeof value === "string" && isIdLength(value) ? value : "";
}

/** A repair, as it came: its payload is encoded already. */
function repairOf(value: unknown): Repair {
  const { text, at, ...others }: { readonly text?: unknown; readonly at?: unknown } = optionsOf(value);
  if (Object.keys(others).length > 0) {
    throw new UnsupportedVersionError(
      `mailboxCall knows no way to redrive with ${Object.keys(others).slice(0, 5).join(", ")}; deploy the receiving Worker.`,
    );
  }
  if (text !== undefined && typeof text !== "string") throw new UnsupportedCallError("A payload is no text.");
  return {
    ...(text === undefined ? {} : { text }),
    ...(at === undefined ? {} : { at: parseMoment(at, "at", clockNow()) }),
  };
}
