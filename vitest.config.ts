import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/longest-first.ts";

// Drawn once for all workers: a failure prints it, and `SLUICE_TEST_SEED=N npx vitest run …` has it again. verify sets it.
process.env.SLUICE_TEST_SEED ??= String(Date.now() % 1_000_000);

const folders = "{runtime,actors,adapters,connectors,gateway,cli,bench,scripts}";

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [`${folders}/**/*.test.ts`],
          setupFiles: "tests/properties.ts",
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["tests/**/*.test.ts"],
          globalSetup: "tests/global-setup.ts",
          // Real servers on a shared machine: a limit for what hangs, not a measure of speed.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
