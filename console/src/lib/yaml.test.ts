import { expect, test } from "vitest";
import { readYaml } from "./yaml.ts";

test("what is written in YAML is read as the command line reads it, with every digit", async () => {
  expect(await readYaml("source: { connector: shop }\nwhen: $.a == true\non: no\nborn: 1815-12-10\n")).toEqual({
    source: { connector: "shop" },
    when: "$.a == true",
    on: "no",
    born: "1815-12-10",
  });
  expect(JSON.stringify(await readYaml("- { value: 12345678901234567890, ratio: 0.5 }"))).toBe(
    '[{"value":12345678901234567890,"ratio":0.5}]',
  );
});

test("what is no YAML, or nothing that JSON has, is none", async () => {
  for (const text of ["", "words", "a: [", "a: 1\na: 2", "a: .nan", "a: 1\n---\nb: 1"]) {
    expect([text, await readYaml(text)]).toEqual([text, undefined]);
  }
});
