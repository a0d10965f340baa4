import { describe, expect, test } from "vitest";
import { shareNode } from "./shared-node.ts";

const shared = shareNode();
const nobody = "0190b5f0-0000-7000-8000-000000000000";
const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

async function generatorToBlackhole(change: object = {}) {
  const [source, destination] = [
    await shared.connector("generator", { count: 3 }),
    await shared.connector("blackhole"),
  ];
  return {
    name: shared.name(),
    source: { connector: source, stream: "s" },
    destination: { connector: destination, stream: "d" },
    ...change,
  };
}

describe("every refusal is a problem document", () => {
  const tooLarge = `{"name":"${"x".repeat(20_000_000)}"}`;
  test.each<[string, string, unknown, Record<string, string | null>, number, string]>([
    ["GET", "/v1/nothing", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/", undefined, {}, 404, "NOT_FOUND"],
    ["PATCH", "/v1/connectors", {}, {}, 405, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors", undefined, { authorization: null }, 401, "UNAUTHORIZED"],
    ["GET", "/v1/connectors", undefined, { authorization: "Bearer x" }, 401, "UNAUTHORIZED"],
    ["GET", "/v1/connectors", undefined, { authorization: "Basic eDp5" }, 401, "UNAUTHORIZED"],
    ["GET", "/metrics", undefined, { authorization: null }, 401, "UNAUTHORIZED"],
    ["POST", "/v1/connectors", "{bad", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "null", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "[]", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", Uint8Array.of(0x7b, 0xff, 0x7d), {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "{}", { "content-type": "text/plain" }, 415, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", tooLarge, {}, 413, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors/%ff", undefined, {}, 400, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors/x", undefined, {}, 404, "NOT_FOUND"],
    ["GET", `/v1/connectors/${nobody}`, undefined, {}, 404, "NOT_FOUND"],
    ["GET", `/v1/integrations/${nobody}`, undefined, {}, 404, "NOT_FOUND"],
    ["GET", `/v1/integrations/${nobody}/runs`, undefined, {}, 404, "NOT_FOUND"],
    ["GET", `/v1/integrations/${nobody}/dead-letter`, undefined, {}, 404, "NOT_FOUND"],
    ["POST", `/v1/integrations/${nobody}/run`, undefined, {}, 404, "NOT_FOUND"],
    ["GET", `/v1/runs/${nobody}`, undefined, {}, 404, "NOT_FOUND"],
    ["GET", `/v1/dead-letter/${nobody}`, undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/connector-types/constructor", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/connectors?limit=0", undefined, {}, 400, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors?limit=ten", undefined, {}, 400, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors?limit=1&limit=2", undefined, {}, 400, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors?cursor=zzz", undefined, {}, 400, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors?lmit=1", undefined, {}, 400, "VALIDATION_ERROR"],
  ])("%s %s (%#)", async (method, url, body, headers, status, code) => {
    const answer = await shared.call(method, url, body, { "x-request-id": "mine-1", ...headers });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
    expect(answer.body).toEqual({
      type: "about:blank",
      title: expect.any(String),
      status,
      code,
      detail: expect.any(String),
      errors: expect.any(Array),
      request_id: "mine-1",
    });
    expect(answer.headers.get("x-request-id")).toBe("mine-1");
  });

  test("a name with a NUL is nobody's, and no fault of the server", async () => {
    expect(await shared.call("GET", "/v1/connectors?name=%00")).toMatchObject({ status: 200, body: { items: [] } });
  });
});

test("health and readiness need no token", async () => {
  for (const url of ["/healthz", "/readyz"]) {
    expect((await shared.call("GET", url, undefined, { authorization: null })).status).toBe(200);
  }
});

test("a connector's resource has the contract's fields, and what was read can be put back", async () => {
  const config = { host: "127.0.0.1", port: 1, database: "d", user: "u", password: "hunter2" };
  const name = shared.name();
  const made = await shared.call("POST", "/v1/connectors", { name, type: "postgres", config });
  expect(made.body).toEqual({
    id: uuid,
    name,
    type: "postgres",
    config: { ...config, password: "***" },
    owner: null,
    created_at: time,
    updated_at: time,
    version: 1,
  });
  const url = `/v1/connectors/${made.body.id}`;
  expect([made.status, made.headers.get("location")]).toEqual([201, url]);
  const put = await shared.call("PUT", url, { ...made.body, config: { ...made.body.config, port: 2 } });
  expect([put.status, put.body]).toEqual([
    200,
    expect.objectContaining({ version: 2, created_at: made.body.created_at }),
  ]);
  expect((await shared.call("POST", "/v1/connectors", { name, type: "blackhole" })).status).toBe(409);
  const test = await shared.call("POST", `${url}/test`);
  expect(test.body).toEqual({
    status: "failed",
    latency_ms: expect.any(Number),
    sample_record: null,
    error: expect.objectContaining({ code: "UNAVAILABLE", message: expect.not.stringContaining("hunter2") }),
  });
  expect((await shared.call("DELETE", url)).status).toBe(204);
  expect((await shared.call("DELETE", url)).status).toBe(404);
});

test("an integration's resource has the contract's fields, and what was read can be put back", async () => {
  const body = await generatorToBlackhole({ trigger: { type: "schedule", cron: "0 0 1 1 *", timezone: "UTC" } });
  const made = await shared.call("POST", "/v1/integrations", body);
  expect(made.body).toEqual({
    ...body,
    id: uuid,
    enabled: true,
    version: 1,
    status: "enabled",
    health: "ok",
    health_reason: null,
    durability: { tier: "synced", copies: 1 },
    circuits: { [body.destination.connector]: { state: "closed", since: null, reason: null, failure_ratio: null } },
    created_at: time,
    updated_at: time,
    next_fire_at: time,
  });
  const url = `/v1/integrations/${made.body.id}`;
  const put = await shared.call("PUT", url, { ...made.body, metadata: { owner: "me" } });
  expect([put.status, put.body]).toEqual([200, expect.objectContaining({ version: 2, metadata: { owner: "me" } })]);
  expect((await shared.call("PUT", `${url}/disable`)).body).toMatchObject({ enabled: false, next_fire_at: null });
  expect(await shared.call("POST", `${url}/run`)).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
  expect((await shared.call("PUT", `${url}/enable`)).body).toMatchObject({ enabled: true });
  const [source] = (await shared.call("GET", `/v1/connectors?name=${body.source.connector}`)).body.items;
  expect((await shared.call("DELETE", `/v1/connectors/${source.id}`)).status).toBe(409);
  expect((await shared.call("DELETE", url)).status).toBe(204);
  expect((await shared.call("DELETE", `/v1/connectors/${source.id}`)).status).toBe(204);
});

test("runs and dead letters have the contract's fields, filters and pages", async () => {
  const failing = await shared.connector("blackhole", { fail: { ratio: 1 } });
  const id = await shared.integration(await generatorToBlackhole({ destination: { connector: failing, stream: "d" } }));
  const started = await shared.call("POST", `/v1/integrations/${id}/run`);
  expect([started.status, started.headers.get("location")]).toEqual([202, `/v1/runs/${started.body.id}`]);
  expect(await shared.node.api.ended(started.body.id)).toEqual({
    id: uuid,
    integration_id: id,
    integration_version: 1,
    trigger: "manual",
    status: "partial",
    started_at: time,
    finished_at: time,
    records_in: 3,
    records_out: 0,
    records_filtered: 0,
    records_failed: 3,
    by_destination: { [failing]: { out: 0, failed: 3 } },
    error: null,
    waiting: null,
    circuits: null,
    drift: [],
    request: { id: expect.any(String), actor: expect.any(String) },
    ledger: expect.objectContaining({ balanced: true, imbalances: [] }),
  });
  await shared.run(id);
  await shared.run(id);
  const list = async (path: string) => (await shared.call("GET", `/v1/integrations/${id}/${path}`)).body;
  const all = (await list("runs?limit=1000")).items;
  const first = await list("runs?limit=2");
  const second = await list(`runs?limit=2&cursor=${first.next_cursor}`);
  expect([...first.items, ...second.items]).toEqual(all);
  expect([first.items.length, second.next_cursor]).toEqual([2, null]);
  expect((await list("runs?status=success")).items).toEqual([]);
  expect((await list("runs?status=partial")).items).toHaveLength(3);
  expect((await list("runs?status=done")).errors[0].path).toBe("status");

  const letters = (await list("dead-letter?limit=1000&resolved=false")).items;
  expect(letters).toHaveLength(9);
  expect((await list("dead-letter?resolved=true")).items).toEqual([]);
  const shown = {
    id: uuid,
    integration_id: id,
    integration_version: 1,
    record_id: expect.any(String),
    step: null,
    destination: failing,
    rule: null,
    code: "VALIDATION_ERROR",
    message: expect.any(String),
    attempt_count: 1,
    attempts: [expect.objectContaining({ at: time, code: "VALIDATION_ERROR" })],
    first_failed_at: time,
    last_attempted_at: time,
    fingerprint: expect.any(String),
    resolved: false,
    resolution: null,
  };
  expect(letters[0]).toMatchObject({ ...shown, run_id: uuid });
  for (const field of ["payload", "raw", "state"]) expect(letters[0]).not.toHaveProperty(field);
  const letter = (await shared.call("GET", `/v1/dead-letter/${letters[0].id}`)).body;
  expect(letter).toMatchObject({ ...shown, payload: expect.any(Object), raw: expect.any(String) });
  expect(JSON.parse(letter.raw)).toEqual(letter.payload);
  // A record's id is stable across re-reads: three runs failed the same three records.
  expect(new Set(letters.map(({ record_id }: { record_id: string }) => record_id)).size).toBe(3);
});

test("a run that is under way when its integration is removed is cancelled", async () => {
  const endless = await shared.connector("generator", { rate: 20 });
  const id = await shared.integration(await generatorToBlackhole({ source: { connector: endless, stream: "s" } }));
  const run = await shared.node.api.run(id);
  expect((await shared.call("POST", `/v1/integrations/${id}/run`)).status).toBe(409);
  expect((await shared.call("DELETE", `/v1/integrations/${id}`)).status).toBe(204);
  expect(await shared.node.api.runById(run)).toMatchObject({ status: "cancelled", finished_at: time });
});
