// The actor of the harness. Its handlers do what a parcel says, note every attempt before they do
// anything else, and keep books in the commits that the library promises.

import {
  Actor,
  type Delivery,
  type HandlerWithPolicy,
  type MailboxEvent,
  NonRetryableError,
  type OnDeadLetter,
  type Policy,
  type Receive,
  RetryAfterError,
  type Sends,
  type Settings,
} from "../../../actors/index.ts";
import {
  BACKOFF_MS,
  CLERKS,
  type ClerkMessages,
  clerkName,
  type Kind,
  MAX_ATTEMPTS,
  type Parcel,
  type Payload,
  type Rhythm,
  SMALL_CLERK,
  SMALL_CLERK_PENDING,
  tickNumber,
  tickParcel,
  TIMEOUT_MS,
  zombieParcel,
} from "../parcel.ts";
import type { AlarmState, Audit, Told } from "../testimony.ts";
import { auditOf } from "./audit.ts";
import { declare, optionsOf, payloadOf, sendParcel } from "./sending.ts";
import { Tables } from "./tables.ts";
import { witness } from "./witness.ts";

const HANDLED = "handled";
const ALARM = "alarm";

export interface Env {
  readonly CLERKS: DurableObjectNamespace<Clerk>;
  /** Whether this is the older version of the code. */
  readonly IS_OLD: boolean;
}

