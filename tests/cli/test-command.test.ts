import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../support/temp-dir.ts";
import { sluice } from "./sluice.ts";

const root = path.resolve(import.meta.dirname, "../..");

const config = `connectors:
  - { name: in, type: file, config: { path: data } }
  - { name: out, type: blackhole }
integrations:
  - name: copy
    source: { connector: in, stream: a.ndjson }
    destination: { connector: out, stream: b }
`;
const passing = `tests:
  - name: what comes in goes out
    integration: copy
    given: { records: [{ a: 1 }] }
    expect: { outputs: { out: [{ a: 1 }] }, acks: all }
`;

/** A folder with these files. */
function folder(files: Record<string, string>): string {
  const cwd = tempDir();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(cwd, name)), { recursive: true });
    writeFileSync(path.join(cwd, name), text);
  }
  return cwd;
}

const run = (files: Record<string, string>, ...args: string[]) => sluice(["test", ...args], { cwd: folder(files) });
const withoutTimes = (text: string) => text.replaceAll(/\(\d+ ms\)/g, "(0 ms)");

test("the tests of the shipped examples pass", async () => {
  const { code, stdout, stderr } = await sluice(["test", "examples"], { cwd: root });
  expect({ stderr, failing: stdout.match(/^ {2}✗.*$/gm) }).toEqual({ stderr: "", failing: null });
  expect({ code, last: stdout.trim().split("\n").at(-1) }).toMatchObject({
    code: 0,
    last: expect.stringMatching(/^\d\d passed, 0 failed$/),
  });
});

test("every integration of the shipped examples has a test", () => {
  const names = (file: string, pattern: RegExp) =>
    new Set(Array.from(readFileSync(path.join(root, "examples", file), "utf8").matchAll(pattern), ([, name]) => name));
  const integrations = names("quickstart.yaml", /^ {2}- name: (\S+)\n {4}source/gm);
  expect(integrations.size).toBeGreaterThan(10);
  expect(names("quickstart.test.yaml", /^ {4}integration: (\S+)/gm)).toEqual(integrations);
});

test("what the page about testing shows is what happens", async () => {
  const page = readFileSync(path.join(root, "docs/testing.md"), "utf8");
  const files = Array.from(page.matchAll(/^```yaml\n# (\S+)\n([^`]+)^```/gm), ([, name, text]) => [
    name,
    `# ${name}\n${text}`,
  ]);
  const [, shown] = /^it says:\n\n```\n([^`]+)^```/m.exec(page) ?? [];
  const cwd = folder(Object.fromEntries(files));
  const good = await sluice(["test", "people.test.yaml"], { cwd });
  expect(good).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("4 passed, 0 failed") });
  const wrong = await sluice(["test", "wrong.test.yaml"], { cwd });
  // The file's first line is its name, on the page and on the disk.
  expect({ ...wrong, stdout: withoutTimes(wrong.stdout) }).toEqual({
    code: 1,
    stderr: "",
    stdout: withoutTimes(shown ?? ""),
  });
});

test("a folder stands for all tests below it, and a configuration of another name is named", async () => {
  const files = {
    "a b/one.yaml": config,
    "a b/one.test.yaml": passing,
    "a b/more/two.test.json": JSON.stringify({
      config: "../one.yaml",
      tests: [{ name: "t", integration: "copy", given: { records: [] }, expect: { counts: { in: 0 } } }],
    }),
    "a b/readme.yaml": "not a test",
  };
  expect(await run(files, "a b")).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(/two\.test\.json\n {2}✓ t .*\na b\/one\.test\.yaml\n {2}✓ .*\n2 passed, 0 failed\n$/),
  });
});

test("records may stand in a file, whose bad lines become dead letters", async () => {
  const tests = passing.replace("{ records: [{ a: 1 }] }", "{ records: { file: in.ndjson } }");
  const expected = tests.replace("acks: all", 'acks: all, dead_letters: [{ code: VALIDATION_ERROR, record: "{ oh" }]');
  const files = { "x.yaml": config, "x.test.yaml": expected, "in.ndjson": '{"a":1}\n\n{ oh\n' };
  expect(await run(files, "x.test.yaml")).toMatchObject({ code: 0, stderr: "" });
});

test("--json gives each test with its differences and their places", async () => {
  const files = { "x.yaml": config, "x.test.yaml": passing.replace("[{ a: 1 }] }, acks", "[{ a: 2 }] }, acks") };
  const { code, stdout } = await run(files, "x.test.yaml", "--json");
  expect({ code, ...JSON.parse(stdout) }).toMatchObject({
    code: 1,
    passed: 0,
    failed: 1,
    tests: [
      {
        file: "x.test.yaml",
        name: "what comes in goes out",
        status: "failed",
        differences: [{ path: "expect.outputs.out[0].a", expected: 2, found: 1, line: 5, column: 34 }],
        run: { status: "success", records_in: 1, records_out: 1, error: null },
      },
    ],
  });
});

test.each([
  [
    "an unknown field",
    { "x.test.yaml": passing.replace("acks", "aks") },
    '5:45: tests[0].expect.aks: unknown field "aks"; did you mean "acks"?',
  ],
  [
    "an unknown integration",
    { "x.test.yaml": passing.replace(": copy", ": cpy") },
    '3:5: tests[0].integration: unknown integration "cpy"; did you mean "copy"?',
  ],
  [
    "an unknown destination",
    { "x.test.yaml": passing.replace("{ out:", "{ ot:") },
    'tests[0].expect.outputs.ot: unknown destination "ot"; did you mean "out"?',
  ],
  ["no YAML", { "x.test.yaml": "tests: [" }, "x.test.yaml:1:"],
  ["no tests", { "x.test.yaml": "tests: []" }, "1:1: tests: must hold at least 1 item"],
  [
    "a configuration with errors",
    { "x.yaml": config.replace("source:", "sorce:"), "x.test.yaml": passing },
    'x.yaml:6:5: integrations[0].sorce: unknown field "sorce"',
  ],
  ["a missing configuration", { "x.test.yaml": `config: y.yaml\n${passing}` }, "y.yaml:1:1: there is no such file"],
  [
    "a missing file of records",
    { "x.test.yaml": passing.replace("[{ a: 1 }]", "{ file: no.ndjson }") },
    "tests[0].given.records: ",
  ],
])("%s is refused with its place, and nothing is run", async (_, files, message) => {
  const { code, stdout, stderr } = await run({ "x.yaml": config, ...files }, ".");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
});

test("no tests at all and no configuration beside them are usage errors", async () => {
  expect(await run({ "x.yaml": config }, ".")).toMatchObject({ code: 2, stderr: "sluice test: no *.test.yaml in .\n" });
  expect(await run({ "x.test.yaml": passing }, ".")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("config: is required: there is no x.yaml beside this file"),
  });
  expect((await run({})).code).toBe(2);
});
