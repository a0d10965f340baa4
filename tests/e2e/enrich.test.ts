// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like the holes of template literals
import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test, vi } from "vitest";
import { TestNode } from "../support/node.ts";
import { otherPostgres } from "../support/other-postgres.ts";
import { query, writeRecords } from "../support/records.ts";
import { tempDir } from "../support/temp-dir.ts";
import { samples } from "../telemetry/support.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 240_000 });
const patience = { timeout: 60_000, interval: 50 };

interface Letter {
  readonly code: string;
}

async function* recordsOf(path: string): AsyncGenerator<Record<string, unknown>> {
  for await (const line of createInterface({ input: createReadStream(path) })) yield JSON.parse(line);
}

test("a look-up that is refused, and then away, is waited for: each record is enriched, and none is a dead letter", async () => {
  const records = 60_000;
  const folder = tempDir();
  const other = await otherPostgres(folder);
  await query(
    other.url,
    `CREATE TABLE customers (id bigint PRIMARY KEY, name text);
     INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(0, ${records}) i;
     CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON customers TO reader`,
  );
  const node = await TestNode.start({ folder });
  const { api } = node;
  writeRecords(join(node.files, "in.ndjson"), records);
  const url = new URL(other.url);
  Object.assign(url, { username: "reader", password: "reader" });
  await api.connector("files", "file", { path: node.files });
  await api.connector("crm", "postgres", { url: url.href });
  const request = { stream: "customers", by: { id: "{{ $.id }}" } };
  const id = await api.integration({
    name: "orders",
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "files", stream: "out.ndjson", mode: "replace" },
    pipeline_spec: { steps: [{ id: "customer", type: "enrich", connector: "crm", request, merge_at: "customer" }] },
    delivery: { circuit_breaker: { open_for: "2s" } },
  });
  const runId = await api.run(id);
  const waiting = async () => (await api.runById(runId)).waiting ?? null;
  await api.until(runId, ({ records_in }) => records_in > records * 0.1);
  await query(other.url, "REVOKE SELECT ON customers FROM reader");
  await expect.poll(waiting, patience).toMatch(/^step customer: .*permission denied/);
  const gauge = async () => samples((await api.text("/metrics")).text, "sluice_circuit_open");
  expect(await gauge()).toContainEqual({ labels: { integration: "orders", step: "customer" }, value: 1 });
  const shown = async () => (await api.call<{ circuits: object }>("GET", `/v1/runs/${runId}`)).circuits;
  await expect.poll(shown, patience).toMatchObject({
    files: { state: "closed" },
    "step customer": { state: expect.stringMatching("open"), reason: expect.stringMatching(/permission denied/) },
  });
  const { records_in: refused, status } = await api.runById(runId);
  expect(status).toBe("running");
  expect(refused).toBeLessThan(records);
  await query(other.url, "GRANT SELECT ON customers TO reader");
  await api.until(runId, ({ records_in, waiting }) => records_in > refused && !waiting);
  await other.stop();
  await expect.poll(waiting, patience).toMatch(/^step customer: .*connect/i);
  expect((await api.runById(runId)).records_in).toBeLessThan(records);
  await other.start();
  expect(await api.ended(runId)).toMatchObject({
    status: "success",
    records_in: records,
    records_out: records,
    records_failed: 0,
    waiting: null,
  });
  const seen = new Set<unknown>();
  for await (const { id, customer } of recordsOf(join(node.files, "out.ndjson"))) {
    expect(customer).toEqual({ id, name: `customer ${id}` });
    seen.add(id);
  }
  expect(seen.size).toBe(records);
  const { circuits } = await api.call<{ circuits: object }>("GET", `/v1/integrations/${id}`);
  expect(circuits).toMatchObject({ "step customer": { state: "closed" } });
  const { text } = await api.text("/metrics");
  const count = (outcome: string) =>
    Number(
      new RegExp(`^sluice_requests_total\\{.*step="customer".*outcome="${outcome}"\\} (\\d+)`, "m").exec(text)?.[1],
    );
  expect(count("ok")).toBeGreaterThan(0);
  expect(count("failed")).toBeGreaterThan(0);
});

