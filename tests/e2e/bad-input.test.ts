import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sluice } from "../support/cli.ts";
import { sharedNode } from "../support/node.ts";
import { query } from "../support/records.ts";

interface DeadLetter {
  readonly step: string | null;
  readonly destination: string | null;
  readonly rule: number | null;
  readonly code: string;
  readonly message: string;
  readonly position: { readonly base: string; readonly ordinal: number };
  readonly payload: unknown;
  readonly raw: string;
  readonly state: unknown;
}

const node = sharedNode();
const everything = [{ source: "$", destination: "*" }];

beforeAll(async () => {
  const { api, files } = node();
  await api.connector("files", "file", { path: files });
  await query(node().databaseUrl(), "CREATE DATABASE landing");
  await query(landing(), "CREATE TABLE landed (id bigint PRIMARY KEY, big numeric, data jsonb)");
  await api.connector("table", "postgres", { url: landing() });
});

const landing = () => node().databaseUrl("landing");
const output = (name: string) => readFileSync(join(node().files, name), "utf8").trimEnd().split("\n");

/** Runs a file of these lines into `out-NAME`, or into what `change` says. */
async function runFile(name: string, lines: string | Buffer, change: object = {}) {
  const { api, files } = node();
  writeFileSync(join(files, `${name}.ndjson`), lines);
  const id = await api.integration({
    name,
    source: { connector: "files", stream: `${name}.ndjson` },
    destination: { connector: "files", stream: `out-${name}.ndjson`, mode: "replace" },
    mapping_spec: everything,
    ...change,
  });
  const run = await api.runAndWait(id);
  const letters = await api.deadLetters<DeadLetter>(id);
  return { id, run, letters: letters.sort((a, b) => a.position.ordinal - b.position.ordinal) };
}

test("a malformed line in the middle of a file is a dead letter with its file, number, text and the parser's message", async () => {
  const { run, letters } = await runFile("torn", '{"id":1}\n{"id":2}\n{"id":3,"name":"x\n{"id":4}\n{"id":5}\n');
  expect(run).toMatchObject({ status: "partial", records_in: 5, records_out: 4, records_failed: 1, error: null });
  expect(letters).toMatchObject([
    {
      step: null,
      destination: null,
      code: "VALIDATION_ERROR",
      position: { base: "torn.ndjson", ordinal: 3 },
      raw: '{"id":3,"name":"x',
      payload: null,
    },
  ]);
  expect(letters[0]?.message).toMatch(/^torn\.ndjson:3: .*(string|JSON)/);
  expect(output("out-torn.ndjson")).toEqual(['{"id":1}', '{"id":2}', '{"id":4}', '{"id":5}']);
});

test("a record whose mapping fails is a dead letter with the rule, the path, the value's type and the original", async () => {
  const { run, letters } = await runFile("cast", '{"id":1,"n":"7"}\n{"id":2,"n":["secret-value"]}\n', {
    mapping_spec: [
      { source: "$.id", destination: "id" },
      { source: "$.n", destination: "count", cast: "integer" },
    ],
  });
  expect(run).toMatchObject({ status: "partial", records_in: 2, records_out: 1, records_failed: 1 });
  expect(letters).toMatchObject([
    {
      step: "map",
      destination: null,
      rule: 1,
      code: "VALIDATION_ERROR",
      position: { base: "cast.ndjson", ordinal: 2 },
      raw: '{"id":2,"n":["secret-value"]}',
      payload: { id: 2, n: ["secret-value"] },
    },
  ]);
  expect(letters[0]?.message).toContain("$.n");
  expect(letters[0]?.message).toContain("array");
  expect(letters[0]?.message).not.toContain("secret-value");
  expect(output("out-cast.ndjson")).toEqual(['{"id":1,"count":7}']);
});

describe("what cannot be used is said in one sentence with the setting's path, and nothing is half created", () => {
  const good = { connector: "files", stream: "out-refused.ndjson", mode: "replace" };
  const cases = [
    {
      what: "a missing file",
      connectors: [],
      source: { connector: "files", stream: "nowhere.ndjson" },
      path: "source.stream",
      says: /nowhere\.ndjson/,
    },
    {
      what: "a wrong password",
      connectors: [{ name: "locked", type: "postgres", config: { password: "wrong" } }],
      source: { connector: "locked", stream: "landed" },
      path: "config.password",
      says: /password/,
    },
    {
      what: "a table that is not there",
      connectors: [],
      source: { connector: "table", stream: "nowhere" },
      path: "source.stream",
      says: /nowhere/,
    },
  ];

  test.for(cases)("$what", async ({ what, connectors, source, path, says }) => {
    const { api, folder, files } = node();
    const { hostname: host, port } = new URL(landing());
    const address = { host, port: Number(port), database: "landing", user: "sluice" };
    const name = what.replaceAll(" ", "-");
    const file = join(folder, `${name}.json`);
    const config = {
      connectors: connectors.map((connector) => ({ ...connector, config: { ...address, ...connector.config } })),
      integrations: [{ name, source, destination: good, mapping_spec: everything }],
    };
    writeFileSync(file, JSON.stringify(config));
    writeFileSync(join(files, good.stream), "of a run that succeeded\n");
    const names = async (kind: string) =>
      (await api.call<{ items: { name: string }[] }>("GET", `/v1/${kind}?limit=100`)).items.map((item) => item.name);
    const before = [await names("connectors"), await names("integrations")];

    const applied = await sluice(node(), "apply", file);
    expect(applied).toMatchObject({ code: 2, stdout: "" });
    const lines = applied.stderr.trimEnd().split("\n");
    expect(lines.filter((line) => line.includes(path) && says.test(line))).toHaveLength(1);
    expect(applied.stderr).not.toContain("    at ");
    expect([await names("connectors"), await names("integrations")]).toEqual(before);
    expect(readdirSync(files).filter((entry) => entry.startsWith("."))).toEqual([]);

    expect(await sluice(node(), "apply", "--skip-checks", file)).toMatchObject({ code: 0 });
    const ran = await sluice(node(), "run", name);
    expect(ran.code).toBe(1);
    expect(
      ran.stderr
        .trimEnd()
        .split("\n")
        .filter((line) => line.includes(path) && says.test(line)),
    ).toHaveLength(1);
    const [run] = (await runsOf(name)) as [Record<string, unknown>];
    expect(run).toMatchObject({ status: "failed", records_in: 0, error: { path } });
    expect(readFileSync(join(node().files, good.stream), "utf8")).toBe("of a run that succeeded\n");
  });

  async function runsOf(name: string): Promise<unknown[]> {
    const { stdout } = await sluice(node(), "runs", name, "--json");
    return (JSON.parse(stdout) as { items: unknown[] }).items;
  }
});

