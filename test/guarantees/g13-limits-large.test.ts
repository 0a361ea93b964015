// What a drain takes into memory is a page, which is bounded in bytes; the pages are watched at the
// statement that reads them, because no runtime tells a Worker how much memory it uses.

import { beforeAll, describe, expect, it } from "vitest";
import { takePages, watchPages } from "../support/pages.ts";
import { actor, until } from "../support/scripted.ts";

const PAGE_UNITS = 1024 * 1024;

beforeAll(watchPages);

describe("G13 A backlog of 5,000 messages of 100 KB", () => {
  it("drains wholly and in order, never with more than a page's bytes at once, with requests in between", async () => {
    const count = 5_000;
    const filling = "x".repeat(100_000);
    let next = 0;
    let wrong = 0;
    const box = actor({
      receive: {
        note: (payload) => {
          const { n, text } = payload as { n: number; text: string };
          if (n !== next || text.length !== filling.length) wrong += 1;
          next += 1;
        },
      },
      settings: { onEvent: undefined as never },
    });
    await box.ref.pause();
    for (let from = 0; from < count; from += 100) {
      await box.inside((self) => {
        self.sendAll(
          Array.from({ length: 100 }, (_, n) => ({
            type: "note",
            payload: { n: from + n, text: filling },
          })),
        );
      });
    }
    expect(await box.ref.stats()).toMatchObject({ pending: count, delivered: 0 });
    takePages();
    await box.ref.resume();
    const between = new Set<number>();
    await until(async () => {
      const { pending } = await box.ref.stats();
      if (pending > 0 && pending < count) between.add(pending);
      return pending === 0;
    }, "an empty mailbox");
    expect({ next, wrong }).toEqual({ next: count, wrong: 0 });
    expect(between.size).toBeGreaterThan(10);
    expect(await box.ref.stats()).toMatchObject({
      pending: 0,
      due: 0,
      failed: 0,
      delivered: count,
      nextWake: undefined,
    });
    const pages = takePages();
    expect(pages.reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThanOrEqual(count);
    // The row that fills a page is the last of it.
    for (const { units, lastUnits } of pages) expect(units - lastUnits).toBeLessThan(PAGE_UNITS);
    expect(Math.max(...pages.map(({ rows }) => rows))).toBeGreaterThan(1);
  });
});
