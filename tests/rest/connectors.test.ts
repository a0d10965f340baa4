import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { fileConnector, integration, startApi } from "./support.ts";

const password = "planted-s3cret";
const database = {
  name: "db",
  type: "postgres",
  config: { host: "127.0.0.1", port: 1, database: "d", user: "u", password },
};

test("a connector reads back with its secrets as ***, and nowhere else does a secret show", async () => {
  const { call, store, log, databaseUrl } = await startApi();
  const made = await call("POST", "/v1/connectors", database);
  expect(made.status).toBe(201);
  expect(made.headers.location).toBe(`/v1/connectors/${made.body.id}`);
  expect(made.body).toEqual({
    ...database,
    config: { ...database.config, password: "***" },
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
    owner: null,
    created_at: expect.any(String),
    updated_at: expect.any(String),
    version: 1,
  });
  expect((await call("GET", made.headers.location as string)).body).toEqual(made.body);
  expect((await call("GET", "/v1/connectors")).body).toEqual({ items: [made.body], next_cursor: null });
  const tested = await call("POST", `/v1/connectors/${made.body.id}/test`);
  expect(tested.body).toMatchObject({ status: "failed", sample_record: null, error: { path: "config.host" } });
  const row = (await store.connectors.get(made.body.id))!;
  expect(Buffer.from(row.sealed!).includes(password)).toBe(false);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const dump = await client.query("SELECT to_jsonb(c)::text AS row FROM connectors c");
  await client.end();
  expect(JSON.stringify([dump.rows, tested.body, log])).not.toContain(password);
});

test("*** keeps a stored secret, and is refused where there is none", async () => {
  const { call, store } = await startApi();
  const { body } = await call("POST", "/v1/connectors", database);
  const url = `/v1/connectors/${body.id}`;
  const kept = { ...database, name: "renamed", config: { ...database.config, user: "v", password: "***" } };
  expect((await call("PUT", url, kept)).body).toMatchObject({
    name: "renamed",
    version: 2,
    config: { user: "v", password: "***" },
  });
  expect((await store.connectors.get(body.id))!.sealed).not.toBeNull();
  const refused = await call("POST", "/v1/connectors", { ...kept, name: "other" });
  expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: "config.password" }] } });
});

test("*** does not take a stored secret to another address, by PUT or by apply", async () => {
  const { call, store } = await startApi();
  const { body } = await call("POST", "/v1/connectors", database);
  const { sealed } = (await store.connectors.get(body.id))!;
  const url = `/v1/connectors/${body.id}`;
  const elsewhere = (secret: string) => ({
    ...database,
    config: { ...database.config, host: "127.0.0.2", password: secret },
  });
  expect(await call("PUT", url, elsewhere("***"))).toMatchObject({
    status: 400,
    body: {
      code: "VALIDATION_ERROR",
      errors: [{ path: "config.password", message: expect.stringMatching(/only where host stays.*give the secret/) }],
    },
  });
  for (const dry_run of [true, false]) {
    const applied = await call("POST", `/v1/apply?dry_run=${dry_run}&skip_checks=true`, {
      connectors: [elsewhere("***")],
    });
    expect(applied).toMatchObject({ status: 400, body: { errors: [{ path: "connectors[0].config.password" }] } });
  }
  expect(await store.connectors.get(body.id)).toMatchObject({ version: 1, sealed, config: { port: 1 } });
  expect((await call("PUT", url, elsewhere("another"))).status).toBe(200);
});

test("a config is checked against its type's schema, every fault with its path", async () => {
  const { call } = await startApi();
  const bad = { name: "Bad Name", type: "file", config: { pth: 1, format: "xml" }, colour: 1 };
  const { status, body } = await call("POST", "/v1/connectors", bad);
  expect(status).toBe(400);
  expect(
    Object.fromEntries(body.errors.map((e: { path: string; message: string }) => [e.path, e.message])),
  ).toMatchObject({
    name: expect.stringContaining("must be a name"),
    colour: expect.stringContaining('unknown field "colour"'),
    "config.pth": 'unknown field "pth"; did you mean "path"?',
    "config.path": "is required",
    "config.format": expect.stringContaining("must be one of"),
  });
  expect((await call("POST", "/v1/connectors", { name: "x", type: "postgre" })).body.errors).toEqual([
    { path: "type", message: 'unknown connector type "postgre"; did you mean "postgres"?' },
  ]);
});

