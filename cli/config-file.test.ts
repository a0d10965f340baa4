import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Configuration, parseConfig, readConfiguration } from "./config-file.ts";

function value(text: string) {
  const config = parseConfig(text, "x.yaml");
  if ("errors" in config) throw new Error(config.errors.map(({ message }) => message).join("; "));
  return config.value;
}

function firstError(text: string) {
  const config = parseConfig(text, "x.yaml");
  return "errors" in config ? config.errors[0] : undefined;
}

function read(files: Record<string, string>): ReturnType<typeof readConfiguration> {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice config "));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const paths = Object.entries(files).map(([name, text]) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  });
  return readConfiguration(paths);
}

test("YAML is 1.2 core: no, on and dates are strings", () => {
  expect(value("a: no\nb: on\nc: 2026-01-31\nd: true\ne: ~\nf: 0o17")).toEqual({
    a: "no",
    b: "on",
    c: "2026-01-31",
    d: true,
    e: null,
    f: 15,
  });
});

test("JSON is taken as it is, with a byte order mark, too", () => {
  expect(value('\uFEFF{"a": [1, {"b": "\\u00e9"}],\n\t"c": null}')).toEqual({ a: [1, { b: "é" }], c: null });
});

test("numbers keep every digit", () => {
  expect(JSON.stringify(value("a: 12345678901234567890\nb: 0.1234567890123456789\nc: 1"))).toBe(
    '{"a":12345678901234567890,"b":0.1234567890123456789,"c":1}',
  );
  expect(JSON.stringify(value("[+12345678901234567891, 012, .5, -5., 0x1FFFFFFFFFFFFFFFF, 1e400, +1.50e3, 0]"))).toBe(
    "[12345678901234567891,12,0.5,-5,36893488147419103231,1e400,1500,0]",
  );
});

test("__proto__ is a key as any other", () => {
  const parsed = value("__proto__: { polluted: true }") as object;
  expect(Object.keys(parsed)).toEqual(["__proto__"]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test.each([
  ["a: 1\nb: 2\na: 3", 3, 1],
  ['{"a": 1,\n "a": 2}', 2, 2],
  ["a:\n  - b: 1\n    b: 2", 3, 5],
  ["a: [1, 2", 1, 9],
  ["a: !!binary xx\n", 1, 13],
  ["a: !own xx\n", 1, 4],
  ["a: !!set { b }\n", 1, 10],
  ["a: .inf", 1, 4],
  ["a: [1, -.INF]", 1, 8],
  ["a: { ? [b] : 1 }", 1, 8],
  ['1: a\n"1": b', 2, 1],
  ["a: 1\n---\nb: 2", 2, 1],
])("%j is refused where the fault is", (text, line, column) => {
  expect(firstError(text)).toMatchObject({ file: "x.yaml", line, column });
});

test("aliases that grow without end are refused", () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `a${i}: &a${i} [${
        i === 0
          ? "x"
          : Array(9)
              .fill(`*a${i - 1}`)
              .join(", ")
      }]`,
  );
  expect(firstError(levels.join("\n"))?.message).toMatch(/alias/i);
});

test("a field is found by its path: at its key, at an item's begin, or as near as there is something", () => {
  const config = parseConfig("integrations:\n  - name: a\n    source: { stream: x,\n      conector: y }\n", "x.yaml");
  if ("errors" in config) throw new Error("it parses");
  const at = (...path: (string | number)[]) => {
    const { line, column } = config.locate(path);
    return [line, column];
  };
  expect(at("integrations", 0)).toEqual([2, 5]);
  expect(at("integrations", 0, "source", "conector")).toEqual([4, 7]);
  expect(at("integrations", 0, "source", "missing")).toEqual([3, 5]);
  expect(at()).toEqual([1, 1]);
});

test("several files are one configuration, in which everything is found in its own file", () => {
  const config = read({
    "a.yaml": "connectors:\n  - name: one\n",
    "b.json": '{"connectors": [\n {"name": "two"}],\n "integrations": [{"name": "i"}]}',
  }) as Configuration;
  expect(config.value).toEqual({ connectors: [{ name: "one" }, { name: "two" }], integrations: [{ name: "i" }] });
  const at = (field: string) => {
    const { file, line } = config.locate(field);
    return [path.basename(file), line];
  };
  expect(at("connectors[0].name")).toEqual(["a.yaml", 2]);
  expect(at("connectors[1].name")).toEqual(["b.json", 2]);
  expect(at("integrations[0]")).toEqual(["b.json", 3]);
});

test("a file that is no UTF-8 is refused", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "sluice config "));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "latin1.yaml");
  writeFileSync(file, Buffer.from("integrations: [ { name: caf\xe9 } ]", "latin1"));
  expect(readConfiguration([file])).toMatchObject({ errors: [{ message: "the file is not valid UTF-8" }] });
});

test("a file that holds no configuration says so", () => {
  for (const text of ["", "# nothing", "[]", "text"]) {
    expect(read({ "a.yaml": text })).toMatchObject({
      errors: [{ line: 1, message: expect.stringContaining("connectors") }],
    });
  }
});

test("an alias of what it stands in is refused at its place", () => {
  expect(firstError("- &a { value: [*a] }")).toMatchObject({
    line: 1,
    column: 16,
    message: expect.stringContaining("*a"),
  });
  expect(firstError("a: &a\n  b: &b { c: [*b] }\n")).toMatchObject({ line: 2, column: 15 });
});

test("two documents in one file are refused", () => {
  expect(firstError("[]\n---\n[]\n")?.message).toBe("a file holds one document: no --- between two");
});
