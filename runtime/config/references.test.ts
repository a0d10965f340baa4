// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like placeholders.
import { expect, test } from "vitest";
import { checkReferences, hasReference, resolveReferences } from "./references.ts";

const resolve = async (scheme: string, argument: string) => `<${scheme} ${argument}>`;

test("references are resolved at any depth, several in one text", async () => {
  const value = { a: ["x${env:SLUICE_SECRET_A}y${file:b}", 1, null], b: { c: "${env:SLUICE_SECRET_C}" } };
  expect(await resolveReferences(value, resolve)).toEqual({
    a: ["x<env SLUICE_SECRET_A>y<file b>", 1, null],
    b: { c: "<env SLUICE_SECRET_C>" },
  });
});

test("$${ is ${, and braces of no known scheme are text", async () => {
  expect(await resolveReferences("$${env:A} ${other} ${x:y} ${env:A", resolve)).toBe(
    "${env:A} ${other} ${x:y} ${env:A",
  );
  expect(hasReference("$${env:A}")).toBe(false);
});

test("what a reference stands for is not looked through for references again", async () => {
  expect(await resolveReferences("${env:SLUICE_SECRET_A}", async () => "${file:x} $${")).toBe("${file:x} $${");
});

test.each([
  ["${env:PATH}", /SLUICE_SECRET_/],
  ["${env:SLUICE_SECRET_}", /SLUICE_SECRET_/],
  ["${file:/etc/passwd}", /below the data folder/],
  ["${file:a/../../b}", /below the data folder/],
  ["${vault:a}", /takes a path and a key/],
  ["${vault:#b}", /takes a path and a key/],
  ["${vault:a#}", /takes a path and a key/],
])("%s is refused, by name", (text, why) => {
  expect(checkReferences(text)).toMatch(why);
  expect(checkReferences(text)).toContain(text);
});

test.each([
  "${env:SLUICE_SECRET_A}",
  "${file:db/password}",
  "${file:..a}",
  "${vault:secret/sluice/a#b}",
  "no reference",
])("%s is fine", (text) => {
  expect(checkReferences(text)).toBeUndefined();
});