test("a reference stands in for a value, is kept as it is, and is resolved only to connect", async () => {
  const api = await startApi();
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference.
  const config = { path: "${env:SLUICE_SECRET_FOLDER}", format: "ndjson" };
  const made = await api.call("POST", "/v1/connectors", { name: "files", type: "file", config });
  expect(made.body.config).toEqual(config);
  const tested = await api.call("POST", `/v1/connectors/${made.body.id}/test`);
  expect(tested.body).toMatchObject({ status: "ok", sample_record: { a: 1 }, latency_ms: expect.any(Number) });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference.
  const outside = { name: "env", type: "file", config: { path: "${env:HOME}", format: "ndjson" } };
  expect((await api.call("POST", "/v1/connectors", outside)).body.errors).toMatchObject([
    { path: "config.path", message: expect.stringContaining("SLUICE_SECRET_") },
  ]);
});

test("streams are discovered with their schemas", async () => {
  const api = await startApi();
  mkdirSync(path.join(api.dataDir, "files", "sub"));
  writeFileSync(path.join(api.dataDir, "files", "c.ndjson"), '{"c":"x"}\n');
  const { body } = await api.call("POST", "/v1/connectors", fileConnector(api));
  const { streams } = (await api.call("POST", `/v1/connectors/${body.id}/discover`)).body;
  expect(streams.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(["a.ndjson", "c.ndjson"]));
  expect(streams[0]).toMatchObject({ schema: { type: "object" }, key: null });
});

test.each(["postgres://u:100%@h/db", "postgres://u:p@h/db?application_name=x"])(
  "a connector that its setting keeps from being made says so, whatever it is asked: %s",
  async (url) => {
    const api = await startApi();
    const made = await api.call("POST", "/v1/connectors", { name: "db", type: "postgres", config: { url } });
    const ask = (what: string) => api.call("POST", `/v1/connectors/${made.body.id}/${what}`);
    const refused = { status: 422, body: { code: "BUSINESS_RULE", errors: [{ path: "config.url" }] } };
    for (const what of ["discover", "sample"]) expect(await ask(what)).toMatchObject(refused);
    const error = { code: "VALIDATION_ERROR", path: "config.url" };
    expect(await ask("test")).toMatchObject({ status: 200, body: { status: "failed", error } });
  },
);

test("a name is taken once, and a connector that is used is neither renamed nor removed", async () => {
  const api = await startApi();
  const connector = fileConnector(api);
  const { body } = await api.call("POST", "/v1/connectors", connector);
  expect((await api.call("POST", "/v1/connectors", connector)).status).toBe(409);
  const made = await api.call("POST", "/v1/integrations", integration());
  expect(made.status).toBe(201);
  expect((await api.call("DELETE", `/v1/connectors/${body.id}`)).body).toMatchObject({
    code: "CONFLICT",
    detail: /copy/,
  });
  expect((await api.call("PUT", `/v1/connectors/${body.id}`, { ...connector, name: "other" })).status).toBe(409);
  expect((await api.call("DELETE", `/v1/integrations/${made.body.id}`)).status).toBe(204);
  expect((await api.call("DELETE", `/v1/connectors/${body.id}`)).status).toBe(204);
  expect((await api.call("GET", `/v1/connectors/${body.id}`)).status).toBe(404);
});

test("a list is paged by its cursor, newest first", async () => {
  const api = await startApi();
  for (const name of ["one", "two", "three"]) await api.call("POST", "/v1/connectors", fileConnector(api, name));
  const names: string[][] = [];
  for (let query = "limit=2"; query !== ""; ) {
    const { items, next_cursor } = (await api.call("GET", `/v1/connectors?${query}`)).body;
    names.push(items.map(({ name }: { name: string }) => name));
    query = next_cursor === null ? "" : `limit=2&cursor=${next_cursor}`;
  }
  expect(names).toEqual([["three", "two"], ["one"]]);
  expect((await api.call("GET", "/v1/connectors?name=two")).body.items).toMatchObject([{ name: "two" }]);
  expect((await api.call("GET", "/v1/connectors?name=none")).body).toEqual({ items: [], next_cursor: null });
});

test("the types are listed with their schemas and capabilities", async () => {
  const { call } = await startApi();
  const { items } = (await call("GET", "/v1/connector-types")).body;
  expect(items.map(({ type }: { type: string }) => type)).toEqual([
    "blackhole",
    "file",
    "generator",
    "http",
    "kafka",
    "nats",
    "postgres",
  ]);
  expect((await call("GET", "/v1/connector-types/file")).body).toMatchObject({
    type: "file",
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    config: { type: "object", additionalProperties: false },
    capabilities: { destination: { modes: expect.arrayContaining(["append", "replace"]) } },
  });
});
