import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { tempDir } from "../support/temp-dir.ts";
import { program, runMap } from "./table.ts";

const copy = '[{"source":"$","destination":"*"}]';

function start(rules: string, ...args: string[]) {
  const spec = join(tempDir(), "rules.json");
  writeFileSync(spec, rules);
  const child = spawn(process.execPath, [program, "map", "--spec", spec, ...args]);
  onTestFinished(() => void child.kill());
  return child;
}

const reports = (stderr: string) =>
  stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("lines", () => {
  it("end at LF; CRLF and a BOM are taken, blank lines are skipped but counted, the last needs no newline", async () => {
    const input = '\ufeff{"a":1}\r\n\r\n \t\n{"a" : 2 }\n\n[]\n{"a":\r3}';
    const { code, stdout, stderr } = await runMap(copy, input, { args: ["--stats"] });
    expect(stdout).toBe('{"a":1}\n{"a":2}\n{"a":3}\n');
    const [failure, stats] = reports(stderr);
    expect(failure).toMatchObject({ line: 6, code: "VALIDATION_ERROR", reason: "json", rule: null });
    expect(stats).toEqual({ in: 4, out: 3, filtered: 0, failed: 1, seconds: expect.any(Number) });
    expect(code).toBe(1);
  });

  it("none at all, blank ones and a BOM alone are no records", async () => {
    for (const input of ["", "\n", " \n\r\n", "\ufeff", "\ufeff\n"]) {
      const { code, stdout, stderr } = await runMap(copy, input, { args: ["--stats"] });
      expect([code, stdout]).toEqual([0, ""]);
      expect(reports(stderr)).toEqual([{ in: 0, out: 0, filtered: 0, failed: 0, seconds: expect.any(Number) }]);
    }
  });

  it("that are no JSON object fail like a record, each with its number and nothing of what it says", async () => {
    const bad = [
      "[]",
      "5",
      '"SECRET"',
      "null",
      "true",
      "SECRET",
      "{SECRET:1}",
      '{"a":"SECRET',
      '{"a":SECRET}',
      '{"SECRET":1}{"b":2}',
      '{"a":1,}',
      '{"a":01}',
      '{"a":.5}',
      '{"a":NaN}',
      "{'SECRET':1}",
      '{"a":"\t"}',
      '{"a":"\\x"}',
      '{"a":"\0"}',
      "\0",
      '\ufeff{"a":1}',
      '{"a":1',
      `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`,
    ];
    const good = '{"a":1}';
    const { code, stdout, stderr } = await runMap(copy, bad.map((line) => `${line}\n${good}`).join("\n"));
    expect(code).toBe(1);
    expect(stdout).toBe(`${good}\n`.repeat(bad.length));
    expect(stderr).not.toContain("SECRET");
    expect(reports(stderr)).toEqual(
      bad.map((_, i) => ({
        line: 2 * i + 1,
        code: "VALIDATION_ERROR",
        reason: "json",
        rule: null,
        message: expect.stringMatching(/./),
      })),
    );
  });

  it("with invalid UTF-8 fail alone", async () => {
    const bad = ["ff", "c080", "eda080", "f4908080", "e282"].map((hex) => Buffer.from(hex, "hex"));
    const input = Buffer.concat(
      bad.flatMap((bytes) => [Buffer.from('{"a":"é'), bytes, Buffer.from('"}\n{"a":"é\u{1f600}"}\n')]),
    );
    const { stdout, stderr } = await runMap(copy, input);
    expect(stdout).toBe('{"a":"é\u{1f600}"}\n'.repeat(bad.length));
    expect(reports(stderr).map(({ line, reason }) => [line, reason])).toEqual(bad.map((_, i) => [2 * i + 1, "json"]));
  });
});

