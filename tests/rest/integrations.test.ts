import { randomUUIDv7 } from "node:crypto";
import { expect, test } from "vitest";
import type { NewDeadLetter } from "../../runtime/ports/store.ts";
import { type Api, fileConnector, integration, startApi } from "./support.ts";
import { withKey } from "./teams.ts";

async function withConnector() {
  const api = await startApi();
  const { body } = await api.call("POST", "/v1/connectors", fileConnector(api));
  return { ...api, connectorId: body.id as string };
}

async function made(api: Api, change: object = {}): Promise<{ id: string; version: number }> {
  const { status, body } = await api.call("POST", "/v1/integrations", integration(change));
  expect([status, body]).toEqual([201, expect.anything()]);
  return body;
}

test("an integration has the fields of the configuration and those of its state", async () => {
  const api = await withConnector();
  const trigger = { type: "schedule", cron: "0 0 1 1 *", timezone: "Europe/Berlin" };
  const { status, body } = await api.call("POST", "/v1/integrations", integration({ trigger }));
  expect(status).toBe(201);
  expect(body).toEqual({
    ...integration({ trigger }),
    id: expect.any(String),
    enabled: true,
    version: 1,
    status: "enabled",
    health: "ok",
    health_reason: null,
    circuits: { files: { state: "closed", since: null, reason: null, failure_ratio: null } },
    durability: { tier: "synced", copies: 1 },
    created_at: expect.any(String),
    updated_at: expect.any(String),
    next_fire_at: expect.stringMatching(/-12-31T23:00:00.000Z$/),
  });
  expect((await api.call("GET", `/v1/integrations/${body.id}`)).body).toEqual(body);
  expect(api.changed).toEqual([body.id]);
});

test("the next fires of a schedule are listed by its clock, and those of what does not fire are none", async () => {
  const api = await withConnector();
  const trigger = { type: "schedule", cron: "30 9 1 1,7 *", timezone: "Europe/Berlin" };
  const { id } = await made(api, { trigger });
  const fires = async (query = "") => (await api.call("GET", `/v1/integrations/${id}/fires${query}`)).body;
  const { items, next_cursor } = await fires("?limit=4");
  const times: string[] = items.map(({ at }: { at: string }) => at.slice(4));
  expect(next_cursor).toBeNull();
  expect(times.toSorted()).toEqual([
    "-01-01T08:30:00.000Z",
    "-01-01T08:30:00.000Z",
    "-07-01T07:30:00.000Z",
    "-07-01T07:30:00.000Z",
  ]);
  expect(items).toEqual(items.toSorted((a: { at: string }, b: { at: string }) => (a.at < b.at ? -1 : 1)));
  expect((await fires()).items).toHaveLength(10);
  await api.call("PUT", `/v1/integrations/${id}/disable`);
  expect((await fires()).items).toEqual([]);
  expect((await api.call("GET", `/v1/integrations/${randomUUIDv7()}/fires`)).status).toBe(404);
});

test("connectors can be given by their ids", async () => {
  const api = await withConnector();
  const byId = {
    name: "copy",
    source_connector_id: api.connectorId,
    source: { stream: "a.ndjson" },
    destination_connector_id: api.connectorId,
    destination: { connector: "files", stream: "b.ndjson" },
  };
  const { status, body } = await api.call("POST", "/v1/integrations", byId);
  expect([status, body]).toEqual([
    201,
    expect.objectContaining({ source: { connector: "files", stream: "a.ndjson" } }),
  ]);
  const wrong = { ...byId, name: "other", source_connector_id: randomUUIDv7() };
  expect((await api.call("POST", "/v1/integrations", wrong)).body.errors[0]).toEqual({
    path: "source_connector_id",
    message: "is the id of no connector",
  });
  const both = { ...byId, name: "other", destination: { connector: "another", stream: "b" } };
  expect((await api.call("POST", "/v1/integrations", both)).body.errors[0].path).toBe("destination_connector_id");
});

