import { describe, expect, it } from "vitest";
import { actor, until } from "../support/scripted.ts";

const PATIENCE_MS = 60_000;
const MANY = 1_000;

describe(
  "G6 a message that kills its object, among a thousand others",
  { timeout: PATIENCE_MS + 10_000 },
  () => {
    for (const place of [0, 500, 999]) {
      it(`uses up its own attempts, and the others are delivered within 10 s, when it is number ${place}`, async () => {
        const maxAttempts = 3;
        const seen = new Set<unknown>();
        let entered = 0;
        let firstCrash = 0;
        let allDelivered = 0;
        const box = actor((self) => ({
          settings: { onEvent: () => {} },
          receive: {
            note: (n) => {
              seen.add(n);
              if (seen.size === MANY - 1) allDelivered = performance.now();
            },
            poison: {
              maxAttempts,
              backoff: 10,
              handle: () => {
                entered += 1;
                if (firstCrash === 0) firstCrash = performance.now();
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
        await until(() => allDelivered > 0, "all the others", PATIENCE_MS);
        const letter = await until(
          () => box.ref.deadLetter(ids[place] ?? "").catch(() => undefined),
          "the dead letter",
          PATIENCE_MS,
        );
        const ms = Math.round(allDelivered - firstCrash);
        console.log(
          `poison as number ${place} of ${MANY}: all others delivered ${ms} ms after its first crash, ${entered} runs for ${letter.errors.length} attempts`,
        );
        expect(ms).toBeLessThan(10_000);
        expect(letter.reason).toBe("crashed");
        expect(letter.errors.map(({ attempt, outcome }) => [attempt, outcome])).toEqual(
          Array.from({ length: maxAttempts }, (_, n) => [n + 1, "crashed"]),
        );
        expect(entered).toBeLessThanOrEqual(maxAttempts + 2);
        expect((await box.ref.stats()).pending).toBe(0);
      });
    }
  },
);
