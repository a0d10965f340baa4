import { expect, test } from "vitest";
import { messageShape } from "./message-shape.ts";

test.each([
  [
    "Contact 5f2c1a9e-77aa-4c1b-9d3e-0a1b2c3d4e5f is invalid.",
    "Contact A0B1C2D3-E4F5-4A6B-8C7D-9E8F7A6B5C4D is invalid.",
  ],
  ["email ada@example.com is taken", "email b.ob+1@mail.example.org is taken"],
  ["no <jürgen@example.com>", "no <ann@example.com>"],
  ["order 65f1c0ffee65f1c0ffee65f1 is closed", "order 123456789012345678901234 is closed"],
  ["commit deadbee1 is unknown", "commit 00112233 is unknown"],
  ["rule 2: $.items[3].sku is 17 digits", "rule 2: $.items[41].sku is 9 digits"],
  ["\"a\" and 'b' are not unique", "\"ccc\" and '' are not unique"],
])("messages that differ in their values have one shape: %s", (one, other) => {
  expect(messageShape(one)).toBe(messageShape(other));
});

test.each([
  ["$.email is missing", "$.name is missing"],
  ["the facade is defaced", "the cascade is defaced"],
  ["@ada is no handle", "@bob is no handle"],
])("messages that differ in words have shapes of their own: %s", (one, other) => {
  expect(messageShape(one)).not.toBe(messageShape(other));
});

test("a long message takes no longer than it is long", () => {
  const begun = performance.now();
  for (const text of ["a", "a@", "ab12-", "'", '"', "0123456789abcdef", "deadbeef"]) messageShape(text.repeat(200_000));
  expect(performance.now() - begun).toBeLessThan(30_000);
}, 120_000);
