import { expect, it } from "vitest";
import { diffLines } from "./dlq-text.ts";

it("marks what was taken away, added and changed, by its path", () => {
  const before = { id: 1, name: { first: "Ann" }, tags: ["a"], "odd name": null };
  const after = { id: 1, name: { first: "Anna" }, tags: ["a", "b"], age: {} };
  expect(diffLines(before, after)).toEqual([
    "  id: 1",
    '- name.first: "Ann"',
    '+ name.first: "Anna"',
    '  tags[0]: "a"',
    '- ["odd name"]: null',
    '+ tags[1]: "b"',
    "+ age: {}",
  ]);
});

it("shows a record that is none", () => {
  expect(diffLines(null, { a: 1 })).toEqual(["- (record): null", "+ a: 1"]);
});
