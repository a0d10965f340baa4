import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/longest-first.ts";

const folders = "{runtime,actors,adapters,connectors,gateway,cli,bench,scripts}";

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: "unit", include: [`${folders}/**/*.test.ts`], testTimeout: 60_000 },
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
