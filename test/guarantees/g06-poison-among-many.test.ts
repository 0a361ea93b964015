import { describe, expect, it } from "vitest";
import { actor, until } from "../support/scripted.ts";

const MANY = 1_000;

describe("G6 a message that kills its object, among a thousand others", () => {
  for (const place of [0, 500, 999]) {
    it(`uses up its own attempts, and the others are delivered before its third run, when it is number ${place}`, async () => {
      const maxAttempts = 3;
      const seen = new Set<unknown>();
      let runs = 0;
      let runsBefore: number | undefined;
      const box = actor((self) => ({
        settings: { console: false, onEvent: () => {} },
        receive: {
          note: (n) => {
            seen.add(n);
            if (seen.size === MANY - 1) runsBefore ??= runs;
          },
          poison: {
            maxAttempts,
            backoff: 10,
            handle: () => {
              runs += 1;
              self.state.abort("killed by its handler");
            },
          },
        },
      }));
      const due = Date.now() + 1_000;
      const ids = await box.ref.sendAll(
        Array.from({ length: MANY }, (_, n) => ({
          type: n === place ? "poison" : "note",
          payload: n,
          at: due,
        })),
      );
      await until(() => runsBefore !== undefined, "all the others");
      const letter = await until(
        () => box.ref.deadLetter(ids[place] ?? "").catch(() => undefined),
        "the dead letter",
      );
      expect(runsBefore).toBeLessThanOrEqual(2);
      expect(letter.reason).toBe("crashed");
      expect(letter.errors.map(({ attempt, outcome }) => [attempt, outcome])).toEqual(
        Array.from({ length: maxAttempts }, (_, n) => [n + 1, "crashed"]),
      );
      expect(runs).toBeLessThanOrEqual(maxAttempts + 2);
      expect((await box.ref.stats()).pending).toBe(0);
    });
  }
});