describe("records at the limits", () => {
  const large = JSON.stringify({ id: 2, text: "x".repeat(5 * 1024 * 1024) });
  const digits = "9007199254740993123.000000000000000001";
  const lines = Buffer.concat(
    [
      '{"id":1,"big":1}',
      large,
      `{"id":3,"text":"${"y".repeat(64 * 1024 * 1024)}"}`,
      '{"id":4,"text":"a\u0000b"}',
      '{"id":5,"text":"a\\u0000b"}',
      Buffer.from([0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a, 0x36, 0x2c, 0x22, 0x74, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]),
      `{"id":7,"big":${digits}}`,
      '{"id":8,"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
      '{"id":9,"big":9}',
    ].flatMap((line) => [Buffer.from(line), Buffer.from("\n")]),
  );

  test("each has its answer from file to file, and none stops the node", async () => {
    const { run, letters } = await runFile("limits", lines);
    expect(run).toMatchObject({ status: "partial", records_in: 9, records_out: 6, records_failed: 3, error: null });
    expect(letters.map(({ position, code }) => [position.ordinal, code])).toEqual([
      [3, "VALIDATION_ERROR"],
      [4, "VALIDATION_ERROR"],
      [6, "VALIDATION_ERROR"],
    ]);
    expect(letters[0]?.message).toContain("64.0 MiB");
    expect(letters[0]?.raw).toMatch(/^\{"id":3,"text":"y+$/);
    expect(letters[1]?.raw).toBe('{"id":4,"text":"a\u0000b"}');
    expect(letters[2]?.raw).toMatch(/^data:application\/octet-stream;base64,/);
    expect(Buffer.from(letters[2]?.raw.split(",")[1] ?? "", "base64").includes(0xff)).toBe(true);
    expect(output("out-limits.ndjson")).toEqual([
      '{"id":1,"big":1}',
      large,
      '{"id":5,"text":"a\\u0000b"}',
      `{"id":7,"big":${digits}}`,
      '{"id":8,"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
      '{"id":9,"big":9}',
    ]);
  });

  test("each has its answer from file to Postgres, which refuses NUL", async () => {
    const { run, letters } = await runFile("limits-table", lines, {
      destination: { connector: "table", stream: "landed", mode: "upsert", key: ["id"] },
      mapping_spec: [
        { source: "$.id", destination: "id" },
        { source: "$.big", destination: "big" },
        { source: "$", destination: "data" },
      ],
    });
    expect(run).toMatchObject({ status: "partial", records_in: 9, records_out: 5, records_failed: 4, error: null });
    expect(letters.map(({ position, destination }) => [position.ordinal, destination])).toEqual([
      [3, null],
      [4, null],
      [5, "table"],
      [6, null],
    ]);
    const { rows } = await query(
      landing(),
      `SELECT id::int, big::text, length(data->>'text') AS length, data->'__proto__' AS proto, data->>'big' AS digits
       FROM landed ORDER BY id`,
    );
    expect(rows).toEqual([
      { id: 1, big: "1", length: null, proto: null, digits: "1" },
      { id: 2, big: null, length: 5 * 1024 * 1024, proto: null, digits: null },
      { id: 7, big: digits, length: null, proto: null, digits },
      { id: 8, big: null, length: null, proto: { polluted: true }, digits: null },
      { id: 9, big: "9", length: null, proto: null, digits: "9" },
    ]);
  });

  test("a key named __proto__ is written by a rule as any other key", async () => {
    const { run } = await runFile("proto", '{"a":1,"__proto__":{"b":2}}\n', {
      mapping_spec: [
        { source: "$.a", destination: "__proto__.a" },
        { source: "$['__proto__'].b", destination: "constructor.prototype.b" },
      ],
    });
    expect(run).toMatchObject({ status: "success", records_out: 1 });
    expect(output("out-proto.ndjson")).toEqual(['{"__proto__":{"a":1},"constructor":{"prototype":{"b":2}}}']);
    // The node's own objects are as they were: the API answers with nothing that was not asked for.
    expect(await node().api.call("GET", "/healthz")).toEqual({ status: "ok" });
  });
});
