import { afterAll, expect, test } from "vitest";
import { perform, type Result } from "./suite/perform.ts";
import { lineOf, repeatCommand, tableOf } from "./suite/report.ts";
import { scenarios } from "./suite/scenarios.ts";
import { endShared } from "./suite/stage.ts";

/** Set by `npm run chaos` (suite/main.ts). */
const { CHAOS_MINUTES, CHAOS_ONLY } = process.env;
const firstSeed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
/** For one run; what hangs ends by a limit of its own before. */
const limit = 600_000;

afterAll(endShared);

if (CHAOS_MINUTES === undefined) {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    "%s",
    { timeout: limit },
    async (_, scenario) => {
      const result = await perform(scenario, firstSeed, "short");
      say(lineOf(result));
      expect(result.failure, repeatCommand(result, false)).toBeUndefined();
    },
  );
} else {
  const minutes = Number(CHAOS_MINUTES);
  const timeout = minutes * 60_000 + scenarios.length * limit;
  test("nothing is lost, round after round", { timeout }, async () => {
    const end = Date.now() + minutes * 60_000;
    const asked = scenarios.filter(({ name }) => CHAOS_ONLY === undefined || name === CHAOS_ONLY);
    const results: Result[] = [];
    // Each round has a seed of its own. The first is always whole.
    for (let round = 0; round === 0 || Date.now() < end; round++) {
      for (const scenario of asked) {
        if (round > 0 && Date.now() > end) break;
        const result = await perform(scenario, firstSeed + round, "long");
        results.push(result);
        say(lineOf(result));
        if (result.failure !== undefined) say(`${result.failure}\n  again: ${repeatCommand(result, true)}`);
      }
    }
    say(`\n${tableOf(asked, results)}`);
    expect(results.filter(({ failure }) => failure !== undefined).map(lineOf)).toEqual([]);
  });
}
