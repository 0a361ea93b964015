// An object that nobody has used for ten seconds is evicted, and its own alarm makes it anew: the commonest
// wake of all. Only bare workerd runs the constructor before `alarm()`, as production does.

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Lab } from "./lab.ts";

const OBJECTS = { SLEEPERS: "Sleeper" };

describe("G1 An object that its own alarm makes anew", () => {
  it("runs its message without a lease, healing nothing", async () => {
    const lab = new Lab();
    await lab.deploy("sleeper.ts", OBJECTS, { VERSION: 1 });
    await lab.ask("/?text=after+a+sleep&in=14000");
    await lab.until(() => lab.lines().some(({ line }) => line === "ran"), "the delivery");
    await lab.until(() => lab.lines().length >= 5, "all that is told of it");
    expect(lab.lines()).toEqual([
      { line: "made", version: 1 },
      { line: "told", event: "accepted" },
      { line: "made", version: 1 },
      { line: "ran", text: "after a sleep", attempt: 1, leased: 0 },
      { line: "told", event: "delivered" },
    ]);
  });

  it("delivers what came due while nothing ran, by the next version of the code", async () => {
    const lab = new Lab();
    await lab.deploy("sleeper.ts", OBJECTS, { VERSION: 1 });
    await lab.ask("/?text=missed&in=6000");
    await lab.kill();
    await sleep(9_000);
    await lab.deploy("sleeper.ts", OBJECTS, { VERSION: 2 });
    await lab.until(() => lab.lines().some(({ line }) => line === "ran"), "the delivery");
    expect(lab.lines().filter(({ line }) => line !== "told")).toMatchObject([
      { line: "made", version: 1 },
      { line: "made", version: 2 },
      { line: "ran", text: "missed", attempt: 1 },
    ]);
  });
});
