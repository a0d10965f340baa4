import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { sharedNode } from "../support/node.ts";

interface Drift {
  readonly kind: string;
  readonly path: string;
  readonly expected: string | null;
  readonly found: string | null;
  readonly version: number;
}

const node = sharedNode();
const output = (name: string) =>
  readFileSync(join(node().files, `out-${name}.ndjson`), "utf8")
    .trimEnd()
    .split("\n");

beforeAll(async () => {
  await node().api.connector("files", "file", { path: node().files });
});

const known = '{"id":1,"name":"Ada"}\n{"id":2,"name":"Bob"}\n';
const drifted = '{"id":3,"name":"Cy"}\n{"id":"4","name":"Di"}\n{"id":5,"name":"Ed","vip":true}\n';

/** A run over what the stream always was, then one over what it has become. */
async function twoRuns(contract: string) {
  const { api, files } = node();
  const name = contract.replace("_", "-");
  writeFileSync(join(files, `${name}.ndjson`), known);
  const id = await api.integration({
    name,
    source: { connector: "files", stream: `${name}.ndjson` },
    destination: { connector: "files", stream: `out-${name}.ndjson`, mode: "replace" },
    schema: { contract },
  });
  const first = await api.runAndWait(id);
  expect(first).toMatchObject({ status: "success", records_in: 2, records_out: 2 });
  expect(await driftOf(first.id)).toEqual([]);
  writeFileSync(join(files, `${name}.ndjson`), drifted);
  const run = await api.runAndWait(id);
  return { id, run, drift: await driftOf(run.id), lines: output(name) };
}

async function driftOf(run: string): Promise<readonly Drift[]> {
  const { drift } = await node().api.call<{ drift: Drift[] }>("GET", `/v1/runs/${run}`);
  return drift.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const facts = [
  { kind: "changed_type", path: "id", expected: "integer", found: "string", version: 1 },
  { kind: "new_field", path: "vip", expected: null, found: "boolean", version: 1 },
];

test("evolve passes what drifted, tells it with the run and in the metrics, and knows it from then on", async () => {
  const { id, run, drift, lines } = await twoRuns("evolve");
  expect(run).toMatchObject({ status: "success", records_in: 3, records_out: 3 });
  expect(lines).toEqual(drifted.trimEnd().split("\n"));
  expect(drift).toMatchObject(facts);
  const { text } = await node().api.text("/metrics");
  expect(text).toMatch(/^sluice_schema_drift_total\{integration="evolve"\} 2$/m);
  const again = await node().api.runAndWait(id);
  expect(await driftOf(again.id)).toEqual([]);
});

test("freeze makes dead letters of the records that drifted, which name the field and the type", async () => {
  const { id, run, drift, lines } = await twoRuns("freeze");
  expect(run).toMatchObject({ status: "partial", records_in: 3, records_out: 1, records_failed: 2 });
  expect(lines).toEqual(['{"id":3,"name":"Cy"}']);
  expect(drift).toMatchObject(facts);
  const letters = await node().api.deadLetters<{ message: string; code: string; step: null; raw: string }>(id);
  expect(letters.toSorted((a, b) => (a.raw < b.raw ? 1 : -1))).toMatchObject([
    { code: "VALIDATION_ERROR", step: null, raw: '{"id":5,"name":"Ed","vip":true}', payload: { vip: true } },
    { code: "VALIDATION_ERROR", step: null, raw: '{"id":"4","name":"Di"}' },
  ]);
  expect(letters.map(({ message }) => message).toSorted()).toEqual([
    'the schema contract "freeze" refuses it: id is string, expected integer',
    'the schema contract "freeze" refuses it: vip is new (boolean)',
  ]);
});

test("discard_value leaves the fields that drifted out of their records", async () => {
  const { run, drift, lines } = await twoRuns("discard_value");
  expect(run).toMatchObject({ status: "success", records_in: 3, records_out: 3, records_filtered: 0 });
  expect(lines).toEqual(['{"id":3,"name":"Cy"}', '{"name":"Di"}', '{"id":5,"name":"Ed"}']);
  expect(drift).toMatchObject(facts);
});

test("discard_record filters the records that drifted", async () => {
  const { run, drift, lines } = await twoRuns("discard_record");
  expect(run).toMatchObject({ status: "success", records_in: 3, records_out: 1, records_filtered: 2 });
  expect(lines).toEqual(['{"id":3,"name":"Cy"}']);
  expect(drift).toMatchObject(facts);
});

test("a schema that was found when the integration was applied holds from the first record on", async () => {
  const { api, files } = node();
  writeFileSync(join(files, "applied.ndjson"), known);
  const integration = {
    name: "applied",
    source: { connector: "files", stream: "applied.ndjson" },
    destination: { connector: "files", stream: "out-applied.ndjson", mode: "replace" },
    schema: { contract: "freeze" },
  };
  await api.call("POST", "/v1/apply", { integrations: [integration] });
  writeFileSync(join(files, "applied.ndjson"), drifted);
  const { items } = await api.call<{ items: { id: string }[] }>("GET", "/v1/integrations?name=applied");
  expect(await api.runAndWait(items[0]!.id)).toMatchObject({ status: "partial", records_out: 1, records_failed: 2 });
});
