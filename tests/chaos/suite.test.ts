import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { guaranteesOf } from "../../cli/guarantees/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { resolveIntegration } from "../../runtime/config/index.ts";
import { kindOf, loadKinds } from "./suite/load-kind.ts";
import { perform, type Result } from "./suite/perform.ts";
import { lineOf, repeatCommand, tablesOf } from "./suite/report.ts";
import type { Account, Scenario } from "./suite/scenario.ts";
import { asScenarios, families, scenarios } from "./suite/scenarios.ts";
import { endShared } from "./suite/stage.ts";

/** Set by `npm run chaos` (suite/main.ts). */
const { CHAOS_MINUTES, CHAOS_ONLY, CHAOS_LONG, CHAOS_SEED, CHAOS_RESULTS } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
/** For one run; what hangs ends by a limit of its own before. */
const limitMs = 600_000;

if (CHAOS_MINUTES === undefined) testTheSuite();
else roundAfterRound(Number(CHAOS_MINUTES));

function roundAfterRound(minutes: number): void {
  const timeout = minutes * 60_000 + scenarios.length * limitMs;
  afterAll(endShared);
  test("nothing is lost, round after round", { timeout }, async () => {
    const end = Date.now() + minutes * 60_000;
    const asked = asScenarios(CHAOS_ONLY);
    const results: Result[] = [];
    const shortRounds = CHAOS_ONLY === undefined && CHAOS_LONG === undefined ? 1 : 0;
    // Each round has a seed of its own. The first is always whole; of all scenarios in their short form, to see each.
    for (let round = 0; round === 0 || Date.now() < end; round++) {
      const scale = round < shortRounds ? "short" : "long";
      for (const scenario of asked) {
        if (round > 0 && Date.now() > end) break;
        const result = await perform(scenario, Number(CHAOS_SEED) + round, scale);
        results.push(result);
        if (CHAOS_RESULTS !== undefined) appendFileSync(CHAOS_RESULTS, `${JSON.stringify(result)}\n`);
        say(lineOf(result));
        if (result.failure !== undefined) say(`${result.failure}\n  again: ${repeatCommand(result, scale)}`);
      }
    }
    const all = CHAOS_RESULTS === undefined ? results : resultsIn(CHAOS_RESULTS);
    say(`\n${tablesOf(families, all)}`);
    expect(results.filter(({ failure }) => failure !== undefined).map(lineOf)).toEqual([]);
  });
}

/** Of this run and of those before it that wrote into the same file. */
function resultsIn(file: string): Result[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Result);
}

