// Runs an actor in the local runtime at both ends of what the README promises: the first date without
// flags, and the first date with `nodejs_compat`. Sends a message and waits until it has been handled.
import { setTimeout as sleep } from "node:timers/promises";
import { createTestHarness } from "wrangler";

const ends = [
  { date: "2026-09-01", flags: [] },
  { date: "2026-04-21", flags: ["nodejs_compat"] },
];
const PATIENCE_MS = 15_000;

for (const { date, flags } of ends) await smoke(date, flags);
console.log(`smoke: ${ends.length} passed, 0 failed`);

async function smoke(date: string, flags: string[]): Promise<void> {
  const server = createTestHarness({
    root: import.meta.dirname,
    workers: [
      {
        config: {
          name: "durable-mailbox-smoke",
          main: "smoke/worker.ts",
          compatibility_date: date,
          compatibility_flags: flags,
          durable_objects: { bindings: [{ name: "PROBES", class_name: "Probe" }] },
          migrations: [{ tag: "v1", new_sqlite_classes: ["Probe"] }],
        },
      },
    ],
  });
  try {
    await server.listen();
    const sent = await server.fetch(`/send?text=${date}`);
    if (!sent.ok)
      throw new Error(`Expected the send to be accepted, got ${sent.status}: ${await sent.text()}`);
    const id = await sent.text();
    const started = performance.now();
    while ((await (await server.fetch("/noted")).text()) !== date) {
      if (performance.now() - started > PATIENCE_MS) throw new Error(`Message ${id} was not handled.`);
      await sleep(20);
    }
    const took = Math.round(performance.now() - started);
    console.log(
      `compatibility_date ${date} ${flags.join(" ") || "without flags"}: ${id} handled in ${took} ms`,
    );
  } catch (error) {
    server.debug();
    throw error;
  } finally {
    await server.close();
  }
}
