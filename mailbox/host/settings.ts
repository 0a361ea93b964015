// What can be configured, parsed once, at the first verb or wake: the fields of an actor exist only
// after its constructor has run.

import { atLeast, integer, optionalFunction } from "../message/check.ts";
import type { DeadLetter } from "../message/letter.ts";
import type { AnyMessages } from "../message/message-map.ts";
import type { Delivery } from "./delivery.ts";
import { InvalidOptionError, MailboxError, MisconfiguredError } from "../errors.ts";
import type { Audience, MailboxEvent } from "./events.ts";
import { checkNames, type Names, quote } from "../input.ts";
import { MAX_OUTBOX_AGE_MS } from "../message/wire.ts";
import { SMALLEST_INTERVAL_MS } from "../time/rule.ts";
import { type Handler, parseReceive, type Receive } from "./handlers.ts";
import { type Policy, POLICY_NAMES, parsePolicy, type StoredPolicy } from "../message/policy.ts";
import { storedError } from "../message/thrown.ts";
import { type Duration, parseDuration } from "../time/duration.ts";

/** How long and how many dead letters are kept. */
export interface Retention {
  /** Older letters are deleted. @default "30 days" */
  readonly age?: Duration;
  /** When there are more, the oldest are deleted. @default 10_000 */
  readonly count?: number;
}

/** The settings of a mailbox. */
export interface Settings {
  /** Refuses sends from outside while so many messages are pending. 1 or more. @default no bound */
  readonly maxPending?: number;
  /** The largest encoded payload, in UTF-8 bytes: 1 to 1,572,864. @default 524_288 */
  readonly maxPayloadBytes?: number;
  /** How long and how many dead letters are kept. */
  readonly retention?: Retention;
  /** The smallest interval that `sendEvery` accepts, 100 ms or more. @default "1 second" */
  readonly minInterval?: Duration;
  readonly outbox?: {
    /** A message that its target could not be given in this time becomes a dead letter; at most 30 days. @default "7 days" */
    readonly maxAge?: Duration;
    /** The most messages that wait for one target: 1 to 100,000. @default 100_000 */
    readonly maxRows?: number;
  };
  /** Told every event after its commit; a throw in it is swallowed and counted. */
  readonly onEvent?: (event: MailboxEvent) => void;
  /** Whether failures, and what stands still, are lines on the console: at most twenty a wake. @default true */
  readonly console?: boolean;
  /**
   * `"all"` publishes `accepted` and `delivered` on the diagnostics channel too, where a Tail Worker finds them; all else
   * is always published there. @default those two only where somebody in the isolate subscribes
   */
  readonly events?: "all";
}

/** Runs after a message became a dead letter; it may send, may run twice, and never changes the letter. */
export type OnDeadLetter<M extends object = AnyMessages> = (
  letter: DeadLetter<M>,
  delivery: Delivery,
) => unknown;

/** Everything a mailbox is told by the class it serves. */
export interface MailboxOptions<M extends object> extends Settings {
  readonly receive: Receive<M>;
  /** The policy of all handlers of this actor. */
  readonly policy?: Policy;
  readonly onDeadLetter?: OnDeadLetter<M>;
  /** The host's own alarm, set with `ctx.storage.setAlarm`; called with the platform's information. */
  readonly alarm?: ((info: AlarmInvocationInfo) => unknown) | undefined;
}

/** The options of a mailbox of whatever map. */
type OptionsOfAny = Omit<MailboxOptions<never>, "onDeadLetter"> & {
  readonly onDeadLetter?: (letter: never, delivery: Delivery) => unknown;
};

const RETENTION_NAMES: Names<Retention> = { age: true, count: true };
const OUTBOX_NAMES: Names<NonNullable<Settings["outbox"]>> = { maxAge: true, maxRows: true };
const SETTING_NAMES: Names<Settings> = {
  maxPending: true,
  maxPayloadBytes: true,
  retention: true,
  minInterval: true,
  outbox: true,
  onEvent: true,
  console: true,
  events: true,
};
const OPTION_NAMES: Names<MailboxOptions<never>> = {
  receive: true,
  policy: true,
  onDeadLetter: true,
  alarm: true,
  ...SETTING_NAMES,
};

/** The options, parsed. */
export interface Config {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly policy: StoredPolicy | undefined;
  readonly onDeadLetter: OnDeadLetter | undefined;
  readonly alarm: ((info: AlarmInvocationInfo) => unknown) | undefined;
  readonly maxPending: number;
  readonly maxPayloadBytes: number;
  readonly retentionMs: number;
  readonly retentionCount: number;
  readonly minIntervalMs: number;
  readonly outboxMaxAgeMs: number;
  readonly outboxMaxRows: number;
  readonly audience: Audience;
}

