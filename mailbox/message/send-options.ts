// What a person passes to a send, parsed: type, payload, time and options become a message with an
// id. Refs and actors use the same code, so that both refuse the same things in the same words.

import { now as clockNow } from "../time/clock.ts";
import { encodePayload, VOID_PAYLOAD } from "../payload/codec.ts";
import type { Accepting, EnvelopeOptions, IfPending } from "./envelope.ts";
import { InvalidOptionError } from "../errors.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { checkKey, checkTypeName } from "./check.ts";
import { newId } from "./id.ts";
import { type Policy, POLICY_NAMES, parsePolicy } from "./policy.ts";
import { type Duration, type Moment, parseDuration, parseMoment } from "../time/duration.ts";

/** The options of `send`, `sendLater`, `sendIn` and of each entry of `sendAll`. */
export interface SendOptions extends Policy {
  /** At most one message of this type and key waits. 1 to 256 bytes of UTF-8. */
  readonly key?: string;
  /**
   * When a message of this type and key waits already: `keep` it and answer its id, or `replace` it.
   * @default "keep"
   */
  readonly ifPending?: IfPending;
  /** Not taken up after this: a moment, or a duration counted from the due time. */
  readonly expires?: Date | Duration;
}

/** One entry of `sendAll`. */
export type SendEntry<M extends object> = {
  readonly [T in keyof M & string]: SendOptions & {
    readonly type: T;
    readonly at?: Moment;
    readonly in?: Duration;
  } & (undefined extends M[T] ? { readonly payload?: M[T] } : { readonly payload: M[T] });
}[keyof M & string];

/** When a message is due. */
export type Timing =
  | { readonly kind: "now" }
  | { readonly kind: "at"; readonly at: unknown }
  | { readonly kind: "in"; readonly delay: unknown };

const OPTION_NAMES: Names<SendOptions> = { key: true, ifPending: true, expires: true, ...POLICY_NAMES };

/** Makes the message of one send. @throws typed errors that name what was wrong */
export function outgoing(
  timing: Timing,
  type: unknown,
  payload: unknown,
  options: SendOptions | undefined,
  now: number = clockNow(),
): Accepting {
  const checkedType = checkTypeName(type);
  const due = dueAt(timing, now);
  const text = payload === undefined ? VOID_PAYLOAD : encodePayload(payload);
  const immediate = timing.kind === "now";
  if (options === undefined) return { id: newId(now, due), due, type: checkedType, payload: text, immediate };
  const parsed = parseSendOptions(options, due, now);
  return { id: newId(now, due), due, type: checkedType, payload: text, immediate, ...parsed };
}

/** Makes the message of one entry of `sendAll`. */
export function outgoingEntry(entry: unknown, index: number): Accepting {
  if (typeof entry !== "object" || entry === null) {
    throw new InvalidOptionError(
      `sendAll's entry ${index} is no object; expected { type, payload, at? | in?, …options }.`,
    );
  }
  const { type, payload, at, in: delay, ...options } = entry as Record<string, unknown>;
  if (at !== undefined && delay !== undefined) {
    throw new InvalidOptionError(
      `sendAll's entry ${index} has both at and in; expected one of them or neither.`,
    );
  }
  const timing: Timing =
    at !== undefined ? { kind: "at", at } : delay !== undefined ? { kind: "in", delay } : { kind: "now" };
  const given = Object.keys(options).length === 0 ? undefined : (options as SendOptions);
  return outgoing(timing, type, payload, given);
}

function dueAt(timing: Timing, now: number): number {
  switch (timing.kind) {
    case "now":
      return now;
    case "at":
      return parseMoment(timing.at, "at", now);
    case "in":
      return now + parseDuration(timing.delay, "delay");
  }
}

function parseSendOptions(
  options: SendOptions,
  due: number,
  now: number,
): { key?: string; ifPending?: IfPending; options?: EnvelopeOptions } {
  checkNames(options, OPTION_NAMES, "the options");
  const { key, ifPending, expires, ...policy } = options;
  if (ifPending !== undefined && ifPending !== "keep" && ifPending !== "replace") {
    throw new InvalidOptionError(`ifPending is ${quote(ifPending)}; expected "keep" or "replace".`);
  }
  const stored = envelopeOptions(policy, expires, due, now);
  return {
    ...(key === undefined ? {} : { key: checkKey(key) }),
    ...(ifPending === undefined ? {} : { ifPending }),
    ...(stored === undefined ? {} : { options: stored }),
  };
}

/** The stored options of a policy and an expiry; undefined when nothing is set. */
function envelopeOptions(
  policy: Policy,
  expires: Date | Duration | undefined,
  due: number,
  now: number,
): EnvelopeOptions | undefined {
  const parsed = parsePolicy(policy, "the options");
  const expiresAt =
    expires === undefined
      ? undefined
      : expires instanceof Date
        ? parseMoment(expires, "expires", now)
        : due + parseDuration(expires, "expires");
  if (parsed === undefined && expiresAt === undefined) return undefined;
  return {
    ...(parsed === undefined ? {} : { policy: parsed }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
