import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/longest-first.ts";
import { useOwnTempFolder } from "./tests/temp-folder.ts";

// Drawn once for all workers: a failure prints it, and `SLUICE_TEST_SEED=N npx vitest run …` has it again. verify sets it.
process.env.SLUICE_TEST_SEED ??= String(Date.now() % 1_000_000);

useOwnTempFolder();

const folders = "{runtime,actors,adapters,connectors,gateway,console/src,cli,bench,scripts}";

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    // Limits for what hangs, on a shared machine under load, and not measures of speed.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [`${folders}/**/*.test.ts`],
          setupFiles: "tests/properties.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["tests/**/*.test.ts"],
          globalSetup: "tests/global-setup.ts",
          // With real servers.
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
