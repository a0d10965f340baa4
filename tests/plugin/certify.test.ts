import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "vitest";
import { recordsOf } from "../../connectors/conformance/index.ts";
import type { Fixture } from "../../connectors/conformance/suite.ts";
import { generator } from "../../connectors/generator/index.ts";
import type { Json, JsonObject, ReadBatch } from "../../connectors/sdk/index.ts";
import { postgresFixture } from "../connector-postgres/fixture.ts";
import { certifyBuiltIn } from "../support/certify.ts";
import { httpFixture } from "../support/http-fixture.ts";
import { tempDir } from "../support/temp-dir.ts";

const records: JsonObject[] = Array.from({ length: 25 }, (_, id) => ({
  id: String(id),
  name: `Zoë "${id}", the\r\n${id}th`,
  notes: "x".repeat((id * 37) % 300),
}));
const elsewhere = { dataDir: "/nonexistent", fileRoots: [] };

// Each built-in type passes what anybody's plugin has to pass, as a program of its own.
describe.concurrent("certified, and documented so", { timeout: 600_000 }, () => {
  test("file", async ({ onTestFinished }) => {
    const folder = tempDir(onTestFinished);
    await certifyBuiltIn("file", await fileFixture(folder), { SLUICE_PLUGIN_DATA_DIR: folder });
  });

  test("generator", async () => {
    const config = { count: 20, seed: 7 };
    const wanted = await generated(config);
    await certifyBuiltIn("generator", {
      context: elsewhere,
      config,
      badConfigs: [{ config: { template: { a: [{ b: "{{ nonsense }}" }] } }, path: "config.template.a[0].b" }],
      source: { stream: "records", mode: "full", records: wanted, large: { stream: "records", config: {} } },
      close: async () => {},
    });
  });

  test("blackhole", async () => {
    await certifyBuiltIn("blackhole", {
      context: elsewhere,
      config: {},
      badConfigs: [],
      destination: {
        stream: "nowhere",
        modes: ["append", "upsert", "replace"],
        key: ["id"],
        records: records.slice(0, 9),
        limited: { fail: { ratio: 0.5, code: "RATE_LIMITED" } },
        clear: async () => {},
      },
      close: async () => {},
    });
  });

  test("http", async () => certifyBuiltIn("http", await httpFixture(4, "incremental")));

  test("postgres", async () => certifyBuiltIn("postgres", await postgresFixture()));
});

async function fileFixture(folder: string): Promise<Fixture> {
  const path = (name: string) => join(folder, name);
  const lines = (rows: readonly Json[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  await writeFile(path("in.ndjson"), lines(records));
  await writeFile(path("many.ndjson"), lines(records).repeat(4_000));
  return {
    context: { dataDir: folder, fileRoots: [folder] },
    config: { path: folder },
    badConfigs: [{ config: { path: path("missing") }, path: "config.path" }],
    source: {
      stream: "in.ndjson",
      mode: "full",
      records,
      large: { stream: "many.ndjson" },
      missing: { stream: "inn.ndjson", path: "source.stream" },
      drift: () => writeFile(path("in.ndjson"), lines(records.map((record) => ({ ...record, colour: "red" })))),
    },
    destination: {
      stream: "out.ndjson",
      modes: ["append", "replace"],
      exactlyOnce: ["append", "replace"],
      records: records.slice(0, 9),
      stored: async () =>
        existsSync(path("out.ndjson"))
          ? (await readFile(path("out.ndjson"), "utf8"))
              .split("\n")
              .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Json]))
          : [],
      clear: () => rm(path("out.ndjson"), { force: true }),
    },
    close: async () => {},
  };
}

async function generated(config: JsonObject): Promise<Json[]> {
  const source = await generator.create(config, elsewhere).openSource!({
    stream: "records",
    mode: "full",
    cursorField: undefined,
    from: null,
    batch: { records: 100, bytes: 100_000 },
    signal: new AbortController().signal,
  });
  const batches: ReadBatch[] = [];
  for await (const batch of source.read()) batches.push(batch);
  return recordsOf(batches);
}
