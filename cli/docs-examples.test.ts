import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createValidator } from "../adapters/json-schema/index.ts";
import type { JsonObject } from "../connectors/sdk/index.ts";
import { checkConfig } from "../runtime/config/index.ts";
import { parseConfig } from "./config-file.ts";
import { connectorTypes } from "./connector-types.ts";

const validator = createValidator();
const root = fileURLToPath(new URL("../", import.meta.url));

/** Whole configurations; parts of one, as those of recipes.md, are tried with what they are parts of (tests/cli). */
const examples = globSync(["README.md", "docs/*.md", "docs/connectors/*.md", "examples/*.yaml"], { cwd: root })
  .sort()
  .flatMap((file) => {
    const text = readFileSync(`${root}${file}`, "utf8");
    if (file.endsWith(".yaml")) return [{ place: file, text }];
    return Array.from(text.matchAll(/^```yaml\n(.*?)^```$/gms), (match) => ({
      place: `${file}:${text.slice(0, match.index).split("\n").length}`,
      text: match[1] as string,
    }));
  })
  .filter(({ text }) => /^(connectors|integrations|plugins):/m.test(text) && !/^tests:/m.test(text));

test("there are examples on the pages", () => {
  expect(examples.length).toBeGreaterThan(12);
});

test.each(examples)("the configuration at $place is one that lint takes", ({ place, text }) => {
  const file = parseConfig(text, place);
  if ("errors" in file) return expect(file.errors).toEqual([]);
  const value = file.value as JsonObject;
  const { errors } = checkConfig(value, {
    validator,
    types: connectorTypes,
    existing: new Map(),
    pluginsUnasked: true,
    allConnectorsKnown: value.connectors !== undefined,
    checkCron: () => undefined,
  });
  expect(errors).toEqual([]);
});
