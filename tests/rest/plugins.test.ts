import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { notedLine, writeProgram } from "../support/noted-program.ts";
import { localhostTls } from "../support/tls.ts";
import { type Api, integration, startApi } from "./support.ts";

let api: Api;
let root: string;
beforeEach(async () => {
  api = await startApi();
  root = path.join(api.dataDir, "plugins");
  for (const version of ["1.0.0", "1.2.0", "2.0.0"]) writeProgram(root, `noted/${version}`, notedLine(version));
});

const add = (name: string, spec: object, query = "") => api.call("POST", `/v1/plugins${query}`, { name, ...spec });
const errorsOf = async (spec: object) => {
  const { status, body } = await add("p", spec);
  expect(status).toBe(400);
  return body.errors as { path: string; message: string }[];
};
const inVersion = (version: string) => ({ command: [`noted/${version}`] });
const connector = (type: string, name = "numbers") => api.call("POST", "/v1/connectors", { name, type, config: {} });

test("a plugin is registered, read, changed and removed, its type with it", async () => {
  const made = await add("noted", inVersion("1.0.0"));
  expect(made).toMatchObject({
    status: 201,
    headers: { location: "/v1/plugins/noted", etag: '"1"' },
    body: { name: "noted", command: ["noted/1.0.0"], serves: { type: "noted", version: "1.0.0" }, version: 1 },
  });
  await expect
    .poll(async () => (await api.call("GET", "/v1/plugins/noted")).body.state)
    .toEqual({ status: "ready", reason: null });
  expect((await api.call("GET", "/v1/plugins")).body).toMatchObject({ items: [{ name: "noted" }], next_cursor: null });
  expect((await api.call("GET", "/v1/connector-types/noted")).body).toMatchObject({
    version: "1.0.0",
    versions: ["1.0.0"],
    plugin: "noted",
    capabilities: { source: { modes: ["full"] }, lifecycle: true },
  });
  const got = await api.call("GET", "/v1/plugins/noted");
  const changed = await api.call("PUT", "/v1/plugins/noted", { ...got.body, ...inVersion("1.2.0") });
  expect(changed).toMatchObject({ status: 200, body: { serves: { version: "1.2.0" }, version: 2 } });
  expect((await api.call("PUT", "/v1/plugins/noted", inVersion("1.0.0"), { "if-match": '"1"' })).status).toBe(412);
  expect((await api.call("DELETE", "/v1/plugins/noted")).status).toBe(204);
  expect((await api.call("GET", "/v1/plugins/noted")).status).toBe(404);
  expect((await api.call("GET", "/v1/connector-types/noted")).status).toBe(404);
});

test("versions stand side by side, and a connector has the newest or the one that it pins", async () => {
  for (const version of ["1.0.0", "2.0.0", "1.2.0"]) {
    expect((await add(`noted-${version[0]}${version[2]}`, inVersion(version))).status).toBe(201);
  }
  const versionOf = async (type: string) => (await api.call("GET", `/v1/connector-types/${type}`)).body.version;
  expect(await versionOf("noted")).toBe("2.0.0");
  expect(await versionOf("noted@1")).toBe("1.2.0");
  expect(await versionOf("noted@1.0")).toBe("1.0.0");
  const { body } = await api.call("GET", "/v1/connector-types");
  const listed = body.items.filter(({ type }: { type: string }) => type === "noted");
  expect(listed).toMatchObject([{ version: "2.0.0", versions: ["2.0.0", "1.2.0", "1.0.0"] }]);
  expect(await connector("noted@3")).toMatchObject({
    status: 400,
    body: {
      errors: [
        {
          path: "type",
          message: "there is no version 3 of the connector type noted; there is 1.0.0, 1.2.0, 2.0.0",
        },
      ],
    },
  });
  const made = await connector("noted@1.0");
  expect(made.status).toBe(201);
  const { id } = made.body;
  expect((await api.call("POST", `/v1/connectors/${id}/sample?limit=1`)).body).toEqual({
    stream: "numbers",
    records: [{ n: 0, version: "1.0.0" }],
  });
  // Another version is the same type; another type is not.
  const moved = await api.call("PUT", `/v1/connectors/${id}`, { name: "numbers", type: "noted", config: {} });
  expect(moved).toMatchObject({ status: 200, body: { type: "noted" } });
  expect((await api.call("POST", `/v1/connectors/${id}/sample?limit=1`)).body.records).toEqual([
    { n: 0, version: "2.0.0" },
  ]);
  const other = await api.call("PUT", `/v1/connectors/${id}`, { name: "numbers", type: "file", config: {} });
  expect(other.status).toBe(400);
});

