import { randomUUIDv7 } from "node:crypto";
import { expect, test } from "vitest";
import { routes } from "../../gateway/rest/routes.ts";
import { type Api, fileConnector, integration, startApi } from "./support.ts";
import { first, replacements, teams, withKey } from "./teams.ts";

const withId = routes.filter(({ path }) => path.includes("{id}"));

test("a team finds nothing of another's, on any route, and is not told that it exists", async () => {
  const { mine, other, theirs } = await teams();
  for (const [kind, id] of Object.entries(theirs)) {
    expect([kind, (await other.call("GET", `/v1/${kind}/${id}`)).status]).toEqual([kind, 200]);
  }
  for (const { method, path: template, answer } of withId) {
    const path = template.replace("{version}", "1");
    const [, kind] = /^\/v1\/([\w-]+)\/\{id\}/.exec(path)!;
    const body =
      method === "PATCH"
        ? { payload: null }
        : method === "PUT" && path.endsWith("{id}")
          ? replacements[kind!]
          : path.endsWith("/invoke")
            ? {}
            : undefined;
    const answers = [];
    for (const id of [theirs[kind!]!, randomUUIDv7()]) {
      const { status, body: problem } = await mine.call(method, path.replace("{id}", id), body);
      answers.push([method, path, status, problem.detail.replace(id, "ID")]);
    }
    expect(answers[0]).toEqual([method, path, 404, expect.any(String)]);
    // Word for word as for what was never there.
    expect(answers[0]).toEqual(answers[1]);
    // Whose it is finds it there: it is the owner that is refused.
    if (method !== "GET" || answer.isStream) continue;
    const own = await other.call(method, path.replace("{id}", theirs[kind!]!));
    expect([path, own.status]).not.toEqual([path, 404]);
  }
  expect((await other.call("GET", `/v1/connectors/${theirs.connectors}`)).body.version).toBe(1);
});

test("a team has lists of its own, uses no connector of another, and has no say in the platform", async () => {
  const { api, mine, other, theirs } = await teams();
  for (const kind of ["connectors", "integrations", "api-keys"]) {
    const ids = async (who: Pick<Api, "call">) =>
      (await who.call("GET", `/v1/${kind}`)).body.items.map(({ id }: { id: string }) => id);
    expect(await ids(mine)).not.toContain(theirs[kind]);
    expect(await ids(other)).toContain(theirs[kind]);
    expect(await ids(api)).toContain(theirs[kind]);
  }
  expect((await mine.call("GET", "/v1/connectors?name=files")).body.items).toEqual([]);
  const theft = integration({ name: "theft" });
  const named = await mine.call("POST", "/v1/integrations", theft);
  expect(named.body.errors).toContainEqual(expect.objectContaining({ path: "source.connector" }));
  const byId = { ...theft, source: { stream: "a.ndjson" }, source_connector_id: theirs.connectors };
  const wrongId = { path: "source_connector_id", message: "is the id of no connector" };
  expect((await mine.call("POST", "/v1/integrations", byId)).body.errors).toContainEqual(wrongId);
  expect((await mine.call("POST", "/v1/apply", { integrations: [theft] })).status).toBe(400);
  const applied = { connectors: [{ name: "own", type: "blackhole" }] };
  expect((await mine.call("POST", "/v1/apply", applied)).status).toBe(200);
  expect((await mine.call("GET", "/v1/connectors")).body.items).toMatchObject([{ name: "own", owner: "sales" }]);

  // An administrator uses the team's connector beside the team: it hears that somebody does, not who.
  const file = await other.call("PUT", `/v1/connectors/${theirs.connectors}`, { ...fileConnector(api), name: "moved" });
  expect(file.body.detail).toMatch(/while it is used by copy$/);
  expect((await api.call("POST", "/v1/integrations", integration({ name: "unseen" }))).status).toBe(201);
  const removed = async (who: Pick<Api, "call">) =>
    (await who.call("DELETE", `/v1/connectors/${theirs.connectors}`)).body.detail;
  expect(await removed(other)).toMatch(/while it is used by copy and 1 more$/);
  expect(await removed(api)).toMatch(/while it is used by (copy, unseen|unseen, copy)$/);
  expect((await other.call("DELETE", `/v1/integrations/${theirs.integrations}`)).status).toBe(204);
  expect(await removed(other)).toMatch(/while it is used by 1 integration$/);

  for (const url of ["/v1/secrets", "/metrics"]) expect((await mine.call("GET", url)).status).toBe(403);
  expect((await mine.call("POST", "/v1/secrets/rotate")).status).toBe(403);
  const { items } = (await mine.call("GET", "/v1/audit-log")).body;
  expect(items.map(({ owner, action }: Record<string, string>) => [owner, action])).toEqual([
    ["sales", "connector.created"],
  ]);

  const stranger = await mine.call("POST", "/v1/api-keys", { name: "x", role: "viewer", owner: "finance" });
  expect(stranger.body.errors).toEqual([{ path: "owner", message: expect.stringContaining("sales") }]);
  const own = await mine.call("POST", "/v1/api-keys", { name: "x", role: "viewer" });
  expect(own).toMatchObject({ status: 201, body: { owner: "sales" } });
});

