// The commands of the model test: each is done to the model and to the real mailbox, and after each the
// two are compared, whole.

import fc from "fast-check";
import type { Bench } from "./bench.ts";
import { expectSame, type Model, newMessage, Refuted } from "./model.ts";
import { everySpec, type EverySpec, pick, spec, type Spec } from "./plan.ts";
import { follow, type Uncounted } from "./play.ts";
import { headOf, sameAsView, type View } from "./view.ts";

/** The two that are compared. */
export interface Real {
  readonly bench: Bench;
  readonly uncounted: Uncounted;
  /** Commands done. */
  steps: number;
}

class Command implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #args: readonly unknown[];
  readonly #run: (model: Model, real: Real) => Promise<View | void>;

  constructor(
    name: string,
    args: readonly unknown[],
    run: (model: Model, real: Real) => Promise<View | void>,
  ) {
    this.#name = name;
    this.#args = args;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    real.steps += 1;
    const seen = await this.#run(model, real);
    model.now = real.bench.now;
    const view = seen ?? (await real.bench.view());
    const difference = sameAsView(model, view);
    if (difference !== undefined) throw new Refuted(difference);
    const head = headOf(model);
    if (
      head !== Number.POSITIVE_INFINITY &&
      (view.armed === null || view.armed > Math.max(head, model.now + 1))
    ) {
      throw new Refuted(`Something is to be done at ${head}, and the alarm is set for ${view.armed}.`);
    }
  }

  toString(): string {
    return `${this.#name}(${this.#args.map((arg) => JSON.stringify(arg)).join(", ")})`;
  }
}

function send(what: Spec, from: "inside" | "ref"): Command {
  return new Command("send", [what, from], async (model, { bench }) => {
    const label = bench.label(what);
    const { when } = what;
    const options = bench.optionsOf(what);
    const sent =
      from === "inside"
        ? await bench.actor.inside((self) => bench.send(self, label, what))
        : when.at === "now"
          ? await bench.actor.ref.send(what.kind, { label }, options)
          : when.at === "later"
            ? await bench.actor.ref.sendLater(new Date(bench.now + when.by), what.kind, { label }, options)
            : await bench.actor.ref.sendIn(when.by, what.kind, { label }, options);
    if (from === "ref") bench.ids.push(sent);
    expectSame(
      "What the send answered",
      sent,
      model.accept(newMessage(sent, label, what, model.now), what.ifPending),
    );
  });
}

function sendEvery(what: EverySpec): Command {
  return new Command("sendEvery", [what], async (model, { bench }) => {
    const label = bench.labelEvery(what);
    const { kind, key, every, startIn, times, missed, maxAttempts, backoff, steps } = what;
    const id = await bench.actor.inside((self) =>
      self.sendEvery(
        every,
        kind,
        { label },
        {
          key,
          missed,
          maxAttempts,
          backoff,
          ...(startIn === undefined ? {} : { startAt: new Date(bench.now + startIn) }),
          ...(times === undefined ? {} : { times }),
          ...(steps.some((step) => step.do === "hang") ? { timeout: 5 } : {}),
        },
      ),
    );
    if (!bench.ids.includes(id)) bench.ids.push(id);
    model.declare(id, label, what);
  });
}

function fire(isRestart: boolean): Command {
  return new Command("fire", [isRestart ? "restart" : "rerun"], (model, real) =>
    fired(model, real, isRestart),
  );
}

/** To the time of the alarm, and on. */
function wait(): Command {
  return new Command("wait", [], async (model, real) => {
    const { armed } = await real.bench.view();
    if (armed !== null && armed - real.bench.now < 60_000)
      real.bench.advance(Math.max(0, armed - real.bench.now));
    return fired(model, real, false);
  });
}

async function fired(model: Model, { bench, uncounted }: Real, isRestart: boolean): Promise<View> {
  const done = await bench.fire(isRestart);
  const view = await bench.view();
  model.now = bench.now;
  if (done !== undefined) {
    follow(model, bench.specs, { ...done, view }, uncounted);
    if (done.crashed) return view;
  }
  const left = headOf(model);
  if (done !== undefined && left <= model.now) throw new Refuted(`The wake left what was due at ${left}.`);
  return view;
}

