import { readFileSync, symlinkSync } from "node:fs";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { shareNode } from "./shared-node.ts";

const shared = shareNode({ SLUICE_SECRET_FOLDER: "by-env" });

const formats = ["ndjson", "json", "csv"] as const;
const compressions = ["none", "gzip"] as const;
type Format = (typeof formats)[number];

const encode = {
  ndjson: '{"id":"1","t":"a,\\"b"}\n{"id":"2","t":"ü"}\n',
  json: '[{"id":"1","t":"a,\\"b"},{"id":"2","t":"ü"}]',
  csv: 'id,t\n1,"a,""b"\n2,ü\n',
};
const once = [
  { id: "1", t: 'a,"b' },
  { id: "2", t: "ü" },
];

function decode(format: Format, text: string): unknown {
  if (format === "json") return JSON.parse(text);
  const lines = text.split("\n").slice(0, -1);
  if (format === "ndjson") return lines.map((line) => JSON.parse(line));
  expect(lines.shift()).toBe("id,t");
  return lines.map((line) => ({
    id: line[0],
    t: line
      .slice(2)
      .replace(/^"(.*)"$/, "$1")
      .replaceAll('""', '"'),
  }));
}

/** A run's outcome from a file of a folder to a blackhole. */
async function read(folder: string, stream: string, source: object = {}) {
  const [from, to] = [await shared.connector("file", { path: folder }), await shared.connector("blackhole")];
  const id = await shared.integration({
    source: { connector: from, stream, ...source },
    destination: { connector: to, stream: "d" },
  });
  return { id, run: await shared.run(id) };
}

describe.concurrent("every format, compression and mode", () => {
  const cases = formats.flatMap((format) =>
    compressions.flatMap((compression) =>
      (["append", "replace"] as const).map((mode) => [format, compression, mode] as const),
    ),
  );
  test.each(cases)("%s, %s, %s", async (format, compression, mode) => {
    const folder = `${format}-${compression}-${mode}`;
    const bytes = Buffer.from(encode[format]);
    shared.write(folder, "in", compression === "gzip" ? gzipSync(bytes) : bytes);
    const config = { path: shared.folder(folder), format };
    const [from, to] = [
      await shared.connector("file", config),
      await shared.connector("file", { ...config, compression }),
    ];
    const id = await shared.integration({
      source: { connector: from, stream: "in" },
      destination: { connector: to, stream: "out", mode },
    });
    for (const times of mode === "append" ? [1, 2] : [1, 1]) {
      expect(await shared.run(id)).toMatchObject({ status: "success", records_in: 2, records_out: 2 });
      const out = readFileSync(path.join(shared.folder(folder), "out"));
      const text = (compression === "gzip" ? gunzipSync(out) : out).toString();
      expect(decode(format, text)).toEqual(Array(times).fill(once).flat());
    }
  });
});

describe.concurrent("what a file connector may not touch, or does not find", () => {
  test.each([
    ["/etc", "hostname", "FORBIDDEN", "config.path"],
    ["FILES/roots", "out/passwd", "FORBIDDEN", "source.stream"],
    ["FILES/roots/out", "passwd", "FORBIDDEN", "config.path"],
    ["FILES/roots", "../../data/token", "VALIDATION_ERROR", "source.stream"],
    ["DATA", "token", "FORBIDDEN", "source.stream"],
    ["FILES/roots", "/etc/passwd", "VALIDATION_ERROR", "source.stream"],
    ["FILES/roots", "missing", "NOT_FOUND", "source.stream"],
    ["FILES/nowhere", "missing", "NOT_FOUND", "config.path"],
    ["FILES/roots", "*.nothing", "NOT_FOUND", "source.stream"],
  ])("%s, %s: %s at %s", async (folder, stream, code, at) => {
    const roots = shared.folder("roots");
    try {
      symlinkSync("/etc", path.join(roots, "out"));
    } catch {} // Made by another case.
    const { run } = await read(folder.replace("FILES", shared.node.files).replace("DATA", shared.node.dataDir), stream);
    expect(run).toMatchObject({ status: "failed", records_in: 0, error: { code, path: at } });
  });
});

test("a glob reads its files, and incremental what was added since, without a cursor field", async () => {
  for (const n of [1, 2, 3]) shared.write("many", `f${n}.ndjson`, `{"n":${n}}\n`);
  const { id, run } = await read(shared.folder("many"), "f*.ndjson", { mode: "incremental" });
  expect(run.records_in).toBe(3);
  shared.write("many", "f1.ndjson", '{"n":1}\n{"n":11}\n');
  shared.write("many", "f0.ndjson", '{"n":0}\n');
  expect((await shared.run(id)).records_in).toBe(2);
  expect((await shared.run(id)).records_in).toBe(0);
});

test("what is no record is a dead letter with file, line and raw text, and the rest go on", async () => {
  const bad = Buffer.from(
    '{"a":1}\n{broken\n[1]\n\n{"a":"X"}\n{"__proto__":{"x":1},"n":12345678901234567890.10}\n{"a":2}',
  );
  bad[bad.indexOf("X")] = 0xff;
  shared.write("bad", "in.ndjson", bad);
  const { id, run } = await read(shared.folder("bad"), "in.ndjson");
  expect([run.status, run.records_in, run.records_out, run.records_failed]).toEqual(["partial", 6, 3, 3]);
  const letters = await shared.node.api.deadLetters<{ message: string; raw: string; position: { ordinal: number } }>(
    id,
  );
  letters.sort((a, b) => a.position.ordinal - b.position.ordinal);
  expect(letters.map(({ raw }) => raw)).toEqual([
    "{broken",
    "[1]",
    "data:application/octet-stream;base64,eyJhIjoi/yJ9",
  ]);
  expect(letters.map(({ message }) => message.split(": ")[0])).toEqual(["in.ndjson:2", "in.ndjson:3", "in.ndjson:5"]);
});

test("a dead letter shows its payload also where it holds a NUL", async () => {
  shared.write("nul", "in.ndjson", '{"a":"x\\u0000y","b":"q"}\n');
  const [from, to] = [
    await shared.connector("file", { path: shared.folder("nul") }),
    await shared.connector("blackhole"),
  ];
  const id = await shared.integration({
    source: { connector: from, stream: "in.ndjson" },
    destination: { connector: to, stream: "d" },
    mapping_spec: [{ source: "$.b", destination: "b", cast: "integer" }],
  });
  await shared.run(id);
  expect(await shared.node.api.deadLetters(id)).toMatchObject([
    { payload: { a: "x\0y", b: "q" }, rule: 0, step: "map" },
  ]);
});

test("references stand for what they name, and name what resolves to nothing", async () => {
  shared.write("by-env", "in.ndjson", "{}\n");
  const env = (name: string) => `\${env:${name}}`;
  expect((await read(path.join(shared.node.files, env("SLUICE_SECRET_FOLDER")), "in.ndjson")).run.status).toBe(
    "success",
  );
  const missing = await read(path.join(shared.node.files, env("SLUICE_SECRET_MISSING")), "in.ndjson");
  expect(missing.run.error?.message).toContain(env("SLUICE_SECRET_MISSING"));
  shared.write(env("x"), "in.ndjson", "{}\n");
  expect((await read(path.join(shared.node.files, `$${env("x")}`), "in.ndjson")).run.status).toBe("success");
  const refused = await shared.call("POST", "/v1/connectors", {
    name: "home",
    type: "file",
    config: { path: env("HOME") },
  });
  expect([refused.status, refused.body.errors[0].path]).toEqual([400, "config.path"]);
});
