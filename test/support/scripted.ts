// One actor class that plays what a test tells it. A script is registered under the actor's name, and
// read when an instance is made, so replacing it and evicting the actor is a deploy of new code.

import {
  Actor,
  type ActorRef,
  type Mailbox,
  type OnDeadLetter,
  type Policy,
  type Receive,
  ref,
  type Ref,
  type RefVerb,
  type Send,
  type SendAll,
  type SendEvery,
  type SendIn,
  type SendLater,
  type Settings,
  type Which,
} from "../../actors/index.ts";
import type { Happening } from "../../mailbox/host/events.ts";
import { env } from "cloudflare:workers";
import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";

/** Any type, any payload: tests of types have their own files. */
export type AnyMessages = Record<string, unknown>;

/** What an actor of a test does. */
export interface Script {
  readonly receive: Receive<AnyMessages>;
  readonly policy?: Policy;
  readonly settings?: Settings;
  readonly onDeadLetter?: OnDeadLetter;
  readonly alarm?: (info: AlarmInvocationInfo) => unknown;
  /** Stands between the network and the mailbox: `next` lets a call through, not calling it loses the call. */
  readonly onCall?: (call: string, next: () => Promise<string>) => Promise<string>;
  /** Runs in the constructor, after the mailbox was made. */
  readonly construct?: (actor: ScriptedActor) => void;
}

type ScriptOf = (actor: ScriptedActor) => Script;

const scripts = new Map<string, ScriptOf>();
const raised = new Map<string, Happening[]>();

export class ScriptedActor extends Actor<Cloudflare.Env, AnyMessages> {
  declare readonly mailbox: Mailbox<AnyMessages>;
  declare readonly send: Send<AnyMessages, "sync">;
  declare readonly sendLater: SendLater<AnyMessages, "sync">;
  declare readonly sendIn: SendIn<AnyMessages, "sync">;
  declare readonly sendEvery: SendEvery<AnyMessages, "sync">;
  declare readonly sendAll: SendAll<AnyMessages, "sync">;
  declare readonly cancel: (which: Which<AnyMessages>) => boolean;
  declare readonly ref: RefVerb;
  readonly script: Script;
  /** The storage under the mailbox, as a handle that was taken before the mailbox was made. */
  readonly realStorage: DurableObjectStorage;
  protected override readonly receive: Receive<AnyMessages>;
  protected override readonly policy: Policy;
  protected override readonly settings: Settings;
  declare protected readonly onDeadLetter?: OnDeadLetter;

  constructor(ctx: DurableObjectState, bindings: Cloudflare.Env) {
    const { storage } = ctx;
    super(ctx, bindings);
    this.realStorage = storage;
    const name = ctx.id.name ?? ctx.id.toString();
    this.script = scripts.get(name)?.(this) ?? { receive: {} };
    this.receive = this.script.receive;
    this.policy = this.script.policy ?? {};
    // A script's own settings win.
    this.settings = {
      console: false,
      // Whose it is has its own tests.
      onEvent: ({ actor: _actor, ...event }) => {
        const events = raised.get(name) ?? [];
        events.push(event);
        raised.set(name, events);
      },
      ...this.script.settings,
    };
    if (this.script.onDeadLetter !== undefined)
      Object.assign(this, { onDeadLetter: this.script.onDeadLetter });
    this.script.construct?.(this);
  }

  get state(): DurableObjectState {
    return this.ctx;
  }

  /** Another scripted actor, through the outbox. */
  other(name: string): ActorRef<AnyMessages> {
    return this.mailbox.ref<AnyMessages>(this.env.ACTORS, name);
  }

  override mailboxCall(call: string): Promise<string> {
    const next = (): Promise<string> => super.mailboxCall(call);
    return this.script.onCall === undefined ? next() : this.script.onCall(call, next);
  }

  override alarm(info?: AlarmInvocationInfo): void | Promise<void> {
    const answer = this.script.alarm?.(info ?? { isRetry: false, retryCount: 0, scheduledTime: 0 });
    return answer instanceof Promise ? answer.then(() => {}) : undefined;
  }
}

/** An actor of a test, from outside. */
export interface Scripted {
  readonly name: string;
  readonly ref: Ref<AnyMessages>;
  /** A fresh stub: one that saw its object die stays broken. */
  stub(): DurableObjectStub<ScriptedActor>;
  /** Runs code inside the object, in a request of its own. */
  inside<T>(run: (actor: ScriptedActor, state: DurableObjectState) => T | Promise<T>): Promise<T>;
  /** Runs the alarm handler by hand, without waiting for the platform's clock. */
  drain(info?: Partial<AlarmInvocationInfo>): Promise<void>;
  /** All events since the test began, in order. */
  readonly events: Happening[];
  /** The events of one kind. */
  eventsOf<K extends Happening["event"]>(kind: K): Extract<Happening, { event: K }>[];
  /** Ends the instance as hibernation does. */
  evict(): Promise<void>;
  /** Kills the object, also while its alarm runs. */
  kill(): Promise<void>;
  /** Replaces what the actor does; call evict for it to take effect. */
  deploy(script: Script | ScriptOf): void;
}

let actors = 0;

/** A new actor that plays a script. */
export function actor(
  script: Script | ScriptOf,
  name = `actor-${(actors += 1)}-${crypto.randomUUID()}`,
): Scripted {
  const deploy = (next: Script | ScriptOf): void => {
    scripts.set(name, typeof next === "function" ? next : () => next);
  };
  deploy(script);
  const events: Happening[] = [];
  raised.set(name, events);
  const stub = (): DurableObjectStub<ScriptedActor> => {
    const namespace: DurableObjectNamespace = env.ACTORS;
    return namespace.getByName(name) as unknown as DurableObjectStub<ScriptedActor>;
  };
  const inside: Scripted["inside"] = (run) =>
    runInDurableObject(stub(), (instance, state) => run(instance, state));
  return {
    name,
    ref: ref<AnyMessages>(env.ACTORS, name),
    stub,
    inside,
    drain: (info) =>
      inside(async (instance) => {
        await instance.alarm(
          info === undefined
            ? undefined
            : { isRetry: false, retryCount: 0, scheduledTime: Date.now(), ...info },
        );
      }),
    events,
    eventsOf: <K extends Happening["event"]>(kind: K) =>
      events.filter((event): event is Extract<Happening, { event: K }> => event.event === kind),
    evict: () => evictDurableObject(stub()),
    kill: () => inside((_, state) => state.abort("killed by a test")).catch(() => {}),
    deploy,
  };
}

/**
 * Kills every object of the runtime at once, as a crash does: what was not committed is gone. It is for a
 * test to call: called by an object, in a handler, it takes the local runtime down.
 */
export const crashAll = abortAllDurableObjects;

/** How long a test waits for what it expects: a deadline is for what never comes, not for what is slow. */
const PATIENCE_MS = 120_000;

/** Waits, on the real clock, until a check answers something; for what only a real alarm proves. */
export async function until<T>(check: () => T | Promise<T>, what = "the condition"): Promise<NonNullable<T>> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > end) throw new Error(`${what} did not come true within ${PATIENCE_MS} ms.`);
    await scheduler.wait(10);
  }
}