test("what nothing is found for, and what cannot be asked, fail alone; a reference is resolved and shown nowhere", async () => {
  const node = await TestNode.start({ env: { SLUICE_SECRET_REGION: "s3cret-region" } });
  const { api } = node;
  await query(
    node.databaseUrl("postgres"),
    "CREATE TABLE stores (id int, region text, city text); INSERT INTO stores VALUES (1, 's3cret-region', 'Berlin')",
  );
  await api.connector("files", "file", { path: node.files });
  await api.connector("db", "postgres", { url: node.databaseUrl("postgres") });
  const ids = [1, 2, "1", "one", null, 1];
  writeFileSync(join(node.files, "in.ndjson"), ids.map((store) => JSON.stringify({ store })).join("\n"));
  const request = { stream: "stores", by: { id: "{{ $.store }}", region: "${env:SLUICE_SECRET_REGION}" } };
  const body = (more: object) => ({
    source: { connector: "files", stream: "in.ndjson" },
    destination: { connector: "files", stream: "out.ndjson", mode: "replace" },
    pipeline_spec: {
      steps: [
        { id: "store", type: "enrich", connector: "db", request, merge_at: "found", ...more },
        {
          id: "city",
          type: "map",
          mapping: [
            { source: "$.store", destination: "store" },
            { source: "$.found.city", destination: "city" },
          ],
        },
      ],
    },
  });
  const strict = await api.integration({ name: "strict", ...body({}) });
  expect(await api.runAndWait(strict)).toMatchObject({ status: "partial", records_out: 3, records_failed: 3 });
  const letters = (await api.deadLetters<Letter>(strict)).sort((a, b) => (a.code < b.code ? 1 : -1));
  expect(letters).toMatchObject([
    { code: "VALIDATION_ERROR", step: "store", payload: { store: "one" }, attempts: [{ code: "VALIDATION_ERROR" }] },
    { code: "NOT_FOUND", step: "store", message: "look-up in db: nothing was found" },
    { code: "NOT_FOUND", step: "store", message: "look-up in db: nothing was found" },
  ]);
  const lenient = await api.integration({ name: "lenient", ...body({ on_missing: "skip", on_error: "drop" }) });
  expect(await api.runAndWait(lenient)).toMatchObject({ status: "success", records_out: 5, records_filtered: 1 });
  const lines: unknown[] = [];
  for await (const record of recordsOf(join(node.files, "out.ndjson"))) lines.push(record);
  expect(lines).toEqual([
    { store: 1, city: "Berlin" },
    { store: 2 },
    { store: "1", city: "Berlin" },
    { store: null },
    { store: 1, city: "Berlin" },
  ]);
  const shown = await api.text(`/v1/integrations/${strict}`);
  expect(shown.text).toContain("${env:SLUICE_SECRET_REGION}");
  expect(shown.text + JSON.stringify(letters) + node.stderr).not.toContain("s3cret-region");

  // One that resolves to nothing is named; and a connector that is asked is in use.
  const gone = { stream: "stores", by: { region: "${env:SLUICE_SECRET_GONE}" } };
  const unset = await api.runAndWait(await api.integration({ name: "unset", ...body({ request: gone }) }));
  expect(unset).toMatchObject({ status: "failed", records_out: 0 });
  expect(unset.error?.message).toContain("${env:SLUICE_SECRET_GONE} resolves to nothing");
  const { items } = await api.call<{ items: { id: string; name: string }[] }>("GET", "/v1/connectors");
  const db = items.find(({ name }) => name === "db")?.id;
  expect((await api.request("DELETE", `/v1/connectors/${db}`)).status).toBe(409);
});
