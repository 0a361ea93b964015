// Asks the runtime what a step of the plan says, and registers what was answered.

import {
  type Act,
  declaresOf,
  isTakenBack,
  type Parcel,
  type Payload,
  placed,
  type Rhythm,
  rhythmId,
  rhythmName,
  type Scene,
} from "./parcel.ts";
import { repaired } from "./plan/parcels.ts";
import type { Step } from "./plan/steps.ts";
import { commitsOf } from "./scenes.ts";
import { emptyRegister, type Look, outcomeOf, outcomeOfAll, type Register } from "./register.ts";
import type { LetterSeen, Question, Reply } from "./testimony.ts";
import { setTimeout as sleep } from "node:timers/promises";

const START_TRIES = 50;

/** Whoever can be asked: the runtime, also while it is down. */
export interface Asks {
  ask(question: Question): Promise<Reply>;
}

export class Asker {
  readonly register: Register = emptyRegister();
  /** Every dead letter that was seen: one that is redriven or purged is gone at the end. */
  readonly letters: (LetterSeen & { readonly at: number })[] = [];
  readonly #runtime: Asks;
  readonly #parcels: ReadonlyMap<string, Parcel>;
  readonly #rhythms: ReadonlyMap<string, Rhythm>;
  /** Where a message is, and its id, by its number; of messages sent from outside. */
  readonly #sent = new Map<string, { readonly actor: number; readonly id: string }>();
  /** Where a recurrence is, and its id, by its name. */
  readonly #declared = new Map<string, { readonly actor: number; readonly id: string }>();