test("an upgrade moves who pins nothing, and an integration whose connector pins a version stays with it", async () => {
  await add("old", inVersion("1.0.0"));
  await add("new", inVersion("1.2.0"));
  const integration = async (name: string, type: string) => {
    await connector(type, name);
    const ends = { source: { connector: name, stream: "numbers" }, destination: { connector: "hole", stream: "any" } };
    const { body } = await api.call("POST", "/v1/integrations", { name, ...ends });
    return async () => {
      const { body: shown } = await api.call("POST", `/v1/integrations/${body.id}/preview`, { sample: 1 });
      return shown.records[0].record.version;
    };
  };
  await api.call("POST", "/v1/connectors", { name: "hole", type: "blackhole", config: {} });
  const pinned = await integration("pinned", "noted@1.0");
  const free = await integration("free", "noted");
  expect([await pinned(), await free()]).toEqual(["1.0.0", "1.2.0"]);
  expect((await api.call("PUT", "/v1/plugins/new", inVersion("2.0.0"))).status).toBe(200);
  expect([await pinned(), await free()]).toEqual(["1.0.0", "2.0.0"]);
  const { body } = await api.call("PUT", "/v1/plugins/old", inVersion("1.2.0"));
  expect(body.detail).toContain("connector pinned: type: there is no version 1.0 of the connector type noted");
  expect(await pinned()).toBe("1.0.0");
});

test("a type that sluice comes with is not taken, nor a version that another plugin serves, nor a name", async () => {
  const file = fileURLToPath(new URL("../plugin/programs/file.ts", import.meta.url));
  writeProgram(root, "file", `exec '${process.execPath}' '${file}'`);
  expect(await add("mine", { command: ["file"] })).toMatchObject({
    status: 409,
    body: { detail: "plugin mine has the type file, which sluice comes with" },
  });
  expect((await add("noted", inVersion("1.0.0"))).status).toBe(201);
  expect(await add("again", inVersion("1.0.0"))).toMatchObject({
    status: 409,
    body: { detail: "plugin noted serves noted 1.0.0 already" },
  });
  expect(await add("noted", inVersion("1.2.0"))).toMatchObject({
    status: 409,
    body: { detail: "a plugin of this name exists already" },
  });
});

test("what would leave a connector without its type is refused, unless it is forced", async () => {
  await add("noted", inVersion("1.0.0"));
  await connector("noted@1", "pinned");
  expect(await api.call("PUT", "/v1/plugins/noted", inVersion("2.0.0"))).toMatchObject({
    status: 409,
    body: {
      detail:
        "nothing was changed: connector pinned: type: there is no version 1 of the connector type noted; there is 2.0.0",
    },
  });
  expect((await api.call("PUT", "/v1/plugins/noted", inVersion("1.2.0"))).status).toBe(200);
  expect(await api.call("DELETE", "/v1/plugins/noted")).toMatchObject({
    status: 409,
    body: { detail: "plugin noted cannot be removed while it is used by connector pinned" },
  });
  expect((await api.call("DELETE", "/v1/plugins/noted?force=true")).status).toBe(204);
  const { items } = (await api.call("GET", "/v1/connectors")).body;
  expect(await api.call("POST", `/v1/connectors/${items[0].id}/test`)).toMatchObject({
    body: { status: "failed", error: { code: "NOT_FOUND" } },
  });
});

test("only programs below the roots are run, and no file connector reaches them", async () => {
  const why = "is not below the folders whose programs may be run";
  mkdirSync(path.join(root, "links"));
  symlinkSync("/bin/sh", path.join(root, "links", "sh"));
  for (const program of ["/bin/sh", "../plugins/../token", "links/sh", "/nowhere"]) {
    const [error] = await errorsOf({ command: [program, "-c", "true"] });
    expect(error).toMatchObject({ path: "command[0]", message: expect.stringContaining(why) });
  }
  expect((await errorsOf({ command: ["missing"] }))[0]?.message).toMatch(/^there is no .*missing$/);
  writeFileSync(path.join(root, "plain"), "");
  expect((await errorsOf({ command: ["plain"] }))[0]?.message).toMatch(/may not be executed/);
  const reaching = { name: "reaching", type: "file", config: { path: root } };
  const { id } = (await api.call("POST", "/v1/connectors", reaching)).body;
  expect((await api.call("POST", `/v1/connectors/${id}/test`)).body.error.code).toBe("FORBIDDEN");
});

