// One run: load from the plan while the runtime is killed and started again, then no more load, until
// nothing waits any more; then the books of all actors, read after a last kill.

import { setTimeout as sleep } from "node:timers/promises";
import { ACTORS, actorName, FORGETFUL } from "./actors.ts";
import { Asker } from "./asker.ts";
import type { CallSeen, LifeSeen, Observations } from "./books/observations.ts";
import { drain } from "./drain.ts";
import { GOOD, type Life, type Present } from "./life.ts";
import { isEndless } from "./parcel.ts";
import { parcelsOf, rhythmsOf } from "./plan/contents.ts";
import type { Plan } from "./plan/plan.ts";
import type { PutBack } from "./register.ts";
import type { Runtime } from "./runtime.ts";
import { linesOf } from "./output.ts";
import type { Audit, Line, Question } from "./testimony.ts";

/** How many steps are under way at once. */
const HANDS = 12;
/** How much longer than planned the load may take. */
const GRACE_MS = 15_000;

export class Run {
  readonly #runtime: Runtime;
  readonly #plan: Plan;
  readonly #seconds: number;
  readonly #say: (text: string) => void;
  readonly #kills: number[] = [];
  readonly #lives: LifeSeen[] = [];
  readonly #putBacks: (PutBack & { readonly lifeKept: number; readonly life: number })[] = [];
  #kept: { readonly at: number; readonly life: number } | undefined;
  #forgetful = "";
  /** Resolves when the runtime is up. */
  #up: Promise<void> = Promise.resolve();

  constructor(runtime: Runtime, plan: Plan, seconds: number, say: (text: string) => void) {
    this.#runtime = runtime;
    this.#plan = plan;
    this.#seconds = seconds;
    this.#say = say;
  }

  async observe(): Promise<Observations> {
    const rhythms = rhythmsOf(this.#plan.steps);
    const asker = new Asker(this.#runtime, parcelsOf(this.#plan.steps), rhythms);
    await this.#start(this.#plan.lives[0] ?? GOOD);
    // Whose storage is put back: by this its files are named.
    this.#forgetful = String(await this.#answered({ verb: "whereabouts", actor: FORGETFUL }));
    const endAt = Date.now() + this.#seconds * 1_000;
    await Promise.all([this.#load(asker, endAt), this.#kill(endAt)]);
    this.#say(`the load is over, after ${this.#kills.length} kills`);
    const endless = [...rhythms].filter(([, rhythm]) => isEndless(rhythm)).map(([name]) => name);
    const drained = await drain(this.#runtime, asker, endless, this.#plan.lastRites, this.#say);
    // What is audited is what is on disk.
    await this.#killOnce();
    const audits: Audit[] = [];
    for (let actor = 0; actor < ACTORS; actor += 1)
      audits.push((await this.#answered({ verb: "audit", actor })) as Audit);
    await this.#runtime.kill();
    const lines = Array.from({ length: this.#runtime.lives }, (_, index) => index + 1)
      .filter((life) => !this.#isVoid(life))
      .flatMap((life) => linesOf(this.#runtime.output(life)));
    return {
      register: asker.register,
      letters: asker.letters,
      kills: this.#kills,
      lives: this.#lives,
      putBacks: this.#putBacks.map(({ actor, keptAt, at }) => ({ actor, keptAt, at })),
      entries: lines.flatMap((line) => ("entry" in line ? [line.entry] : [])),
      told: lines.flatMap((line) => ("told" in line ? [line.told] : [])),
      posted: lines.flatMap((line) => ("posted" in line ? [line.posted] : [])),
      alarms: lines.flatMap((line) => ("alarm" in line ? [line] : [])),
      cancelsAsked: lines.flatMap((line) => ("cancels" in line ? [line.cancels] : [])),
      births: lines.flatMap((line) => ("born" in line ? [{ actor: line.born, at: line.at }] : [])),
      calls: callsIn(lines),
      full: lines.flatMap((line) => ("full" in line ? [line] : [])),
      rejected: lines.flatMap((line) => ("rejected" in line ? [line] : [])),
      audits,
      ...drained,
    };
  }

  async #load(asker: Asker, endAt: number): Promise<void> {
    const steps = [...this.#plan.steps];
    const begun = performance.now();
    const hand = async (): Promise<void> => {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
        const wait = step.at - (performance.now() - begun);
        if (wait > 0) await sleep(wait);
        await this.#up;
        // A runtime that answers nothing must not be asked for ever.
        if (Date.now() > endAt + GRACE_MS) return;
        await asker.do(step);
      }
    };
    await Promise.all(Array.from({ length: HANDS }, hand));
  }

  async #kill(endAt: number): Promise<void> {
    for (const [index, { ms, surgery }] of this.#plan.lives.entries()) {
      await sleep(Math.min(ms, Math.max(0, endAt - Date.now())));
      if (Date.now() >= endAt) break;
      await this.#killOnce(this.#plan.lives[index + 1], surgery);
    }
    // The last code is the newest, which knows all, and nobody is out of order.
    await this.#killOnce();
  }

  async #killOnce(next: Present = GOOD, surgery: Life["surgery"] = "none"): Promise<void> {
    const restart = async (): Promise<void> => {
      this.#kills.push(await this.#runtime.kill());
      this.#operate(surgery);
      await this.#start(next);
    };
    this.#up = restart();
    await this.#up;
    this.#say(`kill ${this.#kills.length}${surgery === "none" ? "" : `, ${surgery}`}${describe(next)}`);
  }

  async #start(present: Present): Promise<void> {
    this.#lives.push({ code: present.code, outages: present.outages, at: Date.now() });
    await this.#runtime.start(present);
  }

  /** While the runtime is down. */
  #operate(surgery: Life["surgery"]): void {
    const life = this.#runtime.lives;
    if (surgery === "keep a copy") {
      this.#runtime.keepCopy();
      this.#kept = { at: Date.now(), life };
      return;
    }
    if (surgery === "none" || this.#kept === undefined) return;
    const isAll = surgery === "put back all";
    this.#runtime.putBack(isAll ? undefined : this.#forgetful);
    this.#putBacks.push({
      actor: isAll ? undefined : FORGETFUL,
      keptAt: this.#kept.at,
      at: Date.now(),
      lifeKept: this.#kept.life,
      life,
    });
  }

  async #answered(question: Question): Promise<unknown> {
    const reply = await this.#runtime.ask(question);
    if (reply.kind === "answered") return reply.value;
    throw new Error(`${JSON.stringify(question)} was answered ${JSON.stringify(reply)}`);
  }

  /** Whether all that a life has printed was taken back. */
  #isVoid(life: number): boolean {
    return this.#putBacks.some(
      (putBack) => putBack.actor === undefined && life > putBack.lifeKept && life <= putBack.life,
    );
  }
}

function describe({ code, outages }: Present): string {
  const broken = Object.entries(outages).map(([actor, outage]) => `${actorName(Number(actor))} ${outage}`);
  return [code === "new" ? [] : [`code: ${code}`], broken]
    .flat()
    .map((text) => `, ${text}`)
    .join("");
}

/** Calls, each with the moment of its answer, if there was one. */
function callsIn(lines: readonly Line[]): CallSeen[] {
  const answers = new Map(
    lines.flatMap((line) => ("answered" in line ? [[line.answered, line.at] as const] : [])),
  );
  return lines.flatMap((line) => {
    if (!("call" in line)) return [];
    const answeredAt = answers.get(line.call.nonce);
    return [{ ...line.call, ...(answeredAt === undefined ? {} : { answeredAt }) }];
  });
}