const commands: fc.Arbitrary<fc.AsyncCommand<Model, Real>>[] = [
  fc.tuple(spec, fc.constantFrom("inside" as const, "ref" as const)).map(([what, from]) => send(what, from)),
  everySpec.map(sendEvery),
  pick.map(
    (at) =>
      new Command("cancel", [at], async (model, { bench }) => {
        const id = bench.pickId(at);
        expectSame("cancel", await bench.actor.ref.cancel(id), model.cancel(id));
      }),
  ),
  fc
    .tuple(fc.constantFrom("sync" as const, "async" as const, "lazy" as const), fc.constantFrom("a", "b"))
    .map(
      ([type, key]) =>
        new Command("cancelKey", [type, key], async (model, { bench }) => {
          const holder = model.holder(type, key);
          const expected = holder !== undefined && model.cancel(holder.id);
          expectSame("cancel by key", await bench.actor.ref.cancel({ type, key }), expected);
        }),
    ),
  fc.tuple(pick, fc.integer({ min: -3_000, max: 5_000 })).map(
    ([at, by]) =>
      new Command("reschedule", [at, by], async (model, { bench }) => {
        const id = bench.pickId(at);
        const is = await bench.actor.ref.reschedule(id, new Date(bench.now + by));
        expectSame("reschedule", is, model.reschedule(id, bench.now + by));
      }),
  ),
  fc.integer({ min: 1, max: 6_000 }).map(
    (ms) =>
      new Command("advance", [ms], async (_, { bench }) => {
        bench.advance(ms);
      }),
  ),
  fc.boolean().map(fire),
  fc.constant(wait()),
  fc
    .constantFrom("evict" as const, "crash" as const)
    .map((how) => new Command(how, [], (_, { bench }) => bench.end(how))),
  fc.tuple(pick, fc.option(fc.integer({ min: -1_000, max: 3_000 }), { nil: undefined })).map(
    ([at, by]) =>
      new Command("redrive", [at, by], async (model, { bench, uncounted }) => {
        const id = bench.pickId(at);
        const options = by === undefined ? {} : { at: new Date(bench.now + by) };
        const expected = model.redrive(id, by === undefined ? undefined : bench.now + by);
        expectSame("redrive", await bench.actor.ref.redrive(id, options), expected);
        uncounted.delete(id);
      }),
  ),
  fc.constant(
    new Command("redriveAll", [], async (model, { bench, uncounted }) => {
      expectSame("redriveAll", await bench.actor.ref.redriveAll(), model.redriveAll());
      uncounted.clear();
    }),
  ),
  pick.map(
    (at) =>
      new Command("purge", [at], async (model, { bench }) => {
        const id = bench.pickId(at);
        expectSame("purge", await bench.actor.ref.purge(id), model.state.letters.delete(id));
      }),
  ),
  fc.constantFrom("exhausted" as const, "crashed" as const, "rejected" as const).map(
    (reason) =>
      new Command("purgeAll", [reason], async (model, { bench }) => {
        const letters = [...model.state.letters.values()].filter((letter) => letter.reason === reason);
        for (const { message } of letters) model.state.letters.delete(message.id);
        expectSame("purgeAll", await bench.actor.ref.purgeAll({ reason }), letters.length);
      }),
  ),
  fc.boolean().map(
    (paused) =>
      new Command(paused ? "pause" : "resume", [], async (model, { bench }) => {
        await (paused ? bench.actor.ref.pause() : bench.actor.ref.resume());
        model.state.paused = paused;
      }),
  ),
];

const WEIGHTS = [10, 2, 2, 1, 2, 3, 3, 8, 2, 2, 1, 1, 1, 2];

/** Sequences of commands. A wait after most sends keeps them from only piling up. */
export function allCommands(
  maxCommands: number,
  replayPath?: string,
): fc.Arbitrary<Iterable<fc.AsyncCommand<Model, Real>>> {
  const weighted = commands.flatMap((command, index) =>
    Array.from({ length: WEIGHTS[index] ?? 1 }, () => command),
  );
  return fc.commands(weighted, {
    maxCommands,
    size: "max",
    ...(replayPath === undefined ? {} : { replayPath }),
  });
}
