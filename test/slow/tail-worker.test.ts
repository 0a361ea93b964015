// What a Tail Worker gets of an actor. It is no subscriber of the diagnostics channel, and only bare workerd has one.

import { describe, expect, it } from "vitest";
import { Lab } from "./lab.ts";

const TAIL = `export default {
  tail(traces) {
    for (const { diagnosticsChannelEvents } of traces)
      for (const { channel, message } of diagnosticsChannelEvents)
        console.log(JSON.stringify({ line: "tailed", channel, message }));
  },
};`;

describe("a Tail Worker", () => {
  it("gets what is no success of every mailbox, with whose it is", async () => {
    const lab = new Lab();
    await lab.deploy("sleeper.ts", { SLEEPERS: "Sleeper" }, { VERSION: 1 }, TAIL);
    await lab.ask("/?text=fail&in=200");
    const tailed = await lab.until(() => {
      const found = lab.lines().filter(({ line }) => line === "tailed");
      return found.length > 0 ? found : undefined;
    }, "what is published");
    expect(tailed).toMatchObject([
      {
        channel: "durable-mailbox",
        message: {
          event: "deadLettered",
          type: "note",
          error: { message: "fail" },
          actor: { className: "Sleeper", name: "one", id: expect.any(String) },
        },
      },
    ]);
  });
});