export class Clerk extends Actor<Env, ClerkMessages> {
  protected override readonly policy: Policy = {
    maxAttempts: MAX_ATTEMPTS,
    backoff: BACKOFF_MS,
    timeout: TIMEOUT_MS,
  };
  /** An object that an alarm wakes does not know its name. */
  readonly #me: number = indexOf(this.ctx.id, this.env);
  protected override readonly settings: Settings = {
    minInterval: 100,
    ...(this.#me === SMALL_CLERK ? { maxPending: SMALL_CLERK_PENDING } : {}),
    onEvent: (event) => witness({ told: { actor: this.#me, at: Date.now(), ...seenOf(event) } }),
  };
  protected override readonly receive: Receive<ClerkMessages> = withoutFresh(this.env.IS_OLD, {
    note: this.#sync("note"),
    line: this.#sync("line"),
    fresh: this.#sync("fresh"),
    chore: async (payload, delivery) => {
      await this.#work("chore", payload, delivery);
    },
    favor: (payload, delivery) => this.#work("favor", payload, delivery),
    tick: (rhythm, delivery) => this.#tick(rhythm, delivery),
  });
  protected override readonly onDeadLetter: OnDeadLetter = (letter) => this.#tables.hooked(letter.id);
  readonly #tables = new Tables(this.ctx.storage.sql);

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    witness({ born: this.#me, at: Date.now() });
  }

  /** Sends what it is told outside any attempt, in the commit of this request; answers the ids. */
  order(parcels: readonly Parcel[], declares: readonly Rhythm[]): string[] {
    for (const rhythm of declares) this.#declare(rhythm);
    return parcels.map((parcel) => this.#send(parcel));
  }

  /** Does the same in a transaction that fails. */
  orderInVain(parcels: readonly Parcel[]): void {
    try {
      this.ctx.storage.transactionSync(() => {
        for (const parcel of parcels) this.#send(parcel);
        throw new Error("in vain");
      });
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "in vain") throw error;
    }
  }

  /** Sets the object's own alarm, which sets itself again until it has run so often. */
  startAlarm(rounds: number, everyMs: number): void {
    const { kv } = this.ctx.storage;
    if (kv.get(ALARM) === undefined) this.#setAlarm({ ran: 0, rounds, everyMs });
  }

  override alarm(): void {
    const state = this.ctx.storage.kv.get<AlarmState & { readonly due: number }>(ALARM);
    if (state === undefined) return;
    witness({ alarm: this.#me, at: Date.now(), dueAt: state.due });
    this.#setAlarm({ ...state, ran: state.ran + 1 });
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

  #setAlarm(state: AlarmState): void {
    const due = Date.now() + state.everyMs;
    this.ctx.storage.kv.put(ALARM, { ...state, due });
    if (state.ran < state.rounds) void this.ctx.storage.setAlarm(due);
  }

  /** Every other clerk declares that its sync handlers are. */
  #sync(kind: Kind): HandlerWithPolicy<Payload> {
    const handle = (payload: Payload, delivery: Delivery): void => this.#handle(kind, payload, delivery);
    return this.#me % 2 === 0 ? { sync: true, handle } : { handle };
  }

  /** Sync: all of it is one commit with the ack, and the misfortune comes last, so that all of it is rolled back. */
  #handle(kind: Kind, payload: Payload, delivery: Delivery): void {
    this.#enter(payload, delivery);
    const { parcel } = payload;
    const { n, fate } = parcel;
    if (fate.kind === "defer" && this.#tables.deferrals(delivery.id) < fate.times) {
      this.#tables.deferred(delivery.id);
      delivery.defer(fate.ms);
      return;
    }
    this.#complete({ id: delivery.id, n, kind, attempt: delivery.attempt });
    for (const child of parcel.sends) this.#send(child, delivery);
    for (const rhythm of parcel.declares ?? []) this.#declare(rhythm);
    for (const { n: number } of parcel.cancels ?? []) this.#cancelOwn(number);
    this.#befall(parcel, delivery);
  }

  /** Async: sends wait for the ack, and the row of its books is its own. */
  async #work(kind: Kind, payload: Payload, delivery: Delivery): Promise<void> {
    this.#enter(payload, delivery);
    const { parcel } = payload;
    const { n, ms = 0, fate, sends } = parcel;
    const half = Math.ceil(sends.length / 2);
    for (const child of sends.slice(0, half)) this.#buffer(child, delivery);
    if (ms > 0) await scheduler.wait(ms);
    if (fate.kind === "hang" && delivery.attempt <= fate.times) {
      await scheduler.wait(TIMEOUT_MS + 500);
      // Refused, because the attempt has ended; were it not, the books would show it.
      this.#post(zombieParcel(parcel));
      return;
    }
    this.#befall(parcel, delivery);
    for (const child of sends.slice(half)) this.#buffer(child, delivery);
    for (const { n: number, to } of parcel.cancels ?? []) await this.#cancelThere(number, to);
    this.#tables.completed({ id: delivery.id, n, kind, attempt: delivery.attempt, at: Date.now() });
  }

  #tick(rhythm: Rhythm, delivery: Delivery): void {
    const planned = Number(delivery.id.slice(delivery.id.indexOf("@") + 1));
    const n = tickNumber(rhythm.key, planned);
    const { id, attempt, dueAt, recurrence } = delivery;
    const entry = { actor: this.#me, id, n, attempt, dueAt, at: Date.now(), notBefore: planned };
    witness({ entry: recurrence === undefined ? entry : { ...entry, recurrence } });
    this.#complete({ id, n, kind: "tick", attempt });
    this.#send(tickParcel(rhythm, planned));
    const turn = Math.floor(planned / rhythm.everyMs);
    if (rhythm.rejectEvery > 0 && turn % rhythm.rejectEvery === 0) throw new NonRetryableError("rejected");
    if (rhythm.throwEvery > 0 && turn % rhythm.throwEvery === 0 && attempt === 1) throw new Error("thrown");
  }

  #enter({ parcel, notBefore, line }: Payload, { id, attempt, dueAt }: Delivery): void {
    const entry = { actor: this.#me, id, n: parcel.n, attempt, dueAt, at: Date.now(), notBefore };
    witness({ entry: line === undefined ? entry : { ...entry, line } });
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

  /** Sends and writes it down. */
  #send(parcel: Parcel, delivery?: Delivery): string {
    const id = this.#post(parcel, delivery);
    this.#tables.sent(parcel.n, id);
    return id;
  }

  /** Sends from an async attempt: what it writes down itself would not be in the commit of the ack. */
  #buffer(parcel: Parcel, delivery: Delivery): void {
    witness({ posted: { n: parcel.n, id: this.#post(parcel, delivery) } });
  }

  #post(parcel: Parcel, delivery?: Delivery): string {
    const payload = payloadOf(parcel);
    if (parcel.isReply === true && delivery !== undefined)
      return delivery.reply<ClerkMessages>(parcel.kind, payload, optionsOf(parcel));
    if (parcel.kind !== "line") return sendParcel(this.#to(parcel.to), parcel, payload);
    const line = { from: this.#me, seq: this.#tables.nextLine(parcel.to) };
    return sendParcel(this.#to(parcel.to), parcel, { ...payload, line });
  }

  #declare(rhythm: Rhythm): void {
    declare(this.#to(rhythm.to), rhythm);
  }

  #cancelOwn(number: string): void {
    const id = this.#tables.sentId(number);
    if (id === undefined) return;
    const at = Date.now();
    this.#tables.cancelled({ id, target: this.#me, answer: Number(this.cancel(id)), askedAt: at, at });
  }

  /** Where the message is: in the own outbox still, or at its target. */
  async #cancelThere(number: string, to: number): Promise<void> {
    const id = this.#tables.sentId(number);
    if (id === undefined) return;
    const askedAt = Date.now();
    witness({ cancels: id });
    const answer = await this.ref<ClerkMessages>(this.env.CLERKS, clerkName(to)).cancel(id);
    this.#tables.cancelled({ id, target: to, answer: Number(answer), askedAt, at: Date.now() });
  }

  #to(actor: number): Sends<ClerkMessages, "sync"> {
    if (actor === this.#me) return this.mailbox;
    return this.ref<ClerkMessages>(this.env.CLERKS, clerkName(actor));
  }
}

/** What an older version of the code receives. */
function withoutFresh(isOld: boolean, receive: Receive<ClerkMessages>): Receive<ClerkMessages> {
  if (!isOld) return receive;
  const { fresh: _fresh, ...rest } = receive;
  return rest as Receive<ClerkMessages>;
}

/** Of an event, what the books look at. */
function seenOf(event: MailboxEvent): Omit<Told, "actor" | "at"> {
  return {
    event: event.event,
    ...("id" in event ? { id: event.id } : {}),
    ...(event.event === "replaced" ? { by: event.by } : {}),
    ...(event.event === "notEnqueued" ? { keptId: event.keptId } : {}),
    ...(event.event === "skipped" ? { count: event.count } : {}),
    ...(event.event === "attemptFailed" ? { outcome: event.outcome } : {}),
    ...(event.event === "healed" ? { alarm: event.alarm } : {}),
  };
}

function indexOf(id: DurableObjectId, { CLERKS: clerks }: Env): number {
  for (let index = 0; index < CLERKS; index += 1) {
    if (clerks.idFromName(clerkName(index)).equals(id)) return index;
  }
  throw new Error(`No clerk has the id ${id.toString()}.`);
}
