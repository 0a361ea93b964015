// What a drain takes into memory is a page. No runtime tells a Worker how much memory it uses, so the
// pages are watched instead, at the statement that reads them.

import { beforeAll, describe, expect, it } from "vitest";
import { takePages, watchPages } from "../support/pages.ts";
import { actor, until } from "../support/scripted.ts";

const PAGE_ROWS = 1_000;
const PAGE_UNITS = 1024 * 1024;

beforeAll(watchPages);

describe("G13 A backlog of 200,000 small messages", () => {
  it("drains wholly and in order, in pages of bounded size, with requests in between", async () => {
    const count = 200_000;
    let next = 0;
    let wrong = 0;
    const box = actor({
      receive: {
        note: (n) => {
          if (n !== next) wrong += 1;
          next += 1;
        },
        late: () => {},
      },
      // Nobody listens: what is told of each message is not what is looked at here.
      settings: { onEvent: undefined as never },
    });
    await box.ref.pause();
    for (let from = 0; from < count; from += 10_000) {
      await box.inside((self) => {
        self.sendAll(Array.from({ length: 10_000 }, (_, n) => ({ type: "note", payload: from + n })));
      });
    }
    expect(await box.ref.stats()).toMatchObject({ pending: count, delivered: 0 });
    takePages();
    await box.ref.resume();
    const between = new Set<number>();
    let late: string | undefined;
    await until(async () => {
      const { pending } = await box.ref.stats();
      if (pending > 0 && pending < count) between.add(pending);
      // One that is sent meanwhile is taken too.
      if (between.size === 5) late ??= await box.ref.send("late", 1);
      return pending === 0;
    }, "an empty mailbox");
    expect({ next, wrong }).toEqual({ next: count, wrong: 0 });
    expect(between.size).toBeGreaterThan(10);
    expect(late).toBeTypeOf("string");
    expect(await box.ref.stats()).toMatchObject({
      pending: 0,
      due: 0,
      failed: 0,
      delivered: count + 1,
      nextWake: undefined,
    });
    const pages = takePages();
    expect(pages.reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThanOrEqual(count);
    for (const { limit, rows, units } of pages) {
      expect(limit).toBeLessThanOrEqual(PAGE_ROWS);
      expect(rows).toBeLessThanOrEqual(limit);
      expect(units).toBeLessThanOrEqual(PAGE_UNITS);
    }
    // And they do grow, by how much is a matter of the machine.
    expect(Math.max(...pages.map(({ rows }) => rows))).toBeGreaterThan(1);
  });
});