test("each role may what its scopes say, on every route", async () => {
  const api = await startApi();
  const allowed = new Set<string>();
  for (const [role, more] of Object.entries(first)) {
    for (const scope of more.split(" ")) allowed.add(scope);
    const { call } = await withKey(api, { role });
    for (const { method, path, scopes, answer } of routes) {
      const none = path.replaceAll(/\{\w+\}/g, "no-such-thing");
      // What has no end is asked for what there is not.
      const url = answer.isStream ? `${none}?integration=no-such-thing` : none;
      // Without a body: what is allowed fails later than what is not.
      const { status } = await call(method, url);
      const isRefused = !scopes.every((scope) => allowed.has(scope));
      expect([role, method, url, status === 403]).toEqual([role, method, url, isRefused]);
    }
  }
});

test("whoever may not send a body is told so before it is read", async () => {
  const api = await startApi();
  const { call } = await withKey(api, { role: "viewer" });
  expect((await call("POST", "/v1/connectors", "{no JSON")).status).toBe(403);
  expect((await call("POST", "/v1/apply?no_such=1", "{no JSON")).status).toBe(403);
  expect((await api.call("POST", "/v1/connectors", "{no JSON")).status).toBe(400);
});

test("a hook is open to no token of the API, of whichever team and role, and what is none is not told apart", async () => {
  const { api, mine, other } = await teams();
  const hook = {
    name: "hook",
    destination: { connector: "files", stream: "b.ndjson" },
    trigger: { type: "webhook", auth: { scheme: "github", secrets: ["a-secret"], verify_token: "a-token" } },
  };
  const { status, body: made } = await other.call("POST", "/v1/integrations", hook);
  expect(status).toBe(201);
  const keys = await Promise.all(Object.keys(first).map((role) => withKey(api, { role, owner: "sales" })));
  const question = "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=";
  for (const { call, key } of [...keys, mine, other, { ...api, key: api.token }]) {
    for (const name of ["hook", made.id]) {
      expect((await call("POST", `/v1/hooks/${name}`, {})).status).toBe(401);
      expect((await call("GET", `/v1/hooks/${name}${question}${key}`)).status).toBe(401);
    }
    const none = [];
    for (const name of ["copy", "nothing-there"])
      none.push(
        (await call("POST", `/v1/hooks/${name}`, {})).body.detail,
        (await call("GET", `/v1/hooks/${name}`)).status,
      );
    // An integration that takes no hooks is as one that is not there.
    expect(none).toEqual([none[0], 404, none[0], 404]);
  }
});

test("scopes narrow a role down, and a key makes none that may more than itself", async () => {
  const api = await startApi();
  const { call } = await withKey(api, { role: "admin", scopes: ["keys:write", "runs:read"] });
  expect((await call("GET", "/v1/connectors")).status).toBe(403);
  expect((await call("GET", "/v1/api-keys")).body).toMatchObject({
    code: "FORBIDDEN",
    detail: expect.stringContaining("keys:read"),
  });
  const more = await call("POST", "/v1/api-keys", { name: "more", role: "viewer" });
  expect(more.body.errors).toEqual([{ path: "role", message: expect.stringContaining("connectors:read") }]);
  const editor = await withKey(api, { role: "editor" });
  const plugin = { plugins: [{ name: "shell", command: ["sh"] }] };
  expect((await editor.call("POST", "/v1/apply", plugin)).body).toMatchObject({ code: "FORBIDDEN" });
  expect((await call("POST", "/v1/api-keys", { name: "less", role: "viewer", scopes: ["runs:read"] })).status).toBe(
    201,
  );
});

