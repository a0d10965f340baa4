import { expect, test } from "vitest";
import { formatted, readLetter, recordIn } from "./letter-text.ts";

const answer = (parts: object) =>
  JSON.stringify({ id: "1", version: 2, payload: { a: 1 }, raw: '{"a":1}', state: null, corrected: null, ...parts });

test("a record is shown as it came, in its own order and with every digit", () => {
  const letter = readLetter(answer({ payload: { b: 1, a: 1e19 }, raw: '{"b":1,"a":10000000000000000001}' }));
  expect(letter).toMatchObject({ isRecord: true, state: null, corrected: null, info: { id: "1", version: 2 } });
  expect(letter.original).toBe('{\n  "b": 1,\n  "a": 10000000000000000001\n}');
  expect(letter.info).not.toHaveProperty("raw");
});

test("what is no record is shown as the text that it is", () => {
  for (const raw of ["<b>no JSON</b>", "[1]", "null", ""]) {
    expect(readLetter(answer({ payload: null, raw }))).toMatchObject({ original: raw, isRecord: false });
  }
  // Bytes that are no text come as a data URL, beside what could be read of them.
  expect(readLetter(answer({ raw: "data:;base64,AA==" }))).toMatchObject({
    original: '{\n  "a": 1\n}',
    isRecord: true,
  });
});

test("a record is one JSON object, and reads the same however it was written", () => {
  expect([recordIn("{}"), recordIn("[]"), recordIn('"a"'), recordIn("{")]).toEqual([
    {},
    undefined,
    undefined,
    undefined,
  ]);
  expect(formatted('{"a":  [1]}')).toBe(formatted('{ "a" : [1] }'));
  expect(formatted("{ half")).toBe("{ half");
});
