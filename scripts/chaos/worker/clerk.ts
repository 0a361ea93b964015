// The actor of the harness. Its handlers do what a parcel says, note every attempt before they do
// anything else, and keep books in the commits that the library promises.

import {
  Actor,
  type Delivery,
  type Handle,
  NonRetryableError,
  type OnDeadLetter,
  type Policy,
  type Receive,
  RetryAfterError,
  type Settings,
} from "../../../actors/index.ts";
import { actorName, BACKOFF_MS, MAX_ATTEMPTS, TIMEOUT_MS } from "../actors.ts";
import {
  bulkOf,
  type ClerkMessages,
  type Kind,
  type Parcel,
  type Payload,
  placed,
  type Rhythm,
  type Scene,
  tickNumber,
  tickParcel,
  zombieParcel,
} from "../parcel.ts";
import type { AlarmState, Audit } from "../testimony.ts";
import { auditOf } from "./audit.ts";
import { Director, type Perform } from "./director.ts";
import {
  answerOutage,
  type Bindings,
  indexOf,
  namespaceOf,
  pretendNewer,
  settingsOf,
} from "./environment.ts";
import { Hands } from "./hands.ts";
import { Tables } from "./tables.ts";
import { toldOf, watchWake, witness } from "./witness.ts";

const HANDLED = "handled";
const ALARM = "alarm";

export type Env = Bindings<DurableObjectNamespace<Clerk>>;

