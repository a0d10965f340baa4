import { expect, test } from "vitest";
import { oneOf, text, textsOf, urlOf } from "./search.ts";

test("what the URL holds are plain texts, there and back", () => {
  const search = { search: "a&b=c 1", enabled: "true" };
  expect(urlOf(search)).toBe("?search=a%26b%3Dc+1&enabled=true");
  expect(textsOf(urlOf(search))).toEqual(search);
  expect(urlOf({ search: undefined, sort: "" })).toBe("");
});

test("a word that is none of those that are known is left out", () => {
  expect([oneOf("ok", ["ok", "stopped"]), oneOf("<b>", ["ok"]), text(""), text(7)]).toEqual([
    "ok",
    undefined,
    undefined,
    "7",
  ]);
});
