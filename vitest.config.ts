import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// The local runtime asks no outside host for Request.cf, and sends no usage data.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";

// For the model test: MODEL_RUNS, MODEL_SEED, and MODEL_PATH and MODEL_REPLAY of a counter-example.
const given = Object.entries(process.env).flatMap(([name, value]) =>
  name.startsWith("MODEL_") && value !== undefined ? [[name, value] as const] : [],
);

const patience = { testTimeout: 20_000, hookTimeout: 20_000, teardownTimeout: 60_000 } as const;

export default defineConfig({
  test: {
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
          exclude: ["test/node/**", "**/node_modules/**"],
        },
      },
      {
        test: {
          ...patience,
          name: "node",
          environment: "node",
          include: ["test/node/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
    ],
  },
});