export class Clerk extends Actor<Env, ClerkMessages> {
  /** An object that an alarm wakes does not know its name. */
  readonly #me: number = indexOf(this.ctx.id, this.env);
  protected override readonly policy: Policy = {
    maxAttempts: MAX_ATTEMPTS,
    backoff: BACKOFF_MS,
    timeout: this.env.PRESENT.code === "wrong settings" ? "11 minutes" : TIMEOUT_MS,
  };
  protected override readonly settings: Settings = {
    ...settingsOf(this.#me),
    console: false,
    onEvent: (event) => witness({ told: toldOf(this.#me, event) }),
  };
  protected override readonly receive: Receive<ClerkMessages> = withoutFresh(this.env, {
    note: this.#sync("note"),
    line: this.#sync("line"),
    fresh: this.#sync("fresh"),
    chore: async (payload, delivery) => {
      await this.#work("chore", payload, delivery);
    },
    favor: (payload, delivery) => this.#work("favor", payload, delivery),
    tick: (rhythm, delivery) => this.#tick(rhythm, delivery),
  });
  protected override readonly onDeadLetter: OnDeadLetter = (letter) =>
    this.#tables.hooked(placed(this.#me, letter.id));
  readonly #tables = new Tables(this.ctx.storage.sql);
  readonly #hands = new Hands(this.#me, this.#tables, this.mailbox, (actor) =>
    this.ref<ClerkMessages>(namespaceOf(this.env, actor), actorName(actor)),
  );
  /** What bypasses the mailbox, as an object would that is made in a field above it. */
  readonly #captured: DurableObjectStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    const captured = ctx.storage;
    pretendNewer(captured.sql, env.PRESENT.code === "newer schema");
    super(ctx, env);
    this.#captured = captured;
    watchWake(this.#me, this.mailbox);
    witness({ born: this.#me, at: Date.now() });
  }

  override async mailboxCall(call: string): Promise<string> {
    return answerOutage(this.#me, this.env.PRESENT, call, () => super.mailboxCall(call));
  }

  /** Does what it is told outside any attempt. */
  async order(scenes: readonly Scene[]): Promise<void> {
    const director = this.#director(this.#hands.written());
    for (const scene of scenes) await director.play(scene);
  }

  /** Sets the object's own alarm, which sets itself again until it has run so often. */
  async startAlarm(rounds: number, everyMs: number): Promise<void> {
    const { storage } = this.ctx;
    if (storage.kv.get(ALARM) !== undefined) return;
    const due = Date.now() + everyMs;
    // Code that cannot deliver refuses it, and then it is not started.
    await storage.setAlarm(due);
    storage.kv.put(ALARM, { ran: 0, rounds, everyMs, due });
  }

  override alarm(): void {
    const { storage } = this.ctx;
    const state = storage.kv.get<AlarmState & { readonly due: number }>(ALARM);
    if (state === undefined) return;
    witness({ alarm: this.#me, at: Date.now(), dueAt: state.due });
    const next = { ...state, ran: state.ran + 1, due: Date.now() + state.everyMs };
    storage.kv.put(ALARM, next);
    if (next.ran < next.rounds) void storage.setAlarm(next.due);
  }

  audit(): Audit {
    const { kv } = this.ctx.storage;
    return auditOf(
      this.#me,
      this.mailbox,
      this.#tables,
      kv.get<number>(HANDLED) ?? 0,
      kv.get<AlarmState>(ALARM),
    );
  }

  #sync(kind: Kind): Handle<Payload> {
    return (payload, delivery) => this.#handle(kind, payload, delivery);
  }

  /** Sync: all of it is one commit with the ack, and the misfortune comes last, so that all of it is rolled back. */
  #handle(kind: Kind, payload: Payload, delivery: Delivery): void {
    this.#enter(payload, delivery);
    const { parcel } = payload;
    const { n, fate, scenes = [] } = parcel;
    if (fate.kind === "defer" && this.#tables.deferrals(delivery.id) < fate.times) {
      this.#tables.deferred(delivery.id);
      delivery.defer(fate.ms);
      return;
    }
    this.#complete({ id: delivery.id, n, kind, attempt: delivery.attempt });
    for (const child of parcel.sends) this.#hands.send(child, delivery);
    const director = this.#director(this.#hands.written(delivery));
    for (const scene of scenes) director.playSync(scene);
    this.#befall(parcel, delivery);
  }

  /** Async: sends wait for the ack, and the row of its books is its own. */
  async #work(kind: Kind, payload: Payload, delivery: Delivery): Promise<void> {
    this.#enter(payload, delivery);
    const { parcel } = payload;
    const { n, ms = 0, fate, sends, scenes = [] } = parcel;
    const half = Math.ceil(sends.length / 2);
    for (const child of sends.slice(0, half)) this.#hands.buffer(child, delivery);
    if (ms > 0) await scheduler.wait(ms);
    if (fate.kind === "hang" && delivery.attempt <= fate.times) {
      await scheduler.wait(TIMEOUT_MS + 500);
      // Refused, because the attempt has ended; were it not, the books would show it.
      this.#hands.post(zombieParcel(parcel));
      return;
    }
    // Whoever was cancelled meanwhile stops here; nobody else was.
    delivery.signal.throwIfAborted();
    const director = this.#director(this.#hands.buffered(delivery));
    for (const scene of scenes) await director.play(scene);
    this.#befall(parcel, delivery);
    for (const child of sends.slice(half)) this.#hands.buffer(child, delivery);
    this.#tables.completed({ id: delivery.id, n, kind, attempt: delivery.attempt, at: Date.now() });
  }

  #tick(rhythm: Rhythm, delivery: Delivery): void {
    const planned = Number(delivery.id.slice(delivery.id.indexOf("@") + 1));
    const n = tickNumber(rhythm, planned);
    const { attempt, dueAt, recurrence } = delivery;
    const id = placed(this.#me, delivery.id);
    const entry = { actor: this.#me, id, n, attempt, dueAt, at: Date.now(), notBefore: planned };
    witness({
      entry: recurrence === undefined ? entry : { ...entry, recurrence: placed(this.#me, recurrence) },
    });
    this.#complete({ id, n, kind: "tick", attempt });
    this.#hands.send(tickParcel(rhythm, planned));
    const turn = Math.floor(planned / rhythm.everyMs);
    if (rhythm.rejectEvery > 0 && turn % rhythm.rejectEvery === 0) throw new NonRetryableError("rejected");
    if (rhythm.throwEvery > 0 && turn % rhythm.throwEvery === 0 && attempt === 1) throw new Error("thrown");
  }

  #enter({ parcel, notBefore, line, bulk }: Payload, { id, attempt, dueAt }: Delivery): void {
    witness({
      entry: {
        actor: this.#me,
        id,
        n: parcel.n,
        attempt,
        dueAt,
        at: Date.now(),
        notBefore,
        ...(line === undefined ? {} : { line }),
        ...(bulk === bulkOf(parcel) ? {} : { isDamaged: true as const }),
      },
    });
  }

  #complete(row: { id: string; n: string; kind: Kind | "tick"; attempt: number }): void {
    this.#tables.completed({ ...row, at: Date.now() });
    this.#tables.count();
    const { kv } = this.ctx.storage;
    kv.put(HANDLED, (kv.get<number>(HANDLED) ?? 0) + 1);
  }

  #befall({ fate }: Parcel, { attempt }: Delivery): void {
    if (fate.kind === "reject") throw new NonRetryableError("rejected");
    if (fate.kind === "throw" && attempt <= fate.times) {
      throw fate.retryAfter === undefined ? new Error("thrown") : new RetryAfterError(fate.retryAfter);
    }
    if (fate.kind === "abort" && attempt <= fate.times) this.ctx.abort("aborted");
  }

  #director(perform: Perform): Director {
    return new Director(this.ctx.storage, this.#captured, perform);
  }
}

/** What an older version of the code receives. */
function withoutFresh({ PRESENT }: Env, receive: Receive<ClerkMessages>): Receive<ClerkMessages> {
  if (PRESENT.code !== "old") return receive;
  const { fresh: _fresh, ...rest } = receive;
  return rest as Receive<ClerkMessages>;
}
