// One wake of the model: it takes up what is due in order, and follows what the handlers really did.
// What a crash took back is not known beforehand; it must be the end of what was done, and nothing else.

import {
  type Entry,
  expectSame,
  type Message,
  type Model,
  newMessage,
  Refuted,
  type State,
} from "./model.ts";
import type { Spec } from "./plan.ts";
import { sameAsView, type View } from "./view.ts";

/** What one wake did, as the bench saw it. */
export interface Wake {
  readonly entries: readonly Entry[];
  readonly crashed: boolean;
  /** Messages due until then must be leased: the wake itself is suspicious. */
  readonly suspiciousUntil: number;
  /** What is there afterwards. */
  readonly view: View;
}

/** How often an attempt of a message died without being charged; at most twice in a life. */
export type Uncounted = Map<string, number>;

/** Follows one wake. @throws {Refuted} */
export function follow(
  model: Model,
  specs: ReadonlyMap<number, Spec>,
  wake: Wake,
  uncounted: Uncounted,
): void {
  const past: State[] = [structuredClone(model.state)];
  const note = (): number => past.push(structuredClone(model.state));
  model.charge();
  note();
  let done = 0;
  for (;;) {
    const message = model.next();
    if (message === undefined) break;
    if (message.expiresAt !== undefined && message.expiresAt < model.now) {
      model.fail(message, "expired");
      note();
      continue;
    }
    const entry = wake.entries[done];
    done += 1;
    if (entry === undefined) throw new Refuted(`${nameOf(message)} was due and its handler was not entered.`);
    const { id, attempt, dueAt } = entry;
    expectSame(
      `The delivery number ${done} of the wake`,
      { id, attempt, dueAt },
      { id: message.id, attempt: message.attempt + 1, dueAt: message.due },
    );
    if (entry.step.do === "crash") {
      const isLeased = wake.view.lease?.id === message.id;
      if (!isLeased && mustBeLeased(message, wake))
        throw new Refuted(`${nameOf(message)} died without a lease.`);
      settleCrash(model, past, message, isLeased, wake.view, uncounted);
      break;
    }
    apply(model, specs, message, entry);
    note();
  }
  if (wake.entries.length > done) {
    throw new Refuted(`Handlers were entered that should not: ${JSON.stringify(wake.entries.slice(done))}`);
  }
}

function mustBeLeased(message: Message, wake: Wake): boolean {
  return message.attempt > 0 || message.suspicious || message.due <= wake.suspiciousUntil;
}

/** Finds out how much was on disk when the object died. */
function settleCrash(
  model: Model,
  past: readonly State[],
  message: Message,
  isLeased: boolean,
  view: View,
  uncounted: Uncounted,
): void {
  if (isLeased) {
    // The lease was on disk before the handler, and all that was done before it too.
    const { id, attempt, due } = message;
    const lease = { id, attempt: attempt + 1, due };
    model.detachForLease(message);
    model.state.lease = lease;
    return;
  }
  const died = (uncounted.get(message.id) ?? 0) + 1;
  uncounted.set(message.id, died);
  if (died > 2) throw new Refuted(`${nameOf(message)} died ${died} times without being charged.`);
  const differences: string[] = [];
  for (const state of past.toReversed()) {
    model.state = structuredClone(state);
    const difference = sameAsView(model, view);
    if (difference === undefined) return;
    differences.push(difference);
  }
  throw new Refuted(
    `${nameOf(message)} died, and what is on disk is no point of the wake, the newest first:\n${differences.join("\n")}`,
  );
}

/** Does what one entry of a handler did. */
function apply(model: Model, specs: ReadonlyMap<number, Spec>, message: Message, entry: Entry): void {
  const before = structuredClone(model.state);
  const original = { ...message };
  const isSync = message.kind === "sync";
  const buffer: { message: Message; ifPending: Spec["ifPending"] }[] = [];
  for (const [index, done] of entry.acts.entries()) {
    const act = specs.get(entry.label)?.acts[index];
    if (act === undefined) throw new Refuted("An act was done that the plan does not have.");
    const where = `What act ${index} of ${nameOf(message)} answered`;
    switch (act.act) {
      case "send": {
        const child = newMessage(
          done.id ?? "",
          done.label ?? 0,
          specs.get(done.label ?? 0) ?? act.spec,
          model.now,
        );
        const { key } = child;
        const held = buffer.findIndex((sent) => key !== null && isOfKey(sent.message, child.kind, key));
        if (act.spec.ifPending === "replace") {
          if (held >= 0) buffer.splice(held, 1);
        } else {
          const holder = key === null ? undefined : model.holder(child.kind, key);
          const waiting = holder === undefined || holder.id === message.id ? undefined : holder.id;
          const kept = buffer[held]?.message.id ?? waiting;
          if (kept !== undefined) {
            expectSame(where, done.answer, kept);
            break;
          }
        }
        expectSame(where, done.answer, child.id);
        buffer.push({ message: child, ifPending: act.spec.ifPending });
        break;
      }
      case "cancel": {
        const at = buffer.findIndex((sent) => sent.message.id === done.id);
        if (at >= 0) buffer.splice(at, 1);
        expectSame(where, done.answer, at >= 0 || model.cancel(done.id ?? ""));
        break;
      }
      case "reschedule": {
        const due = model.now + act.by;
        const sent = buffer.find((candidate) => candidate.message.id === done.id)?.message;
        if (sent !== undefined) sent.due = due;
        expectSame(where, done.answer, sent !== undefined || model.reschedule(done.id ?? "", due, message));
        break;
      }
      case "pause":
        model.state.paused = true;
        break;
    }
  }
  const { step } = entry;
  const isCompleted = step.do === "ok" || step.do === "defer";
  // A throw takes back all of a sync handler, and the sends of an async one.
  if (!isCompleted && isSync) model.state = before;
  if (step.do === "ok") model.ack(original);
  if (isCompleted) for (const sent of buffer) model.accept(sent.message, sent.ifPending, message);
  if (step.do === "defer") model.defer(original, step.ms);
  if (step.do === "fail") model.fail(original, "threw");
  if (step.do === "retryAfter") model.fail(original, "threw", step.ms);
  if (step.do === "reject") model.fail(original, "rejected");
  if (step.do === "hang") model.fail(original, isSync ? "threw" : "timedOut");
}

function isOfKey(message: Message, kind: Message["kind"], key: string): boolean {
  return message.kind === kind && message.key === key;
}

function nameOf({ label, id }: Message): string {
  return `message #${label} (${id})`;
}
