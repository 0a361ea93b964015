// The model test: thousands of random commands, done to a mailbox and to a small model of it, which are
// compared whole after each. A failure shrinks to a short list of commands, which is printed, and its
// seed and path replay it.
//
// The clock stands still unless a command moves it, and stands years ahead, so that no real alarm fires:
// the bench plays the platform's part.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { env } from "cloudflare:workers";
import { Bench } from "./bench.ts";
import { allCommands, type Real } from "./commands.ts";
import { Model } from "./model.ts";

const START = Date.UTC(2040, 0, 1);
const { MODEL_RUNS: runs, MODEL_SEED: seed, MODEL_PATH: path, MODEL_REPLAY: replay } = env.MODEL;
const numRuns = Number(runs ?? 150);

let clock = START;

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: clock });
});
afterAll(() => {
  vi.useRealTimers();
});

describe("a mailbox does what its model does", () => {
  it(
    "whatever is sent, fails, dies, is cancelled, moved, paused or put back",
    { timeout: 600_000 },
    async () => {
      let steps = 0;
      await fc.assert(
        fc.asyncProperty(allCommands(60, replay), async (commands) => {
          const real: Real = { bench: new Bench(clock), uncounted: new Map(), steps: 0 };
          try {
            await fc.asyncModelRun(() => ({ model: new Model(clock), real }), commands);
          } finally {
            clock = real.bench.now;
            steps += real.steps;
          }
        }),
        {
          numRuns,
          ...(seed === undefined ? {} : { seed: Number(seed) }),
          ...(path === undefined ? {} : { path, endOnFailure: true }),
        },
      );
      if (path === undefined) expect(steps).toBeGreaterThan(numRuns * 10);
      console.log(`model: ${numRuns} runs, ${steps} commands`);
    },
  );
});