describe("failures", () => {
  it("name both paths and the value's JSON type, never the value, for the first rule that fails", async () => {
    const rules = JSON.stringify([
      { value: "x", destination: "text" },
      { source: "$.in", destination: "out.number", cast: "integer" },
      { source: "$.in2", destination: "out.date", cast: "date" },
      { source: "$.deep", destination: "text.below" },
      { source: "$.all", destination: "*" },
      { source: "$.list", destination: "items", each: [{ source: "$.n", destination: "m", cast: "number" }] },
    ]);
    const cases = [
      ['{"in":"SECRET","in2":"SECRET"}', 1, "cast", "$.in", "out.number", "string"],
      ['{"in":[1]}', 1, "cast", "$.in", "out.number", "array"],
      ['{"in":{}}', 1, "cast", "$.in", "out.number", "object"],
      ['{"in":true}', 1, "cast", "$.in", "out.number", "boolean"],
      ['{"in":12345678901234567890.5}', 1, "cast", "$.in", "out.number", "number"],
      ['{"in2":"SECRET"}', 2, "cast", "$.in2", "out.date", "string"],
      ['{"deep":"SECRET"}', 3, "destination", "$.deep", "text.below", "string"],
      ['{"all":null}', 4, "destination", "$.all", "*", "null"],
      ['{"list":"SECRET"}', 5, "source", "$.list", "items", "string"],
      ['{"list":[{"n":1},{"n":"SECRET"}]}', 5, "cast", "$.n", "m", "string"],
    ] as const;
    const { code, stdout, stderr } = await runMap(rules, cases.map(([line]) => line).join("\n"));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).not.toContain("SECRET");
    const found = reports(stderr);
    expect(found.length).toBe(cases.length);
    for (const [i, [, rule, reason, from, to, type]] of cases.entries()) {
      expect(Object.keys(found[i])).toEqual(["line", "code", "reason", "rule", "message"]);
      expect(found[i]).toMatchObject({ line: i + 1, code: "VALIDATION_ERROR", reason, rule });
      for (const part of [from, to, type]) expect(found[i].message).toContain(part);
    }
  });
});

describe("--where", () => {
  it("is asked of the incoming record before any rule, so what it holds back cannot fail", async () => {
    const rules = '[{"source":"$.a","destination":"a","cast":"integer"},{"value":2,"destination":"b"}]';
    const input = '{"a":"x","b":1}\n{"a":"5","b":2}\n{"a":"y"}\n{}';
    const { code, stdout, stderr } = await runMap(rules, input, { args: ["--where", " $.b == 2 || !$.a ", "--stats"] });
    expect([code, stdout]).toEqual([0, '{"a":5,"b":2}\n{"b":2}\n']);
    expect(reports(stderr)).toEqual([{ in: 4, out: 2, filtered: 2, failed: 0, seconds: expect.any(Number) }]);
  });

  it.each([
    ["", /empty/],
    ["  ", /empty/],
    ["$.a =", /=/],
    ["$.a[*] == 1", /./],
    ['{"js":"record."}', /--where: .*line 1/],
    ['{"js":true}', /js is a text/],
    ['{"js":"true","x":1}', /unknown field "x"/],
    ['{"js":', /JSON/],
    ['{"x":1}', /predicate/],
    ["true", /./],
  ])("%j is exit code 2 with nothing on stdout", async (where, message) => {
    const { code, stdout, stderr } = await runMap(copy, '{"a":1}', { args: ["--where", where] });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });
});