function testTheSuite(): void {
  const good: Account = { records: 10, faults: 2, lost: 0, duplicated: 1, allowed: 1 };
  const scenario = (run: Scenario["run"]): Scenario => ({ name: "try", what: "Something breaks", run });

  test("each family of scenarios has its test, and each scenario a name of its own", () => {
    for (const family of Object.keys(families)) {
      expect(existsSync(new URL(`suite/${family}.test.ts`, import.meta.url)), family).toBe(true);
    }
    const names = scenarios.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  test("sluice doctor --guarantees names each scenario for some integration, and none that there is not, with loads that there are", () => {
    const scenarioNames = new Set(scenarios.map(({ name }) => name));
    const named = new Set<string>();
    const like: readonly (readonly [string, string, JsonObject])[] = [
      ["postgres", "upsert", {}],
      ["postgres", "append", { idempotency: { window: "1h" } }],
      ["file", "append", { ordering: "strict" }],
      ["file", "append", { ordering: "key", key: ["id"] }],
      ["http", "append", {}],
      // Of a plugin: no type of sluice's own.
      ["crm", "append", {}],
    ];
    for (const nats of ["embedded", "replicated", "external"] as const) {
      for (const [type, mode, delivery] of like) {
        const to = { connector: "there", stream: "s", mode, ...(mode === "upsert" && { key: ["id"] }) };
        const destinations = ["a", "b"].map((id) => ({ id, ...to }));
        const spec = { name: "shop", source: { connector: "here", stream: "s" }, destinations, delivery };
        const guarantees = guaranteesOf(resolveIntegration(spec), { typeOf: () => type, nats, postgres: "embedded" });
        for (const { shown_by } of guarantees) {
          for (const name of shown_by.scenarios) named.add(name);
          if (shown_by.load !== null) expect(loadKinds).toContain(shown_by.load);
        }
      }
    }
    expect(named).toEqual(scenarioNames);
  });

  test("the loads take turns: each scenario has one in the short form, and all in as many long rounds", () => {
    expect(new Set(scenarios.map(({ name }) => kindOf(name, 3, "short")))).toEqual(new Set(loadKinds));
    expect(kindOf("kill-node", 3, "short")).toBe(kindOf("kill-node", 4, "short"));
    const rounds = loadKinds.map((_, seed) => kindOf("kill-node", seed, "long"));
    expect(new Set(rounds)).toEqual(new Set(loadKinds));
  });

  test("docs/faults.md shows no scenario that there is not", () => {
    const page = readFileSync(new URL("../../docs/faults.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (.*?) \|/gm)].map(([, name, what]) => ({ name, what }));
    const known = scenarios.map(({ name, what }) => ({ name, what }));
    expect(known).toEqual(expect.arrayContaining(rows));
  });

  describe("a scenario", () => {
    test.each<[string, Partial<Account>, RegExp | undefined]>([
      ["holds with nothing lost and no more twice than may be", {}, undefined],
      ["fails with a record lost", { lost: 1 }, /^1 of 10 records are lost$/],
      ["fails with more twice than may be", { duplicated: 2 }, /^2 of 10 records came twice; 1 may$/],
      ["that breaks nothing shows nothing", { faults: 0 }, /shows nothing/],
      ["that sends nothing shows nothing", { records: 0 }, /shows nothing/],
    ])("%s", async (_, change, failure) => {
      const result = await perform(
        scenario(async () => ({ ...good, ...change })),
        1,
        "short",
      );
      if (failure === undefined) expect(result.failure).toBeUndefined();
      else expect(result.failure).toMatch(failure);
    });

    test("that throws fails with what it threw, and all it made is ended, last first", async () => {
      const ended: number[] = [];
      const result = await perform(
        scenario(async (stage) => {
          for (const n of [1, 2, 3]) stage.atEnd(() => ended.push(n));
          throw new Error("no server");
        }),
        1,
        "short",
      );
      expect(result.failure).toMatch(/^Error: no server/);
      expect(result.account).toBeUndefined();
      expect(ended).toEqual([3, 2, 1]);
    });

    test("is given the same random numbers by the same seed", async () => {
      const drawn = async (seed: number) => {
        const numbers: number[] = [];
        await perform(
          scenario(async ({ random }) => {
            numbers.push(random(), random(), random());
            return good;
          }),
          seed,
          "short",
        );
        return numbers;
      };
      const once = await drawn(7);
      expect(await drawn(7)).toEqual(once);
      expect(await drawn(8)).not.toEqual(once);
      for (const number of once) expect(number >= 0 && number < 1).toBe(true);
    });

    test("shares what it asks for by name with those after it, until one fails", async () => {
      let made = 0;
      const ended: number[] = [];
      const ask = (fails: boolean) =>
        perform(
          scenario(async (stage) => {
            const number = await stage.shared("thing", async (atEnd) => {
              const mine = ++made;
              atEnd(() => ended.push(mine));
              return mine;
            });
            return { ...good, lost: fails ? number : 0 };
          }),
          1,
          "short",
        );
      await ask(false);
      await ask(true);
      expect([made, ended]).toEqual([1, [1]]);
      await ask(false);
      expect([made, ended]).toEqual([2, [1]]);
      await endShared();
      expect(ended).toEqual([1, 2]);
    });
  });

  test("a family's table has a row for each scenario that ran, with its sums", () => {
    const result: Result = {
      name: "try",
      seed: 5,
      seconds: 1.23,
      loads: ["key"],
      account: good,
      imbalance: 0,
      failure: undefined,
    };
    const asked = [scenario(async () => good), { ...scenario(async () => good), name: "other" }];
    const failed: Result = { ...result, seed: 6, imbalance: 3, failure: "off" };
    expect(lineOf(result)).toBe(
      "ok     try                        seed 5, key, 10 records, 2 faults, 0 lost, 1 duplicated (allowed 1), ledger balanced, 1.2 s",
    );
    const [heading, , ...rows] = tablesOf({ none: asked.slice(1), some: asked }, [result, failed])
      .trimEnd()
      .split("\n");
    expect(heading).toBe("### some");
    expect(rows.slice(2)).toEqual(["| `try` | Something breaks | key | 2, 1 failed | 20 | 4 | 0 | 2 (2) | off |  |"]);
    expect(repeatCommand(failed, "long")).toBe("npm run chaos -- --minutes 0 --only try --seed 6");
  });
}
