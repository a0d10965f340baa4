import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generatedFiles } from "./files.ts";

const files = await generatedFiles();

test.each(Object.keys(files))("%s is what the definitions say (else run `npm run docs`)", (name) => {
  expect(readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")).toBe(files[name]);
});
