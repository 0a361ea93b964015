// One run: load from the plan while the runtime is killed and started again, then no more load, until
// nothing waits any more; then the books of all actors, read after a last kill.

import { setTimeout as sleep } from "node:timers/promises";
import { Asker } from "./asker.ts";
import type { Observations } from "./books/observations.ts";
import { drain } from "./drain.ts";
import { CLERKS, isEndless, type Parcel, type Rhythm } from "./parcel.ts";
import { withDescendants } from "./parcels.ts";
import type { Plan } from "./plan.ts";
import type { Runtime } from "./runtime.ts";
import { linesOf } from "./output.ts";
import type { Audit } from "./testimony.ts";

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
  /** Resolves when the runtime is up. */
  #up: Promise<void> = Promise.resolve();

  constructor(runtime: Runtime, plan: Plan, seconds: number, say: (text: string) => void) {
    this.#runtime = runtime;
    this.#plan = plan;
    this.#seconds = seconds;
    this.#say = say;
  }

  async observe(): Promise<Observations> {
    const rhythms = rhythmsOf(this.#plan);
    const asker = new Asker(this.#runtime, parcelsOf(this.#plan), rhythms);
    await this.#runtime.start(this.#plan.lives[0]?.isOld);
    const endAt = Date.now() + this.#seconds * 1_000;
    await Promise.all([this.#load(asker, endAt), this.#kill(endAt)]);
    this.#say(`the load is over, after ${this.#kills.length} kills`);
    const lateness = await drain(
      this.#runtime,
      asker,
      [...rhythms.values()].filter(isEndless).map(({ key }) => key),
      this.#plan.lastRites,
      this.#say,
    );
    // What is audited is what is on disk.
    await this.#killOnce();
    const audits: Audit[] = [];
    for (let actor = 0; actor < CLERKS; actor += 1) {
      const reply = await this.#runtime.ask({ verb: "audit", actor });
      if (reply.kind !== "answered")
        throw new Error(`clerk-${actor} cannot be audited: ${JSON.stringify(reply)}`);
      audits.push(reply.value as Audit);
    }
    await this.#runtime.kill();
    const lines = Array.from({ length: this.#runtime.lives }, (_, life) =>
      linesOf(this.#runtime.output(life + 1)),
    ).flat();
    return {
      register: asker.register,
      letters: asker.letters,
      kills: this.#kills,
      entries: lines.flatMap((line) => ("entry" in line ? [line.entry] : [])),
      told: lines.flatMap((line) => ("told" in line ? [line.told] : [])),
      posted: lines.flatMap((line) => ("posted" in line ? [line.posted] : [])),
      alarms: lines.flatMap((line) => ("alarm" in line ? [line] : [])),
      cancelsAsked: lines.flatMap((line) => ("cancels" in line ? [line.cancels] : [])),
      births: lines.flatMap((line) => ("born" in line ? [{ actor: line.born, at: line.at }] : [])),
      audits,
      lateness,
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
    for (const [index, { ms }] of this.#plan.lives.entries()) {
      await sleep(Math.min(ms, Math.max(0, endAt - Date.now())));
      if (Date.now() >= endAt) break;
      await this.#killOnce(this.#plan.lives[index + 1]?.isOld);
    }
    // The last code is the newest, which knows all.
    await this.#killOnce();
  }

  async #killOnce(isOld = false): Promise<void> {
    const restart = async (): Promise<void> => {
      this.#kills.push(await this.#runtime.kill());
      await this.#runtime.start(isOld);
    };
    this.#up = restart();
    await this.#up;
    this.#say(`kill ${this.#kills.length}${isOld ? ", and an older version of the code" : ""}`);
  }
}

function parcelsOf({ steps }: Plan): Map<string, Parcel> {
  const parcels = new Map<string, Parcel>();
  for (const step of steps) {
    if (step.do !== "send" && step.do !== "order") continue;
    for (const root of step.parcels)
      for (const parcel of withDescendants(root)) parcels.set(parcel.n, parcel);
  }
  return parcels;
}

function rhythmsOf({ steps }: Plan): Map<string, Rhythm> {
  const declared = steps.flatMap((step) => {
    if (step.do === "declare") return [step.rhythm];
    if (step.do !== "order") return [];
    return step.declares;
  });
  const inHandlers = [...parcelsOf({ steps } as Plan).values()].flatMap(({ declares = [] }) => declares);
  return new Map([...declared, ...inHandlers].map((rhythm) => [rhythm.key, rhythm]));
}