// It may have expired before it is used, on a machine that is slow.
test("a key is shown once, and refused once it is revoked or has expired", { retry: 5 }, async () => {
  const api = await startApi();
  const expires_at = new Date(Date.now() + 1_500).toISOString();
  const short = await withKey(api, { role: "viewer", expires_at });
  expect((await short.call("GET", "/v1/connectors")).status).toBe(200);
  const { body } = await api.call("GET", `/v1/api-keys/${short.id}`);
  expect(body).toMatchObject({ prefix: short.key.slice(0, 10), role: "viewer", expires_at, created_by: "data folder" });
  expect(JSON.stringify((await api.call("GET", "/v1/api-keys")).body)).not.toContain(short.key);
  await expect.poll(async () => (await short.call("GET", "/v1/connectors")).status).toBe(401);
  const revoked = await withKey(api, { role: "viewer" });
  expect((await api.call("DELETE", `/v1/api-keys/${revoked.id}`)).status).toBe(204);
  expect((await revoked.call("GET", "/v1/connectors")).status).toBe(401);
  expect((await api.call("DELETE", `/v1/api-keys/${revoked.id}`)).status).toBe(409);
  const past = { name: "late", role: "viewer", expires_at: "2020-01-01T00:00:00Z" };
  expect((await api.call("POST", "/v1/api-keys", past)).body.errors[0].path).toBe("expires_at");
});

test("every change is in the audit log, with who, before and after, and no secret", async () => {
  const api = await startApi();
  const { call } = await withKey(api, { name: "ann", role: "editor" });
  const password = "hunter2-in-the-log";
  const config = { host: "127.0.0.1", port: 1, database: "d", user: "u", password };
  const { id } = (await call("POST", "/v1/connectors", { name: "db", type: "postgres", config })).body;
  await call("PUT", `/v1/connectors/${id}`, { name: "db2", type: "postgres", config: { ...config, password: "***" } });
  await call("DELETE", `/v1/connectors/${id}`);
  const { items } = (await api.call("GET", `/v1/audit-log?resource_id=${id}`)).body;
  expect(items).toMatchObject([
    { actor: "ann", action: "connector.removed", before: { name: "db2", version: 2 }, after: null },
    { actor: "ann", action: "connector.updated", before: { name: "db" }, after: { name: "db2", has_secrets: true } },
    { actor: "ann", action: "connector.created", before: null, after: { name: "db" }, request_id: expect.any(String) },
  ]);
  const all = await api.call("GET", "/v1/audit-log");
  expect(JSON.stringify(all.body)).not.toContain(password);
  expect(all.body.items.at(-1)).toMatchObject({
    actor: "data folder",
    action: "api_key.created",
    resource_name: "ann",
  });
  expect((await api.call("GET", "/v1/audit-log?actor=ann")).body.items).toHaveLength(3);
  expect((await api.call("GET", "/v1/audit-log?actor=%00")).body.items).toEqual([]);
});

test("a team's integration that names what was its own once does not get at another's connector of that name", async () => {
  const { api, mine, other } = await teams();
  expect((await mine.call("POST", "/v1/connectors", { name: "shared", type: "blackhole" })).status).toBe(201);
  const ends = { source: { connector: "shared", stream: "a" }, destination: { connector: "shared", stream: "b" } };
  const { connectors } = api;
  await expect(connectors.of("sales").lookups.open("shared")).rejects.toThrow(/cannot look anything up/);
  await expect(connectors.of("finance").lookups.open("shared")).rejects.toThrow(/no connector "shared"/);
  const preview = { spec: { ...integration(), ...ends } };
  const { items } = (await other.call("GET", "/v1/integrations")).body;
  expect((await other.call("POST", `/v1/integrations/${items[0].id}/preview`, preview)).status).toBe(400);
});
