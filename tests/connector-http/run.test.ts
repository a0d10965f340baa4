import { expect, onTestFinished, test, vi } from "vitest";
import { serve } from "../support/http-server.ts";
import { TestNode } from "../support/node.ts";

// Limits for what hangs, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 240_000 });

type Person = { id: number; city: string; updated_at: string };

test("pages are read, enriched and upserted over HTTP; a kill -9 in the middle loses nothing", async () => {
  const records = 6_000;
  const size = 100;
  const people = Array.from({ length: records }, (_, id): Person => {
    const updated_at = new Date(Date.UTC(2024, 4, 1) + id * 1000).toISOString();
    return { id, city: id % 7 === 0 ? "Halle/Saale" : `city ${id % 50}`, updated_at };
  });
  const landed = new Map<number, unknown>();
  let writes = 0;
  let reads = 0;
  let failing = 0;
  const server = await serve(async ({ method, path, query, headers, body }) => {
    if (headers["x-api-key"] !== "right") return { status: 401, body: "" };
    if (path.startsWith("/v1/cities/"))
      return { body: { name: decodeURIComponent(path.slice(11)), by: query.get("by") } };
    if (++failing % 50 === 0) return { status: 503, headers: { "retry-after": "0" }, body: "" };
    if (method === "GET") {
      reads++;
      const found = people.filter(({ updated_at }) => updated_at >= (query.get("since") ?? ""));
      const start = Number(query.get("after") ?? -1) + 1;
      return { body: { people: found.filter(({ id }) => id >= start).slice(0, size) } };
    }
    const { items } = JSON.parse(body) as { items: Person[] };
    writes += items.length;
    for (const item of items) landed.set(item.id, item);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { status: 200, body: { results: items.map(() => ({ ok: true })) } };
  });
  onTestFinished(() => server.close());
  const node = await TestNode.start({ env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.0/8" } });
  const { api } = node;
  const connectorId = await api.connector("crm", "http", {
    base_url: `${server.url}/v1`,
    auth: { type: "api_key", name: "X-API-Key", value: "right" },
    streams: {
      people: {
        records: "$.people",
        pagination: { type: "keyset", field: "id", size },
        incremental: { param: "since" },
      },
      landed: {
        upsert: {
          method: "POST",
          batch: { records: 50, body: { items: "{{ $.records }}" } },
          results: { path: "$.results", status: "$.ok" },
        },
      },
    },
  });
  expect(JSON.stringify(await api.call("GET", `/v1/connectors/${connectorId}`))).not.toContain("right");
  const id = await api.integration({
    name: "people",
    source: { connector: "crm", stream: "people", mode: "incremental", cursor_field: "updated_at" },
    destination: { connector: "crm", stream: "landed", mode: "upsert", key: ["id"] },
    pipeline_spec: {
      steps: [
        {
          id: "city",
          type: "enrich",
          connector: "crm",
          request: { path: "/cities/{{ $.city }}", query: { by: "name" } },
          merge_at: "place",
          cache: { ttl: "1h", max_entries: 1000 },
        },
      ],
    },
  });
  const runId = await api.run(id);
  await expect.poll(() => landed.size, { timeout: 120_000, interval: 20 }).toBeGreaterThan(records / 10);
  await node.kill();
  await node.start();
  const run = await api.ended(runId);
  expect(run).toMatchObject({ status: "success", records_in: records, records_failed: 0 });
  expect(landed.size).toBe(records);
  expect(landed.get(7)).toEqual({ ...people[7], place: { name: "Halle/Saale", by: "name" } });
  // What was under way may come twice, no more than that.
  expect(writes).toBeLessThan(records * 2);

  people.push({ id: records, city: "new", updated_at: people.at(-1)!.updated_at });
  reads = 0;
  const next = await api.ended(await api.run(id));
  expect(next).toMatchObject({ status: "success", records_in: 1 });
  expect(landed.has(records)).toBe(true);
  expect(reads).toBe(1);
});