test("all faults of an integration are told at once, with their paths", async () => {
  const api = await withConnector();
  const bad = integration({
    source: { connector: "fils", stream: "a.ndjson" },
    mapping_spec: [{ source: "$[", destination: "x" }],
    trigger: { type: "schedule", cron: "soon" },
    colour: "red",
  });
  const { status, body } = await api.call("POST", "/v1/integrations", bad);
  expect(status).toBe(400);
  expect(body.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual([
    "colour",
    "mapping_spec[0].source",
    "source.connector",
    "trigger.cron",
  ]);
  expect((await api.call("GET", "/v1/integrations")).body.items).toEqual([]);
});

test("constants keep every digit from the body to the answer", async () => {
  const api = await withConnector();
  const rule = '{"value":12345678901234567890.123,"destination":"n"}';
  const text = JSON.stringify(integration({ mapping_spec: ["RULE"] })).replace('"RULE"', rule);
  const response = await api.app.inject({
    method: "POST",
    url: "/v1/integrations",
    headers: { authorization: `Bearer ${api.token}`, "content-type": "application/json" },
    payload: text,
  });
  expect([response.statusCode, response.body]).toEqual([201, expect.stringContaining("12345678901234567890.123")]);
  const read = await api.app.inject({
    url: `/v1/integrations/${response.json().id}`,
    headers: { authorization: `Bearer ${api.token}` },
  });
  expect(read.body).toContain("12345678901234567890.123");
});

test("a replaced integration is one version on", async () => {
  const api = await withConnector();
  const { id } = await made(api);
  const renamed = await api.call("PUT", `/v1/integrations/${id}`, integration({ name: "renamed" }));
  expect(renamed.body).toMatchObject({ name: "renamed", version: 2 });
});

test("what was lost of an integration is seen once somebody says so, and its node is told", async () => {
  const api = await withConnector();
  const { id } = (await api.call("POST", "/v1/integrations", integration())).body;
  const losses = { at: Date.now(), reasons: ["its log was lost"] };
  const health = { status: "degraded", reason: "its log was lost", circuits: {}, losses } as const;
  await api.store.integrations.setHealth(id, 1, health);
  api.changed.length = 0;
  const { status, body } = await api.call("PUT", `/v1/integrations/${id}/losses/seen`);
  expect([status, body.id, body.version]).toEqual([200, id, 1]);
  expect(api.changed).toEqual([id]);
  expect((await api.store.integrations.get(id))?.lossesSeen).toBe(losses.at);
  const unknown = await api.call("PUT", `/v1/integrations/${randomUUIDv7()}/losses/seen`);
  expect([unknown.status, unknown.body.code]).toEqual([404, "NOT_FOUND"]);
});

test("a disabled integration does not run until it is enabled again", async () => {
  const api = await withConnector();
  const { id } = await made(api);
  expect((await api.call("PUT", `/v1/integrations/${id}/disable`)).body).toMatchObject({
    enabled: false,
    status: "disabled",
  });
  expect(await api.call("POST", `/v1/integrations/${id}/run`)).toMatchObject({
    status: 409,
    body: { code: "CONFLICT" },
  });
  expect((await api.call("PUT", `/v1/integrations/${id}/enable`)).body).toMatchObject({
    enabled: true,
    status: "enabled",
  });
  expect((await api.call("POST", `/v1/integrations/${id}/run`)).status).toBe(202);
});

test("a run is answered as a resource, listed by status, and not started twice", async () => {
  const api = await withConnector();
  const { id } = await made(api);
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const correlation = { "x-request-id": "req-7", traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  const { status, body, headers } = await api.call("POST", `/v1/integrations/${id}/run`, undefined, correlation);
  expect(status).toBe(202);
  expect(headers.location).toBe(`/v1/runs/${body.id}`);
  expect(body).toEqual({
    id: expect.any(String),
    integration_id: id,
    integration_version: 1,
    trigger: "manual",
    status: "running",
    started_at: expect.any(String),
    finished_at: null,
    records_in: 0,
    records_out: 0,
    records_filtered: 0,
    records_failed: 0,
    by_destination: {},
    error: null,
    waiting: null,
    request: { id: "req-7", trace_id: trace, actor: "data folder" },
  });
  expect((await api.call("POST", `/v1/integrations/${id}/run`)).status).toBe(409);
  const counts = { in: 5, out: 3, filtered: 1, failed: 1, byDestination: { files: { out: 3, failed: 1 } } };
  await api.store.runs.finish(body.id, { status: "partial", error: null, counts });
  const { body: ended } = await api.call("GET", `/v1/runs/${body.id}`);
  expect(ended).toMatchObject({
    status: "partial",
    records_in: 5,
    records_out: 3,
    by_destination: { files: { out: 3, failed: 1 } },
  });
  const ids = async (query: string) =>
    (await api.call("GET", `/v1/integrations/${id}/runs${query}`)).body.items.map((run: { id: string }) => run.id);
  expect(await ids("?status=partial")).toEqual([body.id]);
  expect(await ids("?status=running")).toEqual([]);
  expect((await api.call("GET", `/v1/integrations/${id}/runs?status=done`)).status).toBe(400);
});

test("the end of a run that is under way is asked for, noted and passed on; one that has ended cannot be cancelled", async () => {
  const api = await withConnector();
  const { id: integrationId } = await made(api);
  const { id } = (await api.call("POST", `/v1/integrations/${integrationId}/run`)).body;
  api.changed.length = 0;
  const asked = await api.call("POST", `/v1/runs/${id}/cancel`);
  expect([asked.status, asked.body]).toEqual([202, expect.objectContaining({ id, status: "running" })]);
  expect(api.changed).toEqual([id]);
  const { cancelRequestedAt } = (await api.store.runs.get(id))!;
  expect(cancelRequestedAt).toEqual(expect.any(Date));
  expect((await api.call("POST", `/v1/runs/${id}/cancel`)).status).toBe(202);
  expect((await api.store.runs.get(id))!.cancelRequestedAt).toEqual(cancelRequestedAt);
  const counts = { in: 0, out: 0, filtered: 0, failed: 0, byDestination: {} };
  await api.store.runs.finish(id, { status: "cancelled", error: null, counts });
  const late = await api.call("POST", `/v1/runs/${id}/cancel`);
  expect([late.status, late.body]).toEqual([409, expect.objectContaining({ code: "CONFLICT" })]);
  const unknown = await api.call("POST", `/v1/runs/${randomUUIDv7()}/cancel`);
  expect([unknown.status, unknown.body.code]).toEqual([404, "NOT_FOUND"]);
});

test("dead letters are listed without their payloads and shown with them, whatever the bytes", async () => {
  const api = await withConnector();
  const { id } = await made(api);
  const { body: run } = await api.call("POST", `/v1/integrations/${id}/run`);
  const letter = (raw: Uint8Array, state: string | null): NewDeadLetter => ({
    id: randomUUIDv7(),
    runId: run.id,
    integrationId: id,
    integrationVersion: 1,
    recordId: `r${raw.length}`,
    step: "map",
    destination: null,
    rule: 2,
    code: "VALIDATION_ERROR",
    message: "rule 2: a string is no number",
    raw,
    state,
    position: { base: "a.ndjson", ordinal: 7 },
    attempts: [],
    fingerprint: "f",
    traceId: null,
  });
  const good = letter(Buffer.from('{"a":12345678901234567890}'), '{"a":1}');
  const odd = letter(Uint8Array.of(0x7b, 0xff, 0x00), null);
  const { stale } = await api.store.checkpoints.commit([
    { integrationId: id, epoch: 1, run: null, checkpoints: [], deadLetters: [good, odd], groups: [] },
  ]);
  expect(stale).toEqual([]);

  const { items } = (await api.call("GET", `/v1/integrations/${id}/dead-letter?resolved=false`)).body;
  expect(items).toHaveLength(2);
  expect(items[0]).not.toHaveProperty("payload");
  expect(items[0]).not.toHaveProperty("raw");
  expect(items[0]).not.toHaveProperty("state");
  expect((await api.call("GET", `/v1/integrations/${id}/dead-letter?resolved=true`)).body.items).toEqual([]);
  expect((await api.call("GET", `/v1/integrations/${id}/dead-letter?resolved=maybe`)).status).toBe(400);

  const { body } = await api.call("GET", `/v1/dead-letter/${good.id}`);
  expect(body).toMatchObject({
    id: good.id,
    run_id: run.id,
    step: "map",
    destination: null,
    rule: 2,
    position: { base: "a.ndjson", ordinal: 7 },
    raw: '{"a":12345678901234567890}',
    state: { a: 1 },
    resolved: false,
  });
  const response = await api.app.inject({
    url: `/v1/dead-letter/${good.id}`,
    headers: { authorization: `Bearer ${api.token}` },
  });
  expect(response.body).toContain('"payload":{"a":12345678901234567890}');
  expect((await api.call("GET", `/v1/dead-letter/${odd.id}`)).body).toMatchObject({
    payload: null,
    raw: "data:application/octet-stream;base64,e/8A",
    state: null,
  });
});

test("what was changed since the version of If-Match is left as it is", async () => {
  const api = await withConnector();
  const { id } = await made(api);
  const url = `/v1/integrations/${id}`;
  const put = (tag: string, change: object = {}) =>
    api.call("PUT", url, integration({ metadata: { description: tag }, ...change }), { "if-match": tag });
  expect((await api.call("GET", url)).headers.etag).toBe('"1"');
  expect(await put('"1"')).toMatchObject({ status: 200, headers: { etag: '"2"' } });
  const stale = await put('"1"');
  expect(stale).toMatchObject({
    status: 412,
    body: { code: "CONFLICT", detail: expect.stringContaining("version 2") },
  });
  for (const tag of ['W/"2"', '"other"', '"3", "1"']) expect((await put(tag)).status).toBe(412);
  for (const tag of ["2", '"2', "", "*, 2"]) expect((await put(tag)).status).toBe(400);
  expect((await api.call("PUT", `${url}/disable`, undefined, { "if-match": '"1"' })).status).toBe(412);
  expect((await api.call("DELETE", url, undefined, { "if-match": '"1"' })).status).toBe(412);
  expect((await put('"7", "2"')).headers.etag).toBe('"3"');
  expect((await put("*")).headers.etag).toBe('"4"');
  expect((await api.call("DELETE", url, undefined, { "if-match": '"4"' })).status).toBe(204);
});

test("of two who change a connector that both have read, one is told", async () => {
  const api = await withConnector();
  const url = `/v1/connectors/${api.connectorId}`;
  const { etag } = (await api.call("GET", url)).headers as { etag: string };
  const answers = await Promise.all([1, 2].map(() => api.call("PUT", url, fileConnector(api), { "if-match": etag })));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412]);
});

