import { describe, expect, it } from "vitest";
import { compareNumbers, decodeLines, isNumber, jsonType, parseJson, type RawNumber, textOf } from "./index.ts";

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));

describe("a number arrives with the same value, whatever its size or digits", () => {
  it.each([
    "9007199254740993",
    "-9007199254740993",
    "12345678901234567890123456789",
    "0.1234567890123456789",
    "3.14159265358979323846",
    "1e400",
    "-1e400",
    "1e-400",
    "1.5E+999",
    "100000000000000000000000000000000000001",
  ])("%s keeps its digits", (text) => {
    expect(JSON.stringify(parseJson(text))).toBe(text);
    expect(JSON.stringify(parseJson(`{"a":[ ${text} ]}`))).toBe(`{"a":[${text}]}`);
    expect(jsonType(parseJson(text))).toBe("number");
  });

  it.each([
    ["1.0", "1"],
    ["1e5", "100000"],
    ["0.1", "0.1"],
    ["9007199254740992", "9007199254740992"],
    ["1.00000000000000000000", "1"],
    ["123456789012345e10", "1.23456789012345e+24"],
    ["-0", "0"],
  ])("%s may be spelt %s", (text, spelt) => {
    expect(JSON.stringify(parseJson(text))).toBe(spelt);
    expect(typeof parseJson(text)).toBe("number");
  });

  it("what looks like a number inside a string is left alone", () => {
    const text = JSON.stringify({ a: ": 12345678901234567890", b: "1e400", c: '",12345678901234567890' });
    expect(JSON.stringify(parseJson(text))).toBe(text);
  });
});

describe("numbers compare by their exact value", () => {
  it.each([
    ["1", "2", -1],
    ["9007199254740993", "9007199254740992", 1],
    ["9007199254740993", "9007199254740993.0", 0],
    ["1e400", "10e399", 0],
    ["1e400", "9e399", 1],
    ["-1e400", "1", -1],
    ["1e-400", "0", 1],
    ["0", "-1e-400", 1],
    ["-12345678901234567890", "-12345678901234567891", 1],
    ["0.12345678901234567", "0.123456789012345678", -1],
    ["1e99999999999999999999", "1e99999999999999999998", 1],
  ])("%s against %s", (a, b, expected) => {
    const compare = (x: string, y: string) => Math.sign(compareNumbers(parseJson(x) as number, parseJson(y) as number));
    expect(compare(a, b)).toBe(expected);
    expect(compare(b, a)).toBe(expected === 0 ? 0 : -expected);
  });
});

describe("values", () => {
  it("a record that looks like a kept number is none", () => {
    const value = parseJson('{"rawJSON":"1"}');
    expect(isNumber(value)).toBe(false);
    expect(jsonType(value)).toBe("object");
  });

  it("__proto__ is an own member as any other, also beside long numbers", () => {
    for (const text of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":12345678901234567890}}']) {
      const value = parseJson(text) as object;
      expect(Object.hasOwn(value, "__proto__")).toBe(true);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(JSON.stringify(value)).toBe(text);
    }
  });

  it.each([
    '{"1e400":[1e400,"1e400",{"a":-12345678901234567890.5 , "b\\"":1e-400}],"2":"\\\\"}',
    " 1e400\n",
    '["12345678901234567890\\\\",1e400]',
    "[[[12345678901234567890]],{},[],0.1234567890123456]",
  ])("long numbers are kept, and texts that look alike stay texts: %s", (text) => {
    const kept: unknown = JSON.parse(text, (_, value, { source }) =>
      typeof value === "number" && String(value) !== source ? JSON.rawJSON(source!) : value,
    );
    expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(kept));
  });

  it.each([
    "{1e400:1}",
    '{1e400 :"a"}',
    "[1e400e1]",
    "[01e400]",
    "[- 1e400]",
    "[1e5e400]",
    "[a1e400]",
    '["a"1e400]',
    "[1e400 1e400]",
    '[1e400"',
    '{"a":1e400,"b"}',
  ])("what is no JSON is refused as it came: %s", (text) => {
    const refusal = (parse: (text: string) => unknown) => {
      try {
        return parse(text);
      } catch (error) {
        return (error as SyntaxError).message;
      }
    };
    expect(refusal(parseJson)).toBe(refusal(JSON.parse));
    expect(refusal(parseJson)).toEqual(expect.any(String));
  });

  it("one long number does not make a long text slow", () => {
    const text = `[${"1.5,".repeat(500_000)}1e400]`;
    const spent = (parse: () => unknown) => {
      const before = process.cpuUsage();
      parse();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const byReviver = spent(() => JSON.parse(text, (_, value, context) => (context.source === "1e400" ? null : value)));
    expect(spent(() => parseJson(text))).toBeLessThan(byReviver * 0.7);
  });

  it("a name twice in one object: the last counts", () => {
    expect(parseJson('{"a":1,"a":2}')).toEqual({ a: 2 });
  });

  it("the text of a value: null is empty, numbers and booleans their JSON text, objects and arrays compact JSON", () => {
    const texts = ["null", "true", "1.50", "12345678901234567890", '"x"', '{"a": [1, "b"]}'].map((t) =>
      textOf(parseJson(t)),
    );
    expect(texts).toEqual(["", "true", "1.5", "12345678901234567890", "x", '{"a":[1,"b"]}']);
  });

  it("types have their JSON names", () => {
    const types = ["null", "true", "1", "1e999", '"x"', "[]", "{}"].map((t) => jsonType(parseJson(t)));
    expect(types).toEqual(["null", "boolean", "number", "number", "string", "array", "object"]);
  });
});