test("what does not go together is told by its path", async () => {
  expect(await errorsOf({})).toEqual([{ path: "", message: "needs a command, an address or an image" }]);
  expect(await errorsOf({ command: ["a"], address: "unix:/a", image: "a" })).toMatchObject([
    { path: "address" },
    { path: "image" },
  ]);
  expect(await errorsOf({ address: "far:7000" })).toMatchObject(
    [{ path: "tls", message: /^is required: far:7000/ }].map(({ path }) => ({ path })),
  );
  expect(await errorsOf({ address: "unix:/a", memory: 20, env: { A: "b" } })).toMatchObject([
    { path: "memory" },
    { path: "env" },
    { path: "env.A" },
  ]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference
  expect(await errorsOf({ command: ["a"], env: { PATH: "/tmp", SLUICE_PLUGIN_A: "${env:HOME}" } })).toMatchObject([
    { path: "env.PATH", message: expect.stringContaining("names begin with SLUICE_PLUGIN_") },
    { path: "env.SLUICE_PLUGIN_A", message: expect.stringContaining("only environment variables") },
  ]);
  expect(await errorsOf({ adress: "unix:/a" })).toMatchObject([
    { path: "adress", message: expect.stringContaining("address") },
    { path: "" },
  ]);
});

test("a plugin that does not start is refused, or taken with the reason in its state", async () => {
  writeProgram(root, "dead", "echo no licence >&2; exit 3");
  const reason = "ended before its first line (exit code 3): no licence";
  expect(await add("dead", { command: ["dead"] })).toMatchObject({
    status: 422,
    body: { detail: `plugin dead ${reason}` },
  });
  const taken = await add("dead", { command: ["dead"] }, "?skip_checks=true");
  expect(taken).toMatchObject({ status: 201, body: { serves: null } });
  await expect
    .poll(async () => (await api.call("GET", "/v1/plugins/dead")).body.state)
    .toEqual({ status: "unavailable", reason });
  // Mended, it is known without being told of.
  writeProgram(root, "dead", notedLine("1.0.0"));
  await expect
    .poll(async () => (await api.call("GET", "/v1/plugins/dead")).body.serves)
    .toEqual({ type: "noted", version: "1.0.0" });
});

test("an image is for what deploys it: without an address the state says that nothing runs it here", async () => {
  expect(await add("far", { image: "registry.example.com/noted:1.0.0" })).toMatchObject({
    status: 201,
    body: {
      serves: null,
      state: { status: "unavailable", reason: expect.stringContaining("has no container engine on this node") },
    },
  });
});

test("secrets of a plugin are sealed and read as ***, which keeps them", async () => {
  const spec = { ...inVersion("1.0.0"), env: { SLUICE_PLUGIN_TOKEN: "hidden-token-1" } };
  const made = await add("noted", spec);
  expect(made.body.env).toEqual({ SLUICE_PLUGIN_TOKEN: "***" });
  expect(JSON.stringify((await api.store.plugins.byName("noted"))?.spec)).not.toContain("hidden");
  const kept = await api.call("PUT", "/v1/plugins/noted", {
    ...spec,
    env: { SLUICE_PLUGIN_TOKEN: "***" },
    memory: 256,
  });
  expect(kept.status).toBe(200);
  const stray = await api.call("PUT", "/v1/plugins/noted", { ...spec, env: { SLUICE_PLUGIN_OTHER: "***" } });
  expect(stray).toMatchObject({ status: 400, body: { errors: [{ path: "env.SLUICE_PLUGIN_OTHER" }] } });
  const tls = { ca: localhostTls.cert, ...localhostTls };
  const far = await add("far", { address: "far.invalid:7000", tls }, "?skip_checks=true");
  expect(far).toMatchObject({ status: 201, body: { tls: { key: "***", cert: localhostTls.cert } } });
});

test("a configuration is applied with its plugins, or nothing of it", async () => {
  const config = (version: string, type = "noted") => ({
    plugins: [{ name: "noted", ...inVersion(version) }],
    connectors: [
      { name: "numbers", type, config: {} },
      { name: "files", type: "blackhole", config: {} },
    ],
    integrations: [
      integration({
        source: { connector: "numbers", stream: "numbers" },
        destination: { connector: "files", stream: "b" },
      }),
    ],
  });
  const apply = (body: object, query = "") => api.call("POST", `/v1/apply${query}`, body);
  expect((await apply(config("1.0.0"), "?dry_run=true")).body.changes[0]).toMatchObject({
    kind: "plugin",
    action: "create",
    notes: [{ message: "serves noted 1.0.0" }],
  });
  expect((await api.call("GET", "/v1/plugins")).body.items).toEqual([]);
  expect(await apply(config("1.0.0", "notes"))).toMatchObject({
    status: 400,
    body: { errors: [{ path: "connectors[0].type", message: expect.stringContaining("noted") }] },
  });
  expect(await apply(config("9.9.9"))).toMatchObject({
    status: 400,
    body: { errors: [{ path: "plugins[0].command[0]" }] },
  });
  expect((await api.call("GET", "/v1/plugins")).body.items).toEqual([]);
  expect((await apply(config("1.0.0"))).status).toBe(200);
  expect((await apply(config("1.0.0"))).body.changes.map(({ action }: { action: string }) => action)).toEqual([
    "unchanged",
    "unchanged",
    "unchanged",
    "unchanged",
  ]);
  // Upgraded, with the pin that asks for it.
  const upgraded = await apply(config("2.0.0", "noted@2"));
  expect(upgraded.body.changes).toMatchObject([
    { kind: "plugin", action: "update", notes: [{ message: "serves noted 2.0.0 (before: noted 1.0.0)" }] },
    { kind: "connector", action: "update" },
    { kind: "connector", action: "unchanged" },
    { kind: "integration", action: "unchanged" },
  ]);
  // A connector that is not named here would lose its version.
  const { integrations, connectors, ...plugins } = config("1.0.0");
  expect((await apply(plugins, "?dry_run=true")).body.changes[0].notes).toContainEqual({
    path: "",
    message: expect.stringMatching(/^connector \w+: type: there is no version 2 of the connector type noted/),
    destructive: true,
  });
  expect((await apply(plugins)).status).toBe(409);
  expect((await apply(plugins, "?allow_destructive=true")).status).toBe(200);
});