describe("the rules file", () => {
  it("is JSON or YAML 1.2 core, where no is a string and every digit stays", async () => {
    const yaml = `
- { value: no, destination: no }
- { value: [yes, on, 2024-01-01, 0o17, 0x1F, .5, +1, 1_000, ~, TRUE, 12:30], destination: v }
- { value: [12345678901234567890.1, 1e400, +12345678901234567891], destination: n }
- { source: $.a, destination: "['x']", when: "$.a == 1" }`;
    for (const name of ["rules.yaml", "rules.yml", "rules", "rules.json"]) {
      const { stdout } = await runMap(yaml, '{"a":1}', { name });
      expect(stdout).toBe(
        '{"no":"no","v":["yes","on","2024-01-01",15,31,0.5,1,"1_000",null,true,"12:30"],' +
          '"n":[12345678901234567890.1,1e400,12345678901234567891],"x":1}\n',
      );
    }
    const json =
      '\ufeff[\r\n\t{"value":"\\u00e9\\/\\ud83d\\ude00","destination":"a"},{"value":1e400,"destination":"b"}]';
    expect((await runMap(json, "{}")).stdout).toBe('{"a":"é/😀","b":1e400}\n');
  });

  it.each([
    ["", /list of rules/],
    ["{}", /list of rules/],
    ["[", /./],
    ['[{"value":1,"value":2,"destination":"a"}]', /unique/],
    ['[{"value":{"a":1,"\\u0061":2},"destination":"a"}]', /unique/],
    ['- { value: { 1: a, "1": b }, destination: a }', /unique/],
    ["- { value: .inf, destination: a }", /no number/],
    ["- { value: !!binary aGk=, destination: a }", /tag/],
    ["- { value: 1, destnation: a }", /\[0\]\.destnation: .*did you mean "destination"/],
    ["- { value: 1, destination: $.a }", /\[0\]\.destination: .*"a"/],
    ["- { source: $.a, destination: a, transform: value + }", /\[0\]\.transform: .*line 1/],
    ['- { source: $.a, destination: a, when: { js: "record." } }', /\[0\]\.when\.js: .*line 1/],
    [Buffer.from('[{"value":"\xff","destination":"a"}]', "latin1"), /UTF-8/],
  ])("%s is exit code 2 with nothing on stdout", async (rules, message) => {
    const { code, stdout, stderr } = await runMap(rules, '{"a":1}', { args: ["--stats"] });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });
});

describe("as a filter program", () => {
  it("answers each line before the next one comes", async () => {
    const child = start('[{"source":"$.n","destination":"m"}]');
    for (let n = 0; n < 5; n++) {
      child.stdin.write(`{"n":${n}}\n`);
      const [chunk] = await once(child.stdout, "data");
      expect(String(chunk)).toBe(`{"m":${n}}\n`);
    }
    child.stdin.end();
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it("a character and a BOM may come in pieces", async () => {
    const child = start(copy);
    const bytes = Buffer.from('\ufeff{"a":"é\u{1f600}"}\n');
    for (const byte of bytes) {
      child.stdin.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    expect(String((await once(child.stdout, "data"))[0])).toBe('{"a":"é\u{1f600}"}\n');
  });

  it("a closed stdout ends it quietly with 0", async () => {
    const child = start(copy);
    let stderr = "";
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.stdin.on("error", () => {});
    child.stdin.write('{"a":1}\n');
    await once(child.stdout, "data");
    child.stdout.destroy();
    const feed = setInterval(() => child.stdin.write('{"a":1}\n'.repeat(1000)), 5);
    onTestFinished(() => clearInterval(feed));
    expect(await once(child, "close")).toEqual([0, null]);
    expect(stderr).toBe("");
  });

  it("a folder as stdin is refused", async () => {
    const folder = tempDir();
    const spec = join(folder, "rules.json");
    writeFileSync(spec, copy);
    const child = spawn(process.execPath, [program, "map", "--spec", spec], {
      stdio: [openSync(folder, "r"), "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr?.on("data", (chunk) => (stderr += chunk));
    expect(await once(child, "close")).toEqual([2, null]);
    expect(stderr).toContain("stdin is a folder");
  });

  it.runIf(process.platform === "linux")("a full disk is told in a sentence, with exit code 1", async () => {
    const spec = join(tempDir(), "rules.json");
    writeFileSync(spec, copy);
    const child = spawn(process.execPath, [program, "map", "--spec", spec], {
      stdio: ["pipe", openSync("/dev/full", "w"), "pipe"],
    });
    let stderr = "";
    child.stderr?.on("data", (chunk) => (stderr += chunk));
    child.stdin?.end('{"a":1}\n');
    expect(await once(child, "close")).toEqual([1, null]);
    expect(stderr).toMatch(/^sluice: cannot write to stdout: .*ENOSPC.*\n$/);
  });
});
