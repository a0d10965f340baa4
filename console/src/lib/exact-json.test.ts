import { expect, test } from "vitest";
import { parseExact } from "./exact-json.ts";

test.each([
  '{"a":12345678901234567890,"b":[0.1,1e3]}',
  '{"a":0.1234567890123456789}',
  '{"a":9007199254740993,"b":"9007199254740993"}',
])("%s is written as it was read", (text) => {
  const isRounded = text.includes("1e3");
  expect(JSON.stringify(parseExact(text))).toBe(isRounded ? text.replace("1e3", "1000") : text);
});

test("numbers that a double holds are numbers", () => {
  expect(parseExact('{"a":1234567890123456,"b":"0123456789012345"}')).toEqual({
    a: 1234567890123456,
    b: "0123456789012345",
  });
});
