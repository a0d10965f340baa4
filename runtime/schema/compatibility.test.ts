import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compatibility } from "./compatibility.ts";
import type { Schema } from "./keywords.ts";

interface Case {
  readonly id: string;
  readonly compatibility: "backward" | "both" | "none";
  readonly original: Schema;
  readonly updated: Schema;
}

const file = new URL("../../tests/vectors/json-schema-compat/apicurio-compatibility-test-data.json", import.meta.url);
const { tests } = JSON.parse(readFileSync(file, "utf8")) as { readonly tests: readonly Case[] };

const expected = {
  backward: { backward: true, forward: false },
  both: { backward: true, forward: true },
  none: { backward: false, forward: false },
};

test("all 145 cases of Apicurio's suite come out as it says", () => {
  const failed = tests.flatMap((each, index) => {
    const found = compatibility(each.original, each.updated);
    const { backward, forward } = expected[each.compatibility];
    return found.backward === backward && found.forward === forward
      ? []
      : [{ index, id: each.id, wanted: each.compatibility, found }];
  });
  expect(failed).toEqual([]);
  expect(tests.length - failed.length).toBe(145);
  console.info(`JSON Schema compatibility: ${tests.length - failed.length} of ${tests.length} cases`);
});
