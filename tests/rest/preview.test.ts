import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { sourceName } from "../../actors/source-name.ts";
import { query } from "../support/records.ts";
import { fileConnector, integration, startApi } from "./support.ts";

const people = '{"id":1,"name":"Ada","big":12345678901234567890}\n{"id":2,"name":"Bob"}\nbroken\n{"id":4}\n';
const mapping_spec = [
  { source: "$.id", destination: "id" },
  { source: "$.name", destination: "name", cast: "integer" },
];

async function withPeople(change: object = {}) {
  const api = await startApi();
  writeFileSync(path.join(api.dataDir, "files", "a.ndjson"), people);
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const made = await api.call("POST", "/v1/integrations", integration({ enabled: false, mapping_spec, ...change }));
  const { id } = made.body;
  return { ...api, id, preview: (body?: unknown) => api.call("POST", `/v1/integrations/${id}/preview`, body) };
}

test("records given are taken through the saved steps, and failures name their rule", async () => {
  const { preview } = await withPeople();
  const { status, body } = await preview({ records: [{ id: 1, name: "7" }, { id: 2, name: "x" }, "no record"] });
  expect(status).toBe(200);
  expect(body.records).toMatchObject([
    {
      position: { base: "records", ordinal: 1 },
      status: "delivered",
      steps: [{ step: "map", type: "map", out: { count: 1, records: [{ child: "", record: { id: 1, name: 7 } }] } }],
      destinations: [{ destination: "files", connector: "files", stream: "b.ndjson", mode: "append" }],
    },
    {
      status: "failed",
      failure: null,
      steps: [{ out: { count: 0 }, failures: [{ rule: 1, code: "VALIDATION_ERROR", on_error: "dead_letter" }] }],
      destinations: [],
    },
    { status: "failed", record: null, failure: { message: "a record must be a JSON object, found a string" } },
  ]);
  expect(body).toMatchObject({
    totals: { in: 3, delivered: 1, aggregated: 0, filtered: 0, failed: 2 },
    windows: null,
    truncated: false,
  });
});

test("without records the first of the source are read, each with its place there; nothing is written and no cursor moves", async () => {
  const source = { connector: "files", stream: "a.ndjson", mode: "incremental" as const };
  const { preview, store, id, dataDir } = await withPeople({ source, mapping_spec: mapping_spec.slice(0, 1) });
  const { body } = await preview();
  expect(body.records.map(({ position, status }: { position: object; status: string }) => [position, status])).toEqual([
    [{ base: "a.ndjson", ordinal: 1 }, "delivered"],
    [{ base: "a.ndjson", ordinal: 2 }, "delivered"],
    [{ base: "a.ndjson", ordinal: 3 }, "failed"],
    [{ base: "a.ndjson", ordinal: 4 }, "delivered"],
  ]);
  expect((await preview({ sample: 1 })).body.records).toHaveLength(1);
  expect(await store.checkpoints.loadCursor(id, sourceName({ ...source, cursorField: undefined }))).toBeNull();
  expect((await store.runs.list(id, { limit: 1, cursor: null, status: null })).items).toEqual([]);
  expect(() => readFileSync(path.join(dataDir, "files", "b.ndjson"))).toThrow("ENOENT");
});

