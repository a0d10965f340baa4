import { afterAll, expect, test } from "vitest";
import { perform } from "./perform.ts";
import { lineOf, repeatCommand } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import { endShared } from "./stage.ts";

/** What hangs ends by a limit of its own before. */
const timeout = 300_000;

/** A test for each scenario, once, in its short form. */
export function testInShortForm(scenarios: readonly Scenario[]): void {
  const seed = Number(process.env.SLUICE_TEST_SEED);
  afterAll(endShared);
  for (const scenario of scenarios) {
    test(scenario.name, { timeout }, async () => {
      const result = await perform(scenario, seed, "short");
      process.stdout.write(`${lineOf(result)}\n`);
      expect(result.failure, repeatCommand(result, "short")).toBeUndefined();
    });
  }
}
