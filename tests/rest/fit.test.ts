import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { query } from "../support/records.ts";
import { fileConnector, integration, startApi } from "./support.ts";

const people = '{"id":1,"name":"Ada","joined":"2024-01-02"}\n{"id":2,"name":"Bob","joined":"soon"}\n';

async function withPeople() {
  const api = await startApi();
  writeFileSync(path.join(api.dataDir, "files", "a.ndjson"), people);
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const made = async (mapping_spec: object[], change: object = {}) => {
    const { body } = await api.call(
      "POST",
      "/v1/integrations",
      integration({ enabled: false, mapping_spec, ...change }),
    );
    return body.id as string;
  };
  return { ...api, made };
}

test("enabling is refused with what breaks, by rule and path", async () => {
  const api = await withPeople();
  const id = await api.made([
    { source: "$.id", destination: "id" },
    { source: "$.nmae", destination: "name" },
    { source: "$.name", destination: "n", cast: "integer" },
  ]);
  const { status, body } = await api.call("PUT", `/v1/integrations/${id}/enable`);
  expect([status, body.code]).toEqual([409, "CONFLICT"]);
  expect(body.errors).toEqual([
    { path: "mapping_spec[1].source", message: "no record has $.nmae; did you mean $.name?" },
    { path: "mapping_spec[2].cast", message: "the cast to integer refuses $.name of all of 2 samples" },
  ]);
  expect((await api.call("GET", `/v1/integrations/${id}`)).body.enabled).toBe(false);
});

test("what only some records break is no reason to refuse, and the schema found is the stream's first version", async () => {
  const api = await withPeople();
  const id = await api.made([{ source: "$.joined", destination: "joined", cast: "date" }]);
  expect((await api.call("PUT", `/v1/integrations/${id}/enable`)).status).toBe(200);
  expect(await api.store.schemas.list(id)).toMatchObject([
    {
      stream: { connector: "files", stream: "a.ndjson" },
      version: 1,
      schema: { properties: { id: { type: "integer" } } },
    },
  ]);
});

test("a source that cannot be read does not keep an integration from being enabled", async () => {
  const api = await withPeople();
  const id = await api.made([{ source: "$.any", destination: "any" }], {
    source: { connector: "files", stream: "later.ndjson" },
  });
  expect((await api.call("PUT", `/v1/integrations/${id}/enable`)).status).toBe(200);
});

test("a replacement that is to be checked is refused with what breaks, and is not saved", async () => {
  const api = await withPeople();
  const id = await api.made([{ source: "$.id", destination: "id" }]);
  const { body: saved } = await api.call("GET", `/v1/integrations/${id}`);
  const put = (source: string, query = "") =>
    api.call("PUT", `/v1/integrations/${id}${query}`, { ...saved, mapping_spec: [{ source, destination: "name" }] });
  const { status, body } = await put("$.nmae", "?check=true");
  expect([status, body.code, body.errors]).toEqual([
    409,
    "CONFLICT",
    [{ path: "mapping_spec[0].source", message: "no record has $.nmae; did you mean $.name?" }],
  ]);
  expect((await api.call("GET", `/v1/integrations/${id}`)).body).toMatchObject({ version: 1 });
  expect((await put("$.name", "?check=true")).body).toMatchObject({ version: 2 });
  expect((await put("$.nmae")).body).toMatchObject({ version: 3 });
});

test("apply says what does not fit as notes of the change, and applies it", async () => {
  const api = await withPeople();
  const integrations = [integration({ mapping_spec: [{ source: "$.nmae", destination: "name" }] })];
  const { status, body } = await api.call("POST", "/v1/apply", { integrations });
  expect([status, body.changes[0].notes.slice(-1)]).toEqual([
    200,
    [
      {
        path: "mapping_spec[0].source",
        message: "no record has $.nmae; did you mean $.name?",
        destructive: false,
      },
    ],
  ]);
});

test("apply says where a stream is no longer what its current schema says, and keeps that version", async () => {
  const api = await withPeople();
  const apply = (mode: string) =>
    api.call("POST", "/v1/apply", { integrations: [integration({ schema: { contract: mode } })] });
  await apply("evolve");
  writeFileSync(path.join(api.dataDir, "files", "a.ndjson"), '{"id":"x"}\n');
  const { body } = await apply("freeze");
  expect(body.changes[0].notes).toEqual([
    {
      path: "source.stream",
      message: "its schema is no longer that of version 1, which the contract freeze holds it against",
      destructive: false,
    },
  ]);
  const [{ id }] = (await api.call("GET", "/v1/integrations?name=copy")).body.items;
  expect(await api.store.schemas.list(id)).toHaveLength(1);
});

test("enabling is refused where a table's columns do not take what is written", async () => {
  const api = await withPeople();
  await query(api.databaseUrl, "CREATE TABLE public.people (id bigint PRIMARY KEY, name text, born date NOT NULL)");
  await api.call("POST", "/v1/connectors", { name: "shop", type: "postgres", config: { url: api.databaseUrl } });
  const destination = { connector: "shop", stream: "people", mode: "upsert", key: ["id"] };
  const bad = [
    { source: "$.id", destination: "id" },
    { source: "$.name", destination: "nmae" },
  ];
  const refused = await api.call("PUT", `/v1/integrations/${await api.made(bad, { destination })}/enable`);
  expect(refused.status).toBe(409);
  expect(refused.body.errors).toEqual([
    { path: "mapping_spec[1].destination", message: 'unknown field "nmae"; did you mean "name"?' },
    { path: "destination", message: "born needs a value, and no record has one" },
  ]);
  const good = [{ source: "$", destination: "*" }, { value: "2024-01-01", destination: "born" }, { drop: "joined" }];
  const id = await api.made(good, { name: "good", destination });
  expect((await api.call("PUT", `/v1/integrations/${id}/enable`)).status).toBe(200);
});
