import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { uniqueName } from "../support/servers.ts";
import { type Api, fileConnector, integration, startApi } from "./support.ts";

const actions = (body: { changes: { name: string; action: string }[] }) =>
  body.changes.map(({ name, action }) => `${action} ${name}`);
const nothingStands = async (api: Api) => {
  expect((await api.call("GET", "/v1/connectors")).body.items).toEqual([]);
  expect((await api.call("GET", "/v1/integrations")).body.items).toEqual([]);
};

function postgresConfig({ databaseUrl }: Api, change: object = {}) {
  const url = new URL(databaseUrl);
  const [host, port, database] = [url.hostname, Number(url.port), url.pathname.slice(1)];
  return { host, port, database, user: url.username, password: decodeURIComponent(url.password), ...change };
}

test("a configuration is applied as a whole, and applying it again changes nothing", async () => {
  const api = await startApi();
  const config = { connectors: [fileConnector(api)], integrations: [integration()] };
  expect(actions((await api.call("POST", "/v1/apply", config)).body)).toEqual(["create files", "create copy"]);
  expect(actions((await api.call("POST", "/v1/apply", config)).body)).toEqual(["unchanged files", "unchanged copy"]);
  expect((await api.call("GET", "/v1/integrations")).body.items).toMatchObject([{ name: "copy", version: 1 }]);
});

test("a dry run says what would change, and changes nothing", async () => {
  const api = await startApi();
  const config = { connectors: [fileConnector(api)], integrations: [integration()] };
  const { status, body } = await api.call("POST", "/v1/apply?dry_run=true", config);
  expect([status, body.dry_run, actions(body)]).toEqual([200, true, ["create files", "create copy"]]);
  await nothingStands(api);
});

test("what a configuration does not name is left as it is", async () => {
  const api = await startApi();
  await api.call("POST", "/v1/apply", { connectors: [fileConnector(api)], integrations: [integration()] });
  const more = { integrations: [integration({ name: "second" })] };
  expect(actions((await api.call("POST", "/v1/apply", more)).body)).toEqual(["create second"]);
  const { items } = (await api.call("GET", "/v1/integrations")).body;
  expect(items.map(({ name }: { name: string }) => name)).toEqual(["second", "copy"]);
});

test("a missing file is refused with the path of the setting, and nothing is half created", async () => {
  const api = await startApi();
  const missing = integration({ source: { connector: "files", stream: "missing.ndjson" } });
  const config = { connectors: [fileConnector(api)], integrations: [integration({ name: "fine" }), missing] };
  const { status, body } = await api.call("POST", "/v1/apply", config);
  expect([status, body.code]).toEqual([422, "BUSINESS_RULE"]);
  expect(body.errors).toEqual([
    { path: "integrations[1].source.stream", message: expect.stringContaining("missing.ndjson") },
  ]);
  await nothingStands(api);
});

test("a wrong password is refused with the path of the setting, without showing it", async () => {
  const api = await startApi();
  const config = { connectors: [{ name: "db", type: "postgres", config: postgresConfig(api, { password: "wr0ng" }) }] };
  const { status, body } = await api.call("POST", "/v1/apply", config);
  expect([status, body.errors]).toEqual([
    422,
    [{ path: expect.stringMatching(/^connectors\[0\]\.config\./), message: expect.any(String) }],
  ]);
  expect(JSON.stringify([body, api.log])).not.toContain("wr0ng");
  await nothingStands(api);
});

test("a missing table is refused with the path of the setting, as a source and as a destination", async () => {
  const api = await startApi();
  const table = uniqueName("none");
  const config = {
    connectors: [fileConnector(api), { name: "db", type: "postgres", config: postgresConfig(api) }],
    integrations: [
      integration({ source: { connector: "db", stream: table } }),
      integration({
        name: "into",
        destinations: [
          { connector: "files", stream: "b" },
          { connector: "db", stream: table },
        ],
        destination: undefined,
      }),
    ],
  };
  const { status, body } = await api.call("POST", "/v1/apply", config);
  expect(status).toBe(422);
  expect(body.errors.map((error: { path: string }) => error.path).toSorted()).toEqual([
    "integrations[0].source.stream",
    "integrations[1].destinations[1].stream",
  ]);
  await nothingStands(api);
});

test("checks can be skipped, and are for what is disabled", async () => {
  const api = await startApi();
  const source = { connector: "files", stream: "missing.ndjson" };
  const config = { connectors: [fileConnector(api)], integrations: [integration({ source, enabled: false })] };
  expect((await api.call("POST", "/v1/apply", config)).status).toBe(200);
  const enabled = { integrations: [integration({ source })] };
  expect((await api.call("POST", "/v1/apply", enabled)).status).toBe(422);
  expect((await api.call("POST", "/v1/apply?skip_checks=true", enabled)).status).toBe(200);
});

test("every fault of a configuration is told at once", async () => {
  const api = await startApi();
  const config = {
    connectors: [fileConnector(api), fileConnector(api), { name: "x", type: "fil" }],
    integrations: [integration({ destination: { connector: "nowhere", stream: "b" } })],
    conectors: [],
  };
  const { status, body } = await api.call("POST", "/v1/apply", config);
  expect(status).toBe(400);
  expect(body.errors.map((error: { path: string }) => error.path)).toEqual([
    "conectors",
    "connectors[1].name",
    "connectors[2].type",
    "integrations[0].destination.connector",
  ]);
  await nothingStands(api);
});

test("that a secret changes is told, its values are not; *** keeps it", async () => {
  const api = await startApi();
  const db = (change: object) => ({
    connectors: [{ name: "db", type: "postgres", config: postgresConfig(api, change) }],
  });
  await api.call("POST", "/v1/apply", db({}));
  const { body } = await api.call("POST", "/v1/apply?dry_run=true", db({ password: "n3w", schema: "shop" }));
  expect(body.changes[0]).toMatchObject({
    action: "update",
    fields: [
      { path: "config.schema", after: "shop" },
      { path: "config.password", before: "***", after: "***" },
    ],
  });
  expect(JSON.stringify(body)).not.toContain("n3w");
  expect(actions((await api.call("POST", "/v1/apply", db({ password: "***" }))).body)).toEqual(["unchanged db"]);
});

test("a changed connector is told to the integrations that use it, named or not", async () => {
  const api = await startApi();
  await api.call("POST", "/v1/apply", { connectors: [fileConnector(api)], integrations: [integration()] });
  const told = api.changed.splice(0);
  const folder = path.join(api.dataDir, "elsewhere");
  mkdirSync(folder);
  const moved = { ...fileConnector(api), config: { path: folder, format: "ndjson" } };
  expect((await api.call("POST", "/v1/apply", { connectors: [moved] })).status).toBe(200);
  expect(api.changed).toEqual(told);
});
