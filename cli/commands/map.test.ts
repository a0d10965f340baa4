import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { maxLineBytes } from "./map-blocks.ts";

const program = fileURLToPath(new URL("../main.ts", import.meta.url));

let folder: string;
let rules: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "sluice map "));
  rules = file("rules.json", [{ source: "$.id", destination: "n", cast: "integer" }]);
});

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: unknown): string {
  const at = path.join(folder, name);
  writeFileSync(at, typeof content === "string" ? content : JSON.stringify(content));
  return at;
}

function start(...args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [program, "map", ...args]);
}

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string[];
}

async function map(args: string[], ...input: (string | Uint8Array)[]): Promise<Result> {
  const child = start(...args);
  const [out, errors] = [collect(child.stdout), collect(child.stderr)];
  child.stdin.on("error", () => {});
  for (const chunk of input) child.stdin.write(chunk);
  child.stdin.end();
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: await out, errors: (await errors).split("\n").filter((line) => line !== "") };
}

async function collect(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const jsonFailure = (line: number, message: string) =>
  JSON.stringify({ line, code: "VALIDATION_ERROR", reason: "json", rule: null, message });

describe("sluice map", () => {
  it("maps NDJSON in input order, compact, a line each, and exits 0", async () => {
    const { code, out, errors } = await map(["--spec", rules], '{"id": "2"}\n{"id": 1.0 }\n{}\n');
    expect({ code, out, errors }).toEqual({ code: 0, out: '{"n":2}\n{"n":1}\n{}\n', errors: [] });
  });

  it("takes CRLF and a BOM, skips but counts blank lines, and needs no newline at the end", async () => {
    const { code, out, errors } = await map(["--spec", rules], '\ufeff{"id":1}\r\n\r\n \t\n{"id":2}\r\n{"id":"x"}');
    expect({ code, out }).toEqual({ code: 1, out: '{"n":1}\n{"n":2}\n' });
    expect(errors.map((line) => JSON.parse(line).line)).toEqual([5]);
  });

  it("reports a failing record on stderr by line, code, reason, rule and message, and the others go on", async () => {
    const { code, out, errors } = await map(["--spec", rules], '{"id":1}\n{"id":"secret"}\n{"id":3}\n');
    expect({ code, out }).toEqual({ code: 1, out: '{"n":1}\n{"n":3}\n' });
    const message = "cannot cast a string from $.id to integer, for n";
    expect(errors).toEqual([JSON.stringify({ line: 2, code: "VALIDATION_ERROR", reason: "cast", rule: 0, message })]);
  });

  it("a line that is no JSON object, invalid UTF-8 or holds a NUL fails like a record", async () => {
    const input = [
      Buffer.from('[1]\n{"id":\n{"id":"'),
      Buffer.from([0xff]),
      Buffer.from('"}\n{"id":"\0"}\n{"id":7}\n'),
    ];
    const { code, out, errors } = await map(["--spec", rules], Buffer.concat(input));
    expect({ code, out }).toEqual({ code: 1, out: '{"n":7}\n' });
    expect(errors).toEqual([
      jsonFailure(1, "a record must be a JSON object, found an array"),
      jsonFailure(2, "Unexpected end of JSON input"),
      jsonFailure(3, "not valid UTF-8 at byte 7 of the line"),
      jsonFailure(4, "Bad control character in string literal in JSON at position 7"),
    ]);
  });

  it("a line of 64 MB fails like a record, and the others go on", async () => {
    const long = Buffer.alloc(64 * 1024 * 1024, "x");
    const { code, out, errors } = await map(["--spec", rules], '{"id":1}\n{"id":"', long, '"}\n{"id":3}\n');
    expect({ code, out }).toEqual({ code: 1, out: '{"n":1}\n{"n":3}\n' });
    expect(errors).toEqual([jsonFailure(2, `longer than ${maxLineBytes} bytes`)]);
  });

  it("a line of 5 MB over many reads is a record as any other", async () => {
    const { code, out } = await map(["--spec", rules], `{"id":1}\n{"x":"${"é".repeat(2_500_000)}","id":2}\n{"id":3}`);
    expect({ code, out }).toEqual({ code: 0, out: '{"n":1}\n{"n":2}\n{"n":3}\n' });
  });

  it("numbers keep every digit, and __proto__ is a key as any other", async () => {
    const all = file("all.json", [{ source: "$", destination: "*" }]);
    const line = '{"id":12345678901234567890.125,"__proto__":{"a":1e400}}\n';
    expect(await map(["--spec", all], line)).toEqual({ code: 0, out: line, errors: [] });
  });

  it("--where asks the incoming record before any rule; --stats adds a last line", async () => {
    const { code, out, errors } = await map(
      ["--spec", rules, "--where", "$.id > 1", "--stats"],
      '{"id":1}\n\n{"id":2}\nx\n',
    );
    expect({ code, out }).toEqual({ code: 1, out: '{"n":2}\n' });
    expect(JSON.parse(errors.at(-1) as string)).toEqual({
      in: 3,
      out: 1,
      filtered: 1,
      failed: 1,
      seconds: expect.any(Number),
    });
  });

  it("reads rules as YAML 1.2: no is a string, and numbers keep every digit", async () => {
    const yaml = file("rules.yaml", "- value: no\n  destination: a\n- {value: 12345678901234567890, destination: b}\n");
    expect((await map(["--spec", yaml], "{}\n")).out).toBe('{"a":"no","b":12345678901234567890}\n');
  });

  it("hands on what comes over a pipe at once", async () => {
    const child = start("--spec", rules);
    child.stdin.write('{"id":1}\n');
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    expect(first.toString()).toBe('{"n":1}\n');
    child.stdin.end();
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it("an empty input gives an empty output", async () => {
    expect(await map(["--spec", rules])).toEqual({ code: 0, out: "", errors: [] });
  });

  it("a closed stdout ends quietly with 0, also while stdin stays open and records fail", async () => {
    const child = start("--spec", rules);
    const errors = collect(child.stderr);
    child.stdin.on("error", () => {});
    const write = () => child.stdin.write('{"id":1}\n'.repeat(10_000));
    child.stdout.once("data", () => {
      child.stdout.destroy();
      write();
      write();
    });
    write();
    expect(await once(child, "close")).toEqual([0, null]);
    expect(await errors).toBe("");
  });
});

describe("sluice map with scripts", () => {
  const upper = () =>
    file("upper.json", [
      { source: "$.id", destination: "n", cast: "integer" },
      { source: "$.name", destination: "up", transform: "value.toUpperCase()" },
      { transform: "meta", destination: "meta", when: { js: "record.meta" } },
    ]);

  it("maps in input order; failures are told by line, code, reason and rule, and name paths and types only", async () => {
    const input =
      '{"id":1,"name":"a"}\n\n{"id":2,"name":5}\n{"id":"x","name":5}\nx\n{"id":12345678901234567890,"meta":true}\n';
    const { code, out, errors } = await map(["--spec", upper(), "--stats"], input);
    expect({ code, out }).toEqual({
      code: 1,
      out: '{"n":1,"up":"A"}\n{"n":12345678901234567890,"meta":{"line":6}}\n',
    });
    const failure = (line: number, reason: string, rule: number, message: string) =>
      JSON.stringify({ line, code: "VALIDATION_ERROR", reason, rule, message });
    expect(errors.slice(0, -1)).toEqual([
      failure(
        3,
        "transform",
        1,
        "transform failed on a number from $.name, for up: TypeError: value.toUpperCase is not a function",
      ),
      failure(4, "cast", 0, "cannot cast a string from $.id to integer, for n"),
      jsonFailure(5, 'Unexpected token "x" in JSON'),
    ]);
    expect(JSON.parse(errors.at(-1) as string)).toMatchObject({ in: 5, out: 2, filtered: 0, failed: 3 });
  });

  it("--where as JSON asks a script of the incoming record before any rule; a throw is the record's error", async () => {
    const where = '{"js":"record.id === 3 ? record.no.thing : record.id > 1 && meta.line < 5"}';
    const input = '{"id":1}\n{"id":2}\n{"id":3}\n{"id":4}\n{"id":5}\n';
    for (const spec of [rules, upper()]) {
      const { code, out, errors } = await map(["--spec", spec, "--where", where, "--stats"], input);
      expect({ code, out }).toEqual({ code: 1, out: '{"n":2}\n{"n":4}\n' });
      expect(JSON.parse(errors[0] as string)).toEqual({
        line: 3,
        code: "VALIDATION_ERROR",
        reason: "predicate",
        rule: null,
        message: "the predicate failed on an object: TypeError: Cannot read properties of undefined (reading 'thing')",
      });
      expect(JSON.parse(errors[1] as string)).toMatchObject({ in: 5, out: 2, filtered: 2, failed: 1 });
    }
  });

  it("--where as text goes before scripts in rules", async () => {
    const { code, out } = await map(
      ["--spec", upper(), "--where", "$.id > 1"],
      '{"id":1,"name":5}\n{"id":2,"name":"b"}',
    );
    expect({ code, out }).toEqual({ code: 0, out: '{"n":2,"up":"B"}\n' });
  });

  it("a script without end fails its own line with TIMEOUT", async () => {
    const spec = file("loop.json", [
      { transform: "(() => { while (record.id === 2); return 1; })()", destination: "a" },
    ]);
    const { code, out, errors } = await map(["--spec", spec], '{"id":1}\n{"id":2}\n{"id":3}\n');
    expect({ code, out }).toEqual({ code: 1, out: '{"a":1}\n{"a":1}\n' });
    expect(errors.map((line) => JSON.parse(line))).toEqual([
      {
        line: 2,
        code: "TIMEOUT",
        reason: "transform",
        rule: 0,
        message: expect.stringContaining("longer than 1000 ms"),
      },
    ]);
  });

  it("keeps the order of many blocks, of records and of failures, with lines that are too long among them", async () => {
    const spec = file("many.json", [
      { source: "$.id", destination: "n" },
      { transform: "record.id % 1000 === 0 ? no.thing : 1", destination: "one" },
    ]);
    const lines = Array.from({ length: 30_000 }, (_, i) => `{"id":${i + 1},"x":"${"x".repeat(50)}"}\n`);
    const long = `"${"x".repeat(maxLineBytes)}"\n`;
    const { code, out, errors } = await map(
      ["--spec", spec],
      lines.slice(0, 15_000).join(""),
      long,
      lines.slice(15_000).join(""),
    );
    expect(code).toBe(1);
    const ids = out
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line).n);
    expect(ids).toEqual(Array.from({ length: 30_000 }, (_, i) => i + 1).filter((id) => id % 1000 !== 0));
    const failed = errors.map((line) => JSON.parse(line).line);
    expect(failed).toEqual(
      Array.from({ length: 30 }, (_, i) => (i + 1) * 1000 + (i < 15 ? 0 : 1)).toSpliced(15, 0, 15_001),
    );
  });

  it("hands on what comes over a pipe at once", async () => {
    const child = start("--spec", upper());
    for (const n of [1, 2, 3]) {
      child.stdin.write(`{"id":${n}}\n`);
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      expect(line.toString()).toBe(`{"n":${n}}\n`);
    }
    child.stdin.end();
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it("a closed stdout ends quietly with 0", async () => {
    const child = start("--spec", upper());
    const errors = collect(child.stderr);
    child.stdin.on("error", () => {});
    const write = () => child.stdin.write('{"id":1,"name":"a"}\n'.repeat(10_000));
    child.stdout.once("data", () => {
      child.stdout.destroy();
      write();
      write();
    });
    write();
    expect(await once(child, "close")).toEqual([0, null]);
    expect(await errors).toBe("");
  });
});

describe("a bad rules file is exit code 2 with nothing on stdout", () => {
  const refusals: readonly (readonly [string, () => string[], string])[] = [
    ["no --spec", () => [], "--spec is missing"],
    ["an unknown option", () => ["--spec", rules, "--wher", "$.a"], "unknown option --wher; did you mean --where?"],
    ["a file that is not there", () => ["--spec", path.join(folder, "none.json")], "there is no such file"],
    ["a file that is no JSON", () => ["--spec", file("a.json", "[{]")], "a.json:1:3: "],
    [
      "a key given twice",
      () => ["--spec", file("b.json", '[{"drop":"a","drop":"b"}]')],
      "b.json:1:14: Map keys must be unique",
    ],
    [
      "a number that JSON has not",
      () => ["--spec", file("e.json", "[{value: .nan, destination: a}]")],
      "e.json:1:10: .nan is no number",
    ],
    ["an object", () => ["--spec", file("c.json", {})], "expected a list of rules, found an object"],
    [
      "a bad rule",
      () => ["--spec", file("d.json", [{ sorce: "$" }])],
      'd.json:1:3: [0].sorce: unknown field "sorce"; did you mean "source"?',
    ],
    ["a bad predicate", () => ["--spec", rules, "--where", "$.a ="], "--where: "],
    ["an empty predicate", () => ["--spec", rules, "--where", ""], "--where: the predicate is empty"],
    ["a js predicate that does not parse", () => ["--spec", rules, "--where", '{"js":"a +"}'], "--where: "],
    ["a predicate that is no JSON", () => ["--spec", rules, "--where", '{"js":'], "--where: "],
    [
      "a script that does not parse",
      () => ["--spec", file("f.json", [{ transform: "a +", destination: "a" }])],
      "f.json:1:3: [0].transform: ",
    ],
  ];

  it.each(refusals)("%s", async (_name, args, message) => {
    const { code, out, errors } = await map(args(), '{"id":1}\n');
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(errors.join("\n")).toContain(message);
  });
});
