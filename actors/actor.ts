// The base class: wires a mailbox to the object's alarm and RPC, and gives its verbs short names. It
// holds no logic of its own.

import { DurableObject } from "cloudflare:workers";
import { checkSettings, type GivenNamespace, type RefOptions } from "../mailbox/internal.ts";
import {
  type ActorRef,
  Mailbox,
  type OnDeadLetter,
  type Policy,
  type Receive,
  ReservedNameError,
  type SendAll,
  type SendEvery,
  type SendIn,
  type SendLater,
  type Send,
  type Settings,
  type Which,
} from "../mailbox/index.ts";
import type { Carries, CarriesSome, MapOf } from "./carries.ts";

/** The members that an actor needs for itself. Own properties, so that no caller over RPC can reach them. */
const RESERVED = ["ref", "send", "sendLater", "sendIn", "sendEvery", "sendAll", "cancel", "mailbox"] as const;

/** Makes a handle on another actor of a namespace: typed by its class, or by a map that is given. */
export interface RefVerb {
  <A extends Rpc.DurableObjectBranded & CarriesSome>(
    namespace: DurableObjectNamespace<A>,
    to: string | DurableObjectId,
    options?: RefOptions,
  ): ActorRef<MapOf<A>>;
  <M extends object>(
    namespace: GivenNamespace,
    to: string | DurableObjectId,
    options?: RefOptions,
  ): ActorRef<M>;
}

/**
 * A Durable Object with a persistent mailbox. Extend it with the bindings and the message map, write
 * `receive`, and bind the class as SQLite-backed (`new_sqlite_classes`).
 */
export abstract class Actor<Env, M extends object> extends DurableObject<Env> implements Carries<M> {
  declare readonly "~messages"?: M;

  /** One handler for each type of the message map. Read after construction, at the first verb or wake. */
  protected abstract readonly receive: Receive<M>;
  /** The policy of all handlers of this actor. */
  protected readonly policy?: Policy;
  protected readonly settings?: Settings;
  /** Runs after a message became a dead letter. */
  protected readonly onDeadLetter?: OnDeadLetter<M>;

  /** What cannot be hidden by a member of a subclass. */
  readonly #mailbox: Mailbox<M>;

  /** Every verb of the mailbox. */
  protected readonly mailbox: Mailbox<M>;
  protected readonly send: Send<M, "sync">;
  protected readonly sendLater: SendLater<M, "sync">;
  protected readonly sendIn: SendIn<M, "sync">;
  protected readonly sendEvery: SendEvery<M, "sync">;
  protected readonly sendAll: SendAll<M, "sync">;
  protected readonly cancel: (which: Which<M>) => boolean;
  /** A handle on another actor: what it sends commits with what this actor writes. */
  protected readonly ref: RefVerb;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const actorClass = new.target;
    const mailbox = new Mailbox<M>(
      ctx,
      env,
      () => {
        // Here and not before: a class that is wrong can be made, and says so at every verb and wake.
        refuseReserved(actorClass.prototype, actorClass.name);
        shadowed ??= [...RESERVED, "alarm"].find((name) => Reflect.get(this, name) !== own[name]);
        // A field in its place would be called for every wake, and nothing be delivered.
        if (shadowed !== undefined) {
          installWake(this, wake);
          throw reserved(actorClass.name, shadowed);
        }
        return {
          ...checkSettings(this.settings ?? {}),
          receive: this.receive,
          ...(this.policy === undefined ? {} : { policy: this.policy }),
          ...(this.onDeadLetter === undefined ? {} : { onDeadLetter: this.onDeadLetter }),
          ...alarmOf(actorClass.prototype, this),
        };
      },
      actorClass.name,
    );
    this.#mailbox = mailbox;
    this.mailbox = mailbox;
    this.send = mailbox.send;
    this.sendLater = mailbox.sendLater;
    this.sendIn = mailbox.sendIn;
    this.sendEvery = mailbox.sendEvery;
    this.sendAll = mailbox.sendAll;
    this.cancel = (which) => mailbox.cancel(which);
    // Through unknown: compared with a namespace's type, the compiler would expand every stub.
    const refTo: unknown = (namespace: GivenNamespace, to: string | DurableObjectId, options?: RefOptions) =>
      mailbox.ref(namespace, to, options);
    this.ref = refTo as RefVerb;
    const wake = (info?: AlarmInvocationInfo): Promise<void> => mailbox.wake(info);
    installWake(this, wake);
    let shadowed: string | undefined;
    const own: Readonly<Record<string, unknown>> = Object.fromEntries(
      [...RESERVED, "alarm"].map((name) => [name, Reflect.get(this, name)]),
    );
  }

  /** What refs call: the whole RPC surface of an actor. */
  mailboxCall(call: string): Promise<string> {
    return this.#mailbox.call(call);
  }
}

function alarmOf(prototype: object, actor: object): { alarm?: (info: AlarmInvocationInfo) => unknown } {
  const alarm: unknown = Reflect.get(prototype, "alarm", actor);
  return typeof alarm === "function"
    ? { alarm: (info) => Reflect.apply(alarm, actor, [info]) as unknown }
    : {};
}

/** Methods and accessors of a subclass. @throws {ReservedNameError} */
function refuseReserved(prototype: object, className: string): void {
  for (let level: object | null = prototype; level !== null && level !== Actor.prototype;) {
    for (const name of RESERVED) if (Object.hasOwn(level, name)) throw reserved(className, name);
    level = Object.getPrototypeOf(level) as object | null;
  }
}

/** The platform calls an own `alarm` before one of the prototype, which is the user's own. */
function installWake(actor: object, wake: (info?: AlarmInvocationInfo) => Promise<void>): void {
  Object.defineProperty(actor, "alarm", { value: wake, configurable: true, enumerable: false });
}

function reserved(className: string, name: string): ReservedNameError {
  const advice =
    name === "alarm"
      ? "write alarm as a method, not as a field, because the actor's own alarm is the object's"
      : "give the member another name";
  return new ReservedNameError(`${className} defines ${name}, which an actor needs for itself; ${advice}.`);
}
