import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// The local runtime asks no outside host for Request.cf, and sends no usage data.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";

// For the model test: MODEL_RUNS, MODEL_SEED, and MODEL_PATH and MODEL_REPLAY of a counter-example.
const given = Object.entries(process.env).flatMap(([name, value]) =>
  name.startsWith("MODEL_") && value !== undefined ? [[name, value] as const] : [],
);

// A deadline is for what hangs, and says nothing of how fast something is: the machine may be slow, and busy.
const patience = { testTimeout: 300_000, hookTimeout: 300_000, teardownTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    // So many runtimes. Tests wait for real alarms more than they work, so two are never too many.
    maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
    silent: "passed-only",
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./test/wrangler.toml" },
            miniflare: { bindings: { MODEL: Object.fromEntries(given) } },
          }),
        ],
        // Snippets of the docs name the package as its users do.
        resolve: {
          alias: [
            { find: /^durable-mailbox$/, replacement: `${import.meta.dirname}/actors/index.ts` },
            { find: /^durable-mailbox\/mailbox$/, replacement: `${import.meta.dirname}/mailbox/index.ts` },
            {
              find: /^durable-mailbox\/taskmanager$/,
              replacement: `${import.meta.dirname}/taskmanager/index.ts`,
            },
          ],
        },
        test: {
          ...patience,
          name: "workerd",
          include: ["test/**/*.test.ts"],
          exclude: ["test/node/**", "test/slow/**", "**/node_modules/**"],
          // A runtime takes one file after another; each leaves nothing behind (test/support/leave-nothing.ts).
          isolate: false,
          setupFiles: ["test/support/leave-nothing.ts"],
        },
      },
      {
        test: { ...patience, name: "node", environment: "node", include: ["test/node/**/*.test.ts"] },
      },
      {
        // They wait for real minutes, so they wait side by side.
        test: {
          ...patience,
          testTimeout: 900_000,
          name: "slow",
          environment: "node",
          include: ["test/slow/**/*.test.ts"],
          maxWorkers: 6,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