test("every version is kept, with who made it and what it said, for those alone who may see the integration", async () => {
  const api = await withConnector();
  const made = async (body: object) => withKey(api, { role: "editor", ...body });
  const [anna, ben] = [await made({ name: "anna", owner: "sales" }), await made({ name: "ben", owner: "finance" })];
  await anna.call("POST", "/v1/connectors", fileConnector(api, "own"));
  const at = (stream: string) =>
    integration({ source: { connector: "own", stream }, destination: { connector: "own", stream: "b.ndjson" } });
  const { body } = await anna.call("POST", "/v1/integrations", at("a.ndjson"));
  const url = `/v1/integrations/${body.id}`;
  expect((await api.call("PUT", url, at("c.ndjson"))).status).toBe(200);
  const { body: listed } = await anna.call("GET", `${url}/versions`);
  const created_at = expect.stringMatching(/Z$/);
  expect(listed).toEqual({
    items: [
      { version: 2, name: "copy", enabled: true, created_at, created_by: "data folder" },
      { version: 1, name: "copy", enabled: true, created_at, created_by: "anna" },
    ],
    next_cursor: null,
  });
  const { body: first } = await anna.call("GET", `${url}/versions/1`);
  expect(first).toEqual({ ...at("a.ndjson"), version: 1, enabled: true, created_at, created_by: "anna" });
  for (const none of ["0", "3", "01", "1.0", "-1", "99999999999", "a"]) {
    expect([none, (await anna.call("GET", `${url}/versions/${none}`)).status]).toEqual([none, 404]);
  }
  for (const path of ["versions", "versions/1"]) expect((await ben.call("GET", `${url}/${path}`)).status).toBe(404);
  const wrong = Buffer.from('"1; drop"').toString("base64url");
  expect((await anna.call("GET", `${url}/versions?cursor=${wrong}`)).status).toBe(400);
});