describe("decoding lines", () => {
  it("one line's failure does not touch the others", () => {
    const { values, failures } = decodeLines(bytes('{"a":1}\n{"a":\n[1]\n{"b":12345678901234567890}'), 4);
    expect(values.map((value) => JSON.stringify(value))).toEqual([
      '{"a":1}',
      undefined,
      undefined,
      '{"b":12345678901234567890}',
    ]);
    expect(failures).toEqual([
      { index: 1, message: "Unexpected end of JSON input", blank: false },
      { index: 2, message: "a record must be a JSON object, found an array", blank: false },
    ]);
  });

  it.each([
    ['{"password":secret123}', 'Unexpected token "s" in JSON'],
    ['{"a":1}x', "Unexpected non-whitespace character after JSON at position 7"],
    ["{a:1}", "Expected property name or '}' in JSON at position 1"],
    ["\u0000", 'Unexpected token "\\u0000" in JSON'],
    ['{"a":"\u0000"}', "Bad control character in string literal in JSON at position 6"],
    ["NaN", "not valid JSON"],
    ["undefined", "not valid JSON"],
    ["null", "a record must be a JSON object, found null"],
    ["12345678901234567890", "a record must be a JSON object, found a number"],
    ['"x"', "a record must be a JSON object, found a string"],
  ])("%j fails without its text in the message", (line, message) => {
    expect(decodeLines(bytes(line), 1).failures.map((failure) => failure.message)).toEqual([message]);
  });

  it("invalid UTF-8 fails only its line, and the message names the byte", () => {
    const { values, failures } = decodeLines(
      bytes('{"a":"é"}\n{"b":"', [0xff], '"}\n{"c":"\ufffd', [0xef, 0xbf], '"}\n{"d":1}'),
      4,
    );
    expect(values).toEqual([{ a: "é" }, undefined, undefined, { d: 1 }]);
    expect(failures.map(({ index, message }) => [index, message])).toEqual([
      [1, "not valid UTF-8 at byte 6 of the line"],
      [2, "not valid UTF-8 at byte 9 of the line"],
    ]);
  });

  it("a record nested deeper than can be written again fails", () => {
    const nested = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    const { values, failures } = decodeLines(
      bytes(`${nested(900)}\n${nested(1100)}\n${nested(100_000)}\n{"n":1e400,"a":${nested(50_000)}}`),
      4,
    );
    expect(values.map((value) => value !== undefined)).toEqual([true, false, false, false]);
    expect(new Set(failures.map(({ message }) => message))).toEqual(new Set(["nested deeper than 1000 levels"]));
  });

  it("white space lines are marked, an empty batch is empty, a wrong count is an error", () => {
    expect(decodeLines(bytes(" \t\r\n{}"), 2).failures).toMatchObject([{ index: 0, blank: true }]);
    expect(decodeLines(bytes(""), 0)).toEqual({ values: [], failures: [] });
    expect(() => decodeLines(bytes("{}\n{}"), 3)).toThrow("a batch of 3 has 2 lines");
  });

  it("a kept number is what JSON.stringify writes digit for digit", () => {
    const value = parseJson("1e400") as unknown as RawNumber;
    expect(JSON.isRawJSON(value)).toBe(true);
    expect(value.rawJSON).toBe("1e400");
  });
});