test("numbers keep their digits", async () => {
  const { app, id, token } = await withPeople({ mapping_spec: [{ source: "$", destination: "*" }] });
  const response = await app.inject({
    method: "POST",
    url: `/v1/integrations/${id}/preview`,
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.body).toContain('"big":12345678901234567890');
});

test("a draft is tried in the place of what is saved, which stays", async () => {
  const { preview, call, id } = await withPeople();
  const spec = { mapping_spec: [{ source: "$.name", destination: "n" }] };
  const { body } = await preview({ records: [{ name: "Ada" }], spec });
  expect(body.records[0].destinations[0].in.records).toEqual([{ child: "", record: { n: "Ada" } }]);
  const without = await preview({ records: [{ a: 1 }], spec: { mapping_spec: null } });
  expect(without.body.records[0].steps).toEqual([]);
  expect((await call("GET", `/v1/integrations/${id}`)).body).toMatchObject({ version: 1, mapping_spec });
});

test("what is wrong with a draft is told by rule", async () => {
  const { preview } = await withPeople();
  const steps = [
    { id: "m", type: "map" },
    { id: "t", type: "transform", script: "(record" },
  ];
  const spec = {
    mapping_spec: [
      { source: "$[", destination: "n" },
      { source: "$.a", destination: "a", cast: "intger" },
    ],
  };
  const { status, body } = await preview({ records: [], spec: { ...spec, pipeline_spec: { steps } } });
  expect([status, body.code]).toEqual([400, "VALIDATION_ERROR"]);
  expect(body.errors.map((error: { path: string }) => error.path)).toEqual([
    "spec.mapping_spec[0].source",
    "spec.mapping_spec[1].cast",
    "spec.pipeline_spec.steps[1].script",
  ]);
});

test.each([
  [{ records: Array.from({ length: 1_001 }, () => ({})) }, "records"],
  [{ sample: 0 }, "sample"],
  [{ sample: 1, records: [] }, "sample"],
  [{ recrods: [] }, "recrods"],
])("a body that is not in order is refused with the path (%#)", async (body, at) => {
  const { preview } = await withPeople();
  expect(await preview(body)).toMatchObject({ status: 400, body: { errors: [{ path: at }] } });
});

test("a source that cannot be read, and an integration that is not there, are told", async () => {
  const { preview, call } = await withPeople({ source: { connector: "files", stream: "gone.ndjson" } });
  const refused = await preview();
  expect([refused.status, refused.body.code]).toEqual([422, "BUSINESS_RULE"]);
  expect(refused.body.detail).toContain("gone.ndjson");
  const unknown = "0190a000-0000-7000-8000-000000000000";
  expect((await call("POST", `/v1/integrations/${unknown}/preview`)).status).toBe(404);
});

test("the schema contract holds records against the stream's current schema", async () => {
  const { preview, store, id } = await withPeople({ schema: { contract: "freeze" }, mapping_spec: undefined });
  const schema = { type: "object", properties: { id: { type: "integer" } } };
  await store.schemas.add({ integrationId: id, connector: "files", stream: "a.ndjson" }, schema);
  const { body } = await preview({ records: [{ id: 1 }, { id: 2, extra: true }] });
  expect(body.records).toMatchObject([
    { status: "delivered" },
    { status: "failed", steps: [], failure: { message: expect.stringContaining("extra") } },
  ]);
});

test("look-ups are really asked, and a connector's secret is nowhere in a preview, nor in the error of one", async () => {
  const api = await withPeople();
  await query(api.databaseUrl, "CREATE TABLE public.cities (id bigint PRIMARY KEY, city text)");
  await query(api.databaseUrl, "INSERT INTO public.cities VALUES (1, 'Paris')");
  const password = decodeURIComponent(new URL(api.databaseUrl).password);
  await api.call("POST", "/v1/connectors", { name: "shop", type: "postgres", config: { url: api.databaseUrl } });
  const enrich = (table: string) => ({
    mapping_spec: null,
    pipeline_spec: {
      steps: [
        {
          id: "city",
          type: "enrich",
          connector: "shop",
          request: { stream: table, by: { id: "{{ $.id }}" } },
          merge_at: "at",
          on_missing: "null",
        },
      ],
    },
  });
  const found = await api.preview({ records: [{ id: 1 }, { id: 2 }], spec: enrich("cities") });
  expect([found.status, found.body.detail]).toEqual([200, undefined]);
  expect(
    found.body.records.map(
      (each: { destinations: { in: { records: object[] } }[] }) => each.destinations[0]!.in.records[0],
    ),
  ).toMatchObject([{ record: { id: 1, at: { city: "Paris" } } }, { record: { id: 2, at: null } }]);
  const failed = await api.preview({ records: [{ id: 1 }], spec: enrich("nowhere") });
  expect([failed.status, failed.body.code, failed.body.detail]).toEqual([
    503,
    "UNAVAILABLE",
    expect.stringMatching(/^step city: .*nowhere/),
  ]);
  for (const { body } of [found, failed]) {
    expect(JSON.stringify(body)).not.toContain(api.databaseUrl);
    if (password !== "") expect(JSON.stringify(body)).not.toContain(password);
  }
});