/** The most that `maxPayloadBytes` can be: production refuses rows over 2 MB, and a row is more than its payload. */
const PAYLOAD_LIMIT_BYTES = 1.5 * 1024 * 1024;

const OUTBOX_LIMIT_ROWS = 100_000;

/** How long dead letters are kept by default, in words and in milliseconds. */
const RETENTION = "30 days";
export const RETENTION_MS: number = parseDuration(RETENTION, "settings.retention.age");

/** Refuses names that are no settings; what they say is checked with the rest. @throws {InvalidOptionError} */
export function checkSettings(settings: Settings): Settings {
  checkNames(settings, SETTING_NAMES, "settings");
  return settings;
}

/** Whatever its class says of the mailbox; a function, because it is asked for after the class's own constructor. */
export type ReadOptions = () => OptionsOfAny;

/**
 * Asks the class for its options, and checks them. Getters and functions of the user's run here, so whatever is thrown
 * is a fault of the class.
 *
 * @throws {MisconfiguredError}
 */
export function readConfig(className: string, options: ReadOptions): Config {
  return reading(className, () => parseConfig(className, options()));
}

/** Whom to tell that the options are wrong: a listener can be right when all else is not. */
export function readAudience(options: ReadOptions): Audience {
  try {
    return audienceOf(options(), []);
  } catch {
    return { onEvent: undefined, console: true, allEvents: false, types: [] };
  }
}

function audienceOf(options: Settings, types: Iterable<string>): Audience {
  const { console = true, events } = options;
  if (typeof console !== "boolean") {
    throw new InvalidOptionError(`settings.console is ${quote(console)}; expected true or false.`);
  }
  if (events !== undefined && events !== "all") {
    throw new InvalidOptionError(`settings.events is ${quote(events)}; expected "all", or nothing.`);
  }
  return {
    onEvent: optionalFunction(options.onEvent, "settings.onEvent"),
    console,
    allEvents: events === "all",
    types,
  };
}

function reading<T>(className: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const { name, message } = storedError(cause);
    throw new MisconfiguredError(
      `${className} is misconfigured, so it delivers nothing and refuses every verb until a deploy mends it: ${cause instanceof MailboxError ? message : `${name}: ${message}`}`,
      { cause },
    );
  }
}

/** Checks and completes the options. @throws typed errors that name the setting */
function parseConfig(className: string, options: OptionsOfAny): Config {
  checkNames(options, OPTION_NAMES, "the options of the mailbox");
  const { policy, retention, outbox } = options;
  if (policy !== undefined) checkNames(policy, POLICY_NAMES, "policy");
  if (retention !== undefined) checkNames(retention, RETENTION_NAMES, "settings.retention");
  if (outbox !== undefined) checkNames(outbox, OUTBOX_NAMES, "settings.outbox");
  const handlers = parseReceive(options.receive);
  const retentionMs = parseDuration(retention?.age ?? RETENTION, "settings.retention.age");
  return {
    handlers,
    policy: policy === undefined ? undefined : parsePolicy(policy, "policy"),
    onDeadLetter: optionalFunction(options.onDeadLetter, "onDeadLetter") as OnDeadLetter | undefined,
    // Asked anew each time: a host may learn of its alarm only after its constructor.
    get alarm() {
      return reading(className, () => optionalFunction(options.alarm, "alarm"));
    },
    maxPending:
      options.maxPending === undefined
        ? Number.POSITIVE_INFINITY
        : integer(options.maxPending, "settings.maxPending", 1, Number.MAX_SAFE_INTEGER),
    maxPayloadBytes: integer(
      options.maxPayloadBytes ?? 512 * 1024,
      "settings.maxPayloadBytes",
      1,
      PAYLOAD_LIMIT_BYTES,
    ),
    retentionMs,
    retentionCount: integer(
      retention?.count ?? 10_000,
      "settings.retention.count",
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    minIntervalMs: atLeast(
      parseDuration(options.minInterval ?? "1 second", "settings.minInterval"),
      SMALLEST_INTERVAL_MS,
      "settings.minInterval",
    ),
    outboxMaxAgeMs: integer(
      parseDuration(outbox?.maxAge ?? "7 days", "settings.outbox.maxAge"),
      "settings.outbox.maxAge, in milliseconds,",
      1,
      MAX_OUTBOX_AGE_MS,
    ),
    outboxMaxRows: integer(
      outbox?.maxRows ?? OUTBOX_LIMIT_ROWS,
      "settings.outbox.maxRows",
      1,
      OUTBOX_LIMIT_ROWS,
    ),
    audience: audienceOf(options, [...handlers.keys()]),
  };
}