  constructor(runtime: Asks, parcels: ReadonlyMap<string, Parcel>, rhythms: ReadonlyMap<string, Rhythm>) {
    this.#runtime = runtime;
    this.#parcels = parcels;
    this.#rhythms = rhythms;
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "send":
        return this.#send(step.parcels);
      case "order":
        return this.#order(step);
      case "cancel":
        return this.#cancel(step.n);
      case "cancel by key": {
        const { actor, kind, key } = step;
        const { reply, ...times } = await this.#ask({ verb: "cancelKey", actor, kind, key });
        this.register.keyCancels.push({ ...times, actor, kind, key, outcome: outcomeOf(reply) });
        return;
      }
      case "reschedule":
        return this.#reschedule(step.n, step.delay);
      case "redrive":
        return this.#redriveSome(step);
      case "purge":
        return this.#purgeSome(step);
      case "declare":
        return this.declare(step.rhythm);
      case "end":
        await this.end(step.name);
        return;
      case "pause":
        await this.#runtime.ask({ verb: "pause", actor: step.actor });
        await sleep(step.ms);
        await this.#runtime.ask({ verb: "resume", actor: step.actor });
        return;
      case "touch":
        await this.#runtime.ask({ verb: "stats", actor: step.actor });
        return;
      case "look":
        return this.#look(step.actor, step.act);
      case "startAlarm":
        await this.#startAlarm(step);
        return;
    }
  }

  async declare(rhythm: Rhythm): Promise<void> {
    const { reply, ...times } = await this.#ask({ verb: "declare", rhythm });
    this.register.declares.push({ ...times, actor: rhythm.to, rhythm, outcome: outcomeOf(reply) });
    this.#know(rhythm);
  }

  /** Known without being asked: by its type and key. */
  #know(rhythm: Rhythm): void {
    this.#declared.set(rhythmName(rhythm), {
      actor: rhythm.to,
      id: placed(rhythm.to, rhythmId(rhythm.key)),
    });
  }

  /** Ends a recurrence; whether it is gone. */
  async end(name: string): Promise<boolean> {
    const found = this.#declared.get(name);
    if (found === undefined) return true;
    const { reply, ...times } = await this.#ask({ verb: "cancel", ...found });
    this.register.ends.push({ ...times, ...found, verb: "end", outcome: outcomeOf(reply) });
    return reply.kind === "answered";
  }

  async lettersOf(actor: number): Promise<readonly LetterSeen[]> {
    const reply = await this.#runtime.ask({ verb: "letters", actor });
    if (reply.kind !== "answered") return [];
    const letters = reply.value as readonly LetterSeen[];
    const at = Date.now();
    this.letters.push(...letters.map((letter) => ({ ...letter, at })));
    return letters;
  }

  async redrive(actor: number, { id, n }: LetterSeen, isRepaired: boolean): Promise<void> {
    const payload = isRepaired ? this.#repairOf(n) : null;
    const { reply, ...times } = await this.#ask({ verb: "redrive", actor, id, repaired: payload });
    const outcome = outcomeOf(reply);
    this.register.redrives.push({ ...times, actor, id, isRepaired: payload !== null, outcome });
  }

  async purge(actor: number, { id }: LetterSeen): Promise<void> {
    const { reply, ...times } = await this.#ask({ verb: "purge", actor, id });
    this.register.ends.push({ ...times, actor, verb: "purge", id, outcome: outcomeOf(reply) });
  }

  async #send(parcels: readonly Parcel[]): Promise<void> {
    const { reply, ...times } = await this.#ask({ verb: "send", parcels });
    const ids = reply.kind === "answered" ? (reply.value as string[]) : [];
    const actor = parcels[0]?.to ?? 0;
    this.register.sends.push({ ...times, way: "ref", actor, parcels, ids, outcome: outcomeOf(reply) });
    parcels.forEach(({ n, to }, index) => {
      const id = ids[index];
      if (id !== undefined) this.#sent.set(n, { actor: to, id });
    });
  }

  async #order({ actor, scenes }: Extract<Step, { do: "order" }>): Promise<void> {
    const played = scenes.map((scene) => this.#cued(scene));
    const { reply, ...times } = await this.#ask({ verb: "order", actor, scenes: played });
    const outcome = outcomeOf(reply);
    for (const scene of scenes) {
      const way = isTakenBack(scene) ? "in vain" : "order";
      // What was sent is in the rows of whoever was told to, as is its id.
      for (const parcels of commitsOf(scene))
        this.register.sends.push({ ...times, way, actor, parcels, ids: [], outcome });
      if (way === "in vain") continue;
      for (const rhythm of declaresOf(scene)) {
        this.register.declares.push({ ...times, actor, rhythm, outcome });
        this.#know(rhythm);
      }
    }
  }

  /** With the ids of messages that only the harness knows. */
  #cued(scene: Scene): Scene {
    const cue = (act: Act): Act => {
      if (act.do !== "cancel own") return act;
      const id = this.#sent.get(act.n)?.id;
      return id === undefined ? act : { ...act, id };
    };
    return { ...scene, acts: scene.acts.map(cue) };
  }

  async #cancel(n: string): Promise<void> {
    const found = this.#sent.get(n);
    if (found !== undefined) await this.#cancelId(found);
  }

  async #cancelId(found: { readonly actor: number; readonly id: string }): Promise<void> {
    const { reply, ...times } = await this.#ask({ verb: "cancel", ...found });
    this.register.ends.push({ ...times, ...found, verb: "cancel", outcome: outcomeOf(reply) });
  }

  async #reschedule(n: string, delay: number): Promise<void> {
    const found = this.#sent.get(n);
    if (found !== undefined) await this.#rescheduleId(found, delay);
  }

  async #rescheduleId(found: { readonly actor: number; readonly id: string }, delay: number): Promise<void> {
    const at = Date.now() + delay;
    const { reply, ...times } = await this.#ask({ verb: "reschedule", ...found, at });
    this.register.reschedules.push({ ...times, ...found, at, outcome: outcomeOf(reply) });
  }

  async #look(actor: number, act: "cancel" | "reschedule" | "none"): Promise<void> {
    const { reply, answeredAt } = await this.#ask({ verb: "pending", actor });
    if (reply.kind !== "answered") return;
    const occurrences = reply.value as Look["occurrences"];
    this.register.looks.push({ actor, at: answeredAt, occurrences });
    const [first] = occurrences;
    if (first === undefined || act === "none") return;
    const found = { actor, id: first.id };
    if (act === "cancel") await this.#cancelId(found);
    else await this.#rescheduleId(found, 500);
  }

  /** Until it is answered, because the books have to know whether it was started. */
  async #startAlarm({ actor, rounds, everyMs }: Extract<Step, { do: "startAlarm" }>): Promise<void> {
    for (let tries = 0; tries < START_TRIES; tries += 1) {
      const reply = await this.#runtime.ask({ verb: "startAlarm", actor, rounds, everyMs });
      if (reply.kind === "answered") {
        this.register.alarms.push({ actor, at: Date.now() });
        return;
      }
      await sleep(200);
    }
  }

  async #redriveSome({ actor, count, way }: Extract<Step, { do: "redrive" }>): Promise<void> {
    const letters = (await this.lettersOf(actor)).slice(0, count);
    if (way !== "all") {
      for (const letter of letters) await this.redrive(actor, letter, way === "repaired");
      return;
    }
    const ids = letters.map(({ id }) => id);
    if (ids.length === 0) return;
    const { reply, ...times } = await this.#ask({ verb: "redriveAll", actor, ids });
    const outcome = outcomeOfAll(reply, ids.length);
    for (const id of ids) this.register.redrives.push({ ...times, actor, id, isRepaired: false, outcome });
  }

  async #purgeSome({ actor, count, way }: Extract<Step, { do: "purge" }>): Promise<void> {
    const letters = (await this.lettersOf(actor)).slice(0, count);
    if (way === "one") {
      for (const letter of letters) await this.purge(actor, letter);
      return;
    }
    const ids = letters.map(({ id }) => id);
    if (ids.length === 0) return;
    const { reply, ...times } = await this.#ask({ verb: "purgeAll", actor, ids });
    const outcome = outcomeOfAll(reply, ids.length);
    for (const id of ids) this.register.ends.push({ ...times, actor, verb: "purge", id, outcome });
  }

  #repairOf(n: string): Payload | Rhythm | null {
    const parcel = this.#parcels.get(n);
    if (parcel !== undefined) return repaired(parcel);
    const rhythm = this.#rhythms.get(n.split("@")[0] ?? "");
    return rhythm === undefined || n.endsWith(".0") ? null : { ...rhythm, rejectEvery: 0, throwEvery: 0 };
  }

  async #ask(
    question: Question,
  ): Promise<{ readonly reply: Reply; readonly askedAt: number; readonly answeredAt: number }> {
    const askedAt = Date.now();
    const reply = await this.#runtime.ask(question);
    return { reply, askedAt, answeredAt: Date.now() };
  }
}
