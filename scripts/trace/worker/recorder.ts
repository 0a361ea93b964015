// Where the instrumented sources say what is called. The Worker and its objects share the isolate, so one
// record has both sides of an RPC.

import type { Call, Recording } from "../calls.ts";

/** What is read of V8's frame: the position at which its function begins says which function it is. */
interface Frame {
  getScriptNameOrSourceURL(): string | null;
  getEnclosingLineNumber(): number;
  getEnclosingColumnNumber(): number;
}

const engine = Error as unknown as {
  stackTraceLimit: number;
  prepareStackTrace: ((error: Error, frames: readonly Frame[]) => unknown) | undefined;
};
const FRAMES = 500;

/** The functions of the library, by where they begin; learned as they are entered. */
const known = new Set<string>();
let calls: Call[] = [];
let ranAt: number[] = [];
let open = 0;

// Time stands still while the library is at work: a slow machine, and this recording, change no way.
const clock = Date.now;
let startedAt = 0;
Date.now = () => (open === 0 ? clock() : startedAt);

/** What every function of the library begins with; what it answers is disposed of when the function ends. */
export function enter(file: string, name: string): Disposable {
  if (open === 0) startedAt = clock();
  open += 1;
  calls.push({ file, name, depth: depth() });
  return {
    [Symbol.dispose]() {
      open -= 1;
    },
  };
}

/** A handler runs. */
export function ran(): void {
  ranAt.push(Date.now());
}

export function recorded(): Recording {
  return { calls, open, ranAt };
}

/** What is recorded, and begins a new record. */
export function take(): Recording {
  const recording = recorded();
  calls = [];
  ranAt = [];
  return recording;
}

/** How many functions of the library the present one is called by. The engine's stack goes on beyond an `await`. */
function depth(): number {
  // The first three are `stack`, this function and `enter`.
  const [self, ...callers] = stack()
    .slice(3)
    .map(
      (frame) =>
        `${frame.getScriptNameOrSourceURL()}:${frame.getEnclosingLineNumber()}:${frame.getEnclosingColumnNumber()}`,
    );
  if (self !== undefined) known.add(self);
  return callers.filter((caller) => known.has(caller)).length;
}

/** As it was for everybody else before and after: the library keeps the stacks of what handlers throw. */
function stack(): readonly Frame[] {
  const { stackTraceLimit, prepareStackTrace } = engine;
  engine.stackTraceLimit = FRAMES;
  engine.prepareStackTrace = (_error, frames) => frames;
  const frames = new Error().stack as unknown as readonly Frame[];
  engine.stackTraceLimit = stackTraceLimit;
  engine.prepareStackTrace = prepareStackTrace;
  return frames;
}
