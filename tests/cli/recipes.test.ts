import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../connectors/sdk/index.ts";
import { parseJson } from "../../runtime/record/index.ts";
import { runMap } from "../acceptance/table.ts";
import { type Recipe, readRecipes } from "../support/recipes.ts";
import { tempDir } from "../support/temp-dir.ts";
import { sluice } from "./sluice.ts";

const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/recipes.md"), "utf8");
const { connectors, recipes, links } = readRecipes(page);

interface Finding {
  readonly path: string;
  readonly message: string;
}

let findings: readonly Finding[];
let outcomes: readonly { readonly name: string; readonly status: string; readonly differences: Json }[];

const samplesOf = ({ slug, given }: Recipe) =>
  Array.from(given, ([stream, lines], index) => ({ stream, lines, file: `${slug}.${index}.ndjson` }));

const destinationsOf = ({ integration: { destination, destinations } }: Recipe): string[] =>
  ((destinations ?? [destination]) as JsonObject[]).map(({ id, connector }) => (id ?? connector) as string);

/** The recipe's test: its records in, and all that comes out of it, in order. No dead letters, unless it shows some. */
function testOf(recipe: Recipe): JsonObject {
  const { title, slug, test, outputs } = recipe;
  const samples = samplesOf(recipe);
  const records =
    samples[0]?.stream === ""
      ? { records: { file: samples[0].file } }
      : { streams: Object.fromEntries(samples.map(({ stream, file }) => [stream, { file }])) };
  const destinations = destinationsOf(recipe);
  const held = (id: string) => (outputs.get(destinations.length === 1 ? "" : id) ?? []).map(parseJson);
  return {
    ...test,
    name: title,
    integration: slug,
    given: { ...(test.given as JsonObject), ...records },
    expect: {
      dead_letters: [],
      acks: "all",
      ...(test.expect as JsonObject),
      outputs: Object.fromEntries(destinations.map((id) => [id, held(id)])),
    },
  };
}

const of = (index: number, among: readonly Finding[]): readonly Finding[] =>
  among.filter(({ path: at }) => at === `integrations[${index}]` || at.startsWith(`integrations[${index}].`));

// All recipes in one configuration: two processes and not two for each.
beforeAll(async () => {
  const folder = tempDir(afterAll);
  const write = (name: string, value: object) => writeFileSync(path.join(folder, name), JSON.stringify(value));
  for (const { file, lines } of recipes.flatMap(samplesOf)) {
    writeFileSync(path.join(folder, file), lines.map((line) => `${line}\n`).join(""));
  }
  write("recipes.json", { connectors, integrations: recipes.map(({ integration }) => integration) });
  const lint = await sluice(["lint", "recipes.json", "--json"], { cwd: folder });
  const { errors, warnings } = JSON.parse(lint.stdout);
  findings = [...errors, ...warnings];

  // What is refused as a configuration does not keep the others from being run.
  const right = recipes.filter((_, index) => !of(index, errors).length);
  write("right.json", { connectors, integrations: right.map(({ integration }) => integration) });
  write("right.test.json", { tests: right.map(testOf) });
  const ran = await sluice(["test", "right.test.json", "--json"], { cwd: folder });
  const { tests, errors: refused } = JSON.parse(ran.stdout);
  if (refused) {
    const lines = (refused as Finding[]).map(({ path: at, message }) => {
      const [, index] = /^tests\[(\d+)\]/.exec(at) ?? [];
      return `${right[Number(index)]?.title}: ${at}: ${message}`;
    });
    throw new Error(lines.join("\n"));
  }
  outcomes = tests;
});

test("every recipe is in the list at the head of the page, and links within the page lead somewhere", () => {
  const slugs = recipes.map(({ slug }) => slug);
  expect(slugs.length).toBeGreaterThan(30);
  expect([...links].filter((link) => !slugs.includes(link))).toEqual([]);
  expect(slugs.filter((slug) => !links.has(slug))).toEqual([]);
  expect(new Set(slugs).size).toBe(slugs.length);
});

describe.each(recipes.map((recipe, index) => [recipe.title, recipe, index] as const))("%s", (_, recipe, index) => {
  test("says what goes in, and what comes out where", () => {
    const shown = [...recipe.outputs.keys()];
    const destinations = destinationsOf(recipe);
    expect(recipe.given.size).toBeGreaterThan(0);
    if (shown.length === 0) expect(recipe.test.expect).toMatchObject({ status: "failed" });
    else expect(shown).toEqual(destinations.length === 1 ? [""] : destinations);
  });

  test("is a configuration in which lint finds nothing", () => {
    expect(of(index, findings)).toEqual([]);
  });

  test("does what it shows", () => {
    expect(outcomes.find(({ name }) => name === recipe.title)).toMatchObject({ status: "passed", differences: [] });
  });

  const { rules } = recipe;
  if (rules === undefined) return;
  test("does the same in sluice map, to the letter", async () => {
    const input = recipe.given.get("")?.join("\n") ?? "";
    const { code, stdout, stderr } = await runMap(rules, input, { name: "rules.yaml" });
    const failed = ((recipe.test.expect as JsonObject)?.dead_letters ?? []) as JsonObject[];
    const errors = stderr
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    expect({ code, lines: stdout.trim().split("\n") }).toEqual({
      code: failed.length > 0 ? 1 : 0,
      lines: recipe.outputs.get(""),
    });
    expect(errors).toEqual(
      failed.map(({ rule, code, message }) =>
        expect.objectContaining({ rule, code, message: expect.stringContaining(message as string) }),
      ),
    );
  });
});
