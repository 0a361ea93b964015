// What the figures have to be: `aim` is what is wanted, `must` what is not to be missed.

import type { Result } from "./result.ts";

export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly aim: number | undefined;
  readonly must: number;
  readonly isMet: boolean;
}

/** Each target, and whether it is met. */
export function verdicts(result: Result): Verdict[] {
  const { enqueue, drain, handlers, rows, growth, rpc, outbox, recurrences, lateness, bundle } = result;
  const both = outbox.rows.sender.written + outbox.rows.receiver.written;
  const all: [what: string, value: number, aim: number | undefined, must: number][] = [
    ["enqueue, small, ratio to the floor", enqueue.small.ratio, 1.35, 1.5],
    ["drain, handler writes a row; floor + parse + the same write", handlers.write.ratio, 1.7, 1.8],
    ["drain, small, handler does nothing", drain.small.ratio, 2.2, 2.3],
    ["drain, async handler", handlers.async.ratio, 1.6, 1.8],
    ["enqueue, 5 KB webhook", enqueue.medium.ratio, 1.2, 1.3],
    ["enqueue, 5 KB in 191 objects", enqueue.nested.ratio, undefined, 1.5],
    ["drain, 5 KB; floor + JSON.parse", drain.medium.ratio, 1.15, 1.3],
    ["enqueue, rich; superjson.stringify + insert", enqueue.rich.ratio, 1.15, 1.3],
    ["drain, rich; floor + superjson.parse", drain.rich.ratio, 1.15, 1.3],
    ["rows written for a one-shot message", rows.written, 2, 2.01],
    ["rows read for it", rows.read, 2.05, 2.1],
    ["growth of enqueue, 1,000 to 100,000 pending", growth.enqueue, 1.15, 1.3],
    ["growth of drain", growth.drain, 1.15, 1.3],
    ["sendAll of 1,000; as many concurrent sends", rpc.sendAll.ratio, 0.1, 0.2],
    ["concurrent sends by RPC; bare INSERT by RPC", rpc.concurrent.ratio, 0.4, 1.1],
    ["rows written for a message by the outbox, both sides", both, 4.05, 4.1],
    ["rows written for an occurrence", recurrences.rows.written, 2, 2.01],
    ["median lateness over a bare alarm's, ms", lateness.oursMs - lateness.floorMs, 1, 5],
    ["main entry, KB gzip", (bundle["."]?.gzip ?? Number.NaN) / 1_000, 20, 25],
  ];
  return all.map(([what, value, aim, must]) => ({
    what,
    value: Number(value.toFixed(3)),
    aim,
    must,
    isMet: value <= must,
  }));
}
