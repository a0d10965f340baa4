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

const incremental = { connector: "files", stream: "a.ndjson", mode: "incremental" };

async function withIncremental() {
  const api = await startApi();
  const made = integration({ source: incremental });
  await api.call("POST", "/v1/apply", { connectors: [fileConnector(api)], integrations: [made] });
  return api;
}

test("what loses data or state is refused at its place, until it is allowed", async () => {
  const api = await withIncremental();
  const changed = { integrations: [integration()] };
  const { status, body } = await api.call("POST", "/v1/apply", changed);
  expect([status, body.code, body.detail]).toEqual([
    409,
    "CONFLICT",
    "nothing was applied: a change loses data or state, and that was not allowed",
  ]);
  expect(body.errors).toEqual([
    {
      path: "integrations[0].source",
      message: "the cursor is reset: the next run reads the source from its start",
    },
  ]);
  const stored = async () => (await api.call("GET", "/v1/integrations?name=copy")).body.items[0];
  expect(await stored()).toMatchObject({ version: 1, source: incremental });
  expect((await api.call("POST", "/v1/apply?dry_run=true", changed)).status).toBe(200);
  expect((await api.call("POST", "/v1/apply?allow_destructive=true", changed)).status).toBe(200);
  expect((await stored()).version).toBe(2);
});

test("a plan has versions, next fires, runs under way, and who uses a connector that changes", async () => {
  const api = await withIncremental();
  const { id } = (await api.call("GET", "/v1/integrations?name=copy")).body.items[0];
  await api.call("POST", `/v1/integrations/${id}/run`);
  const trigger = { type: "schedule", cron: "0 0 1 1 *" };
  const connector = fileConnector(api);
  const config = {
    connectors: [{ ...connector, config: { ...connector.config, create: true } }],
    integrations: [integration({ source: incremental, trigger })],
  };
  const { body } = await api.call("POST", "/v1/apply?dry_run=true", config);
  const year = new Date().getUTCFullYear() + 1;
  expect(body.changes.map(({ version, notes }: { version: object; notes: object[] }) => ({ version, notes }))).toEqual([
    {
      version: { before: 1, after: 2 },
      notes: [
        { path: "", message: "is used by copy", destructive: false },
        { path: "config", message: "keeps the cursor of copy, as if it read the same", destructive: false },
      ],
    },
    {
      version: { before: 1, after: 2 },
      notes: [
        {
          path: "source",
          message: "the cursor is kept: the next run goes on where the last one ended",
          destructive: false,
        },
        { path: "trigger", message: `fires next at ${year}-01-01T00:00:00.000Z`, destructive: false },
        { path: "", message: "a run is under way, and ends as version 1", destructive: false },
      ],
    },
  ]);
});

test("what is there and not named is told, and that a schedule ends", async () => {
  const api = await withIncremental();
  const trigger = { type: "schedule", cron: "0 0 1 1 *" };
  const second = (change: object) => ({ integrations: [integration({ name: "second", ...change })] });
  await api.call("POST", "/v1/apply", second({ trigger }));
  const { body } = await api.call("POST", "/v1/apply?dry_run=true", second({}));
  expect(body.left).toEqual([
    { kind: "connector", name: "files" },
    { kind: "integration", name: "copy" },
  ]);
  expect(body.changes[0].notes).toEqual([
    {
      path: "trigger",
      message: expect.stringMatching(/^fires no more by a schedule; it would have at \d{4}-01-01T00:00:00.000Z$/),
      destructive: false,
    },
  ]);
});

test("a webhook's secret that its reference does not give is told, and what is wanted of it meanwhile", async () => {
  const api = await startApi();
  const hook = (reference: string) => ({
    connectors: [{ name: "hole", type: "blackhole" }],
    integrations: [
      {
        name: "hook",
        destination: { connector: "hole", stream: "s" },
        trigger: { type: "webhook", auth: { scheme: "github", secrets: ["in-plain-text", reference] } },
      },
    ],
  });
  const notes = async (reference: string) => {
    const { status, body } = await api.call("POST", "/v1/apply", hook(reference));
    expect(status).toBe(200);
    const changes = body.changes as { notes: { path: string; message: string }[] }[];
    return changes[1]!.notes.filter((note) => note.path.startsWith("trigger.auth"));
  };
  expect(await notes(`\${env:SLUICE_SECRET_NOT_SET}`)).toEqual([
    {
      path: "trigger.auth.secrets[1]",
      message: expect.stringMatching(/SLUICE_SECRET_NOT_SET.* resolves to nothing.*; until it is there, .* 503$/),
      destructive: false,
    },
  ]);
});
