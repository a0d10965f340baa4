import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { variables } from "../../cli/variables.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const named = Object.values(variables).flatMap((group) => Object.keys(group.variables));

/** Read by no node: a plugin's own, and those of tests. */
const others = /^SLUICE_(PLUGIN_DATA_DIR|SECRET_\w+|TEST_\w+|IN|OUT)$/;

test("every variable that the code reads is in the reference, and no other", () => {
  const files = globSync("{cli,adapters,gateway}/**/*.ts", { cwd: root }).filter((file) => !file.includes(".test."));
  const read = new Set<string>();
  for (const file of files) {
    if (file.endsWith("variables.ts")) continue;
    const text = readFileSync(`${root}/${file}`, "utf8");
    for (const [name] of text.matchAll(/\bSLUICE(?:_[A-Z]+)+\b(?!_)/g)) if (!others.test(name)) read.add(name);
  }
  const ours = named.filter((name) => name.startsWith("SLUICE_") && name !== "SLUICE_SECRET_NAME");
  expect(ours.toSorted()).toEqual([...read].toSorted());
});

test("no variable is named twice", () => {
  expect(named).toEqual([...new Set(named)]);
});
