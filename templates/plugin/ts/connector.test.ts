import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { Cursor, OutRecord } from "@sluice/connector-sdk";
import { connector } from "./connector.ts";

const signal = new AbortController().signal;
const context = { dataDir: "/", fileRoots: [] };

const folderWith = async (text: string): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), "my-connector-"));
  if (text !== "") await writeFile(path.join(folder, "in.ndjson"), text);
  return folder;
};

async function read(folder: string, from: Cursor | null = null) {
  const batch = { records: 1, bytes: 1_000 };
  const options = { stream: "in", mode: "full" as const, cursorField: undefined, from, batch, signal };
  const source = await connector.create({ folder }, context).openSource!(options);
  const found: { text: string; cursor: Cursor }[] = [];
  for await (const { data, cursor } of source.read()) found.push({ text: Buffer.from(data).toString(), cursor });
  await source.close();
  return found;
}

test("reading goes on behind a cursor", async () => {
  const folder = await folderWith('{"n":1}\n\n{"n":2}\n{"n":"ö"}\n{"n"');
  const all = await read(folder);
  assert.deepEqual(
    all.map(({ text }) => text),
    ['{"n":1}', '{"n":2}', '{"n":"ö"}'],
  );
  assert.deepEqual(await read(folder, all[0]!.cursor), all.slice(1));
  assert.deepEqual(await read(folder, all[2]!.cursor), []);
});

test("what is no object is refused alone", async () => {
  const folder = await folderWith("");
  const options = { stream: "in", mode: "append" as const, key: [], runId: "r", state: null, signal };
  const destination = await connector.create({ folder }, context).openDestination!(options);
  const records = ['{"n":1}', "7", '{"n":2}'].map((text): OutRecord => ({ text, value: JSON.parse(text), id: text }));
  const { failed = [] } = await destination.write({ records, signal });
  await destination.close();
  assert.deepEqual(
    failed.map(({ index }) => index),
    [1],
  );
  assert.deepEqual(
    (await read(folder)).map(({ text }) => text),
    ['{"n":1}', '{"n":2}'],
  );
});

test("the setting at fault is named", async () => {
  const missing = connector.create({ folder: "/nowhere" }, context);
  await assert.rejects(missing.check(signal), { code: "VALIDATION_ERROR", path: "config.folder" });
  await assert.rejects(read(await folderWith("")), { code: "NOT_FOUND", path: "source.stream" });
});
