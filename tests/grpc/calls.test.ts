import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type CallOptions, credentials, Metadata, status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { RequestLimits } from "../../gateway/auth/index.ts";
import { ControlServiceClient } from "../../proto/gen/sluice/control/v1/control.ts";
import { RunStatus } from "../../proto/gen/sluice/control/v1/runs.ts";
import { fileConnector, integration } from "../rest/support.ts";
import { withKey } from "../rest/teams.ts";
import { as, ask, callRaw, failureOf, startGrpc } from "./support.ts";

const id = "01900000-0000-7000-8000-000000000000";

test("an error has its status and google.rpc details, and the request's id", async () => {
  const { client, token } = await startGrpc();
  const missing = await failureOf(ask(client, client.getRun, { id }, as(token, { "x-request-id": "mine-1" })));
  expect(missing).toMatchObject({
    code: status.NOT_FOUND,
    message: `there is no run with the id ${id}`,
    ErrorInfo: { reason: "NOT_FOUND", domain: "sluice" },
    RequestInfo: { requestId: "mine-1" },
  });
  const wrong = await failureOf(
    ask(client, client.createConnector, { name: "", type: "file", settings: undefined }, as(token)),
  );
  expect(wrong).toMatchObject({
    code: status.INVALID_ARGUMENT,
    BadRequest: { fieldViolations: expect.arrayContaining([{ field: "name", description: expect.any(String) }]) },
  });
  expect(wrong.RequestInfo.requestId).toMatch(/^[0-9a-f-]{36}$/);
  const { metadata } = await ask(client, client.listConnectors, noPage, as(token, { "x-request-id": "mine-2" }));
  expect(metadata.get("x-request-id")).toEqual(["mine-2"]);
});

const noPage = { limit: undefined, cursor: undefined, name: undefined };

test("a call without a token, with one that is unknown or has ended, and one too many are refused", async () => {
  const limits = new RequestLimits({ perMinute: 0, refusedPerMinute: 3 });
  const api = await startGrpc({ limits });
  const { client } = api;
  const list = (metadata: Metadata) => failureOf(ask(client, client.listConnectors, noPage, metadata));
  expect(await list(new Metadata())).toMatchObject({
    code: status.UNAUTHENTICATED,
    message: expect.stringContaining("Bearer"),
    ErrorInfo: { reason: "UNAUTHORIZED" },
  });
  const expired = await withKey(api, { role: "viewer", expires_at: new Date(Date.now() + 1_000).toISOString() });
  await expect.poll(() => list(as(expired.key)).catch(() => undefined)).toMatchObject({ code: status.UNAUTHENTICATED });
  await list(as("slc_unknown"));
  expect(await list(as("slc_unknown"))).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    ErrorInfo: { reason: "RATE_LIMITED" },
    RetryInfo: { retryDelay: { seconds: expect.any(BigInt) } },
  });
  expect(await ask(client, client.listConnectors, noPage, as(api.token))).toMatchObject({ items: [] });
});

test("what is no request is refused, and the server goes on", { timeout: 120_000 }, async () => {
  const { client, token, address } = await startGrpc();
  const raw = async (method: string, ...bytes: number[]) => {
    const answer = await callRaw(client, method, Uint8Array.from(bytes), as(token));
    expect(answer.message).not.toMatch(/\bat (?:async )?[\w.<>]+ \(|\.[jt]s:\d+|node:internal|node_modules/);
    return answer;
  };
  // id: two bytes that are no UTF-8.
  expect(await raw("GetRun", 0x0a, 2, 0xff, 0xfe)).toMatchObject({ code: status.INVALID_ARGUMENT });
  // Field 99, which the message has not.
  expect(await raw("GetRun", 0x98, 6, 1)).toMatchObject({
    code: status.INVALID_ARGUMENT,
    message: expect.stringContaining("99"),
  });
  // A length that goes beyond the message.
  expect(await raw("GetRun", 0x0a, 0x7f, 1)).toMatchObject({ code: status.INVALID_ARGUMENT });
  // A status that there is none of.
  expect(await raw("ListRuns", 0x0a, 1, 0x61, 0x20, 77)).toMatchObject({
    code: status.INVALID_ARGUMENT,
    message: expect.stringContaining("RUN_STATUS_RUNNING"),
  });
  expect(await raw("Unknown")).toMatchObject({ code: status.UNIMPLEMENTED });
  const large = Buffer.alloc(100 * 1024 * 1024, 0x61);
  expect(await callRaw(client, "GetRun", large, as(token))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  for (const text of ['{"a": 1, "a": 2}', "[".repeat(2_000), "{", '{"name": "\\u0000"}']) {
    const definition = { $case: "specJson", value: text } as const;
    const refused = await failureOf(ask(client, client.createIntegration, { definition }, as(token)));
    expect([text.slice(0, 20), refused.code]).toEqual([text.slice(0, 20), status.INVALID_ARGUMENT]);
  }
  const [host, port] = address.split(":");
  const stranger = connect(Number(port), host);
  stranger.end("GET / HTTP/1.1\r\n\r\n");
  stranger.resume();
  await once(stranger, "close");
  expect(await ask(client, client.listConnectors, noPage, as(token))).toMatchObject({ items: [] });
});

test("configuration comes back as it was given, and no digit is lost", async () => {
  const api = await startGrpc();
  const { client, token } = api;
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const rules = (value: string) => `[{"value": ${value}, "destination": "n"}]`;
  const text = (value: string) => `${JSON.stringify(integration()).slice(0, -1)},"mapping_spec":${rules(value)}}`;
  const exact = "12345678901234567890";
  const definition = { $case: "specJson", value: text(exact) } as const;
  const made = await ask(client, client.createIntegration, { definition }, as(token));
  // A structure would round it.
  expect(made.definition).toMatchObject({ $case: "specJson", value: expect.stringContaining(exact) });
  const changed = await ask(
    client,
    client.replaceIntegration,
    { id: made.id, etag: String(made.version), definition: { $case: "specJson", value: text("12") } },
    as(token),
  );
  expect(changed.definition).toMatchObject({ $case: "spec", value: { mapping_spec: [{ value: 12 }] } });
  const again = await ask(
    client,
    client.replaceIntegration,
    { id: made.id, etag: undefined, definition: changed.definition },
    as(token),
  );
  expect(again).toMatchObject({ version: 3, definition: changed.definition });
  const stale = { id: made.id, etag: '"1"', definition: changed.definition };
  expect(await failureOf(ask(client, client.replaceIntegration, stale, as(token)))).toMatchObject({
    code: status.ABORTED,
    ErrorInfo: { reason: "CONFLICT" },
  });
});

test("what is asked twice under one idempotency-key is done once", async () => {
  const { client, token } = await startGrpc();
  const request = { name: "sink", type: "blackhole", settings: undefined };
  const make = () => ask(client, client.createConnector, request, as(token, { "idempotency-key": "once" }));
  const [{ id: made }, { id: again }] = [await make(), await make()];
  expect(again).toBe(made);
  const other = { ...request, name: "another" };
  const refused = ask(client, client.createConnector, other, as(token, { "idempotency-key": "once" }));
  expect(await failureOf(refused)).toMatchObject({ code: status.FAILED_PRECONDITION });
});

test("a call whose deadline is over, or whose caller has gone, is given up, with the far side that it asked", async () => {
  const api = await startGrpc();
  const sockets: Socket[] = [];
  // It never answers.
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {}).resume()));
  server.listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const config = { host: "127.0.0.1", port, database: "d", user: "u", password: "p", ssl: false };
  const { body } = await api.call("POST", "/v1/connectors", { name: "db", type: "postgres", config });
  const test = (options: Partial<CallOptions>) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const call = api.client.testConnector({ id: body.id }, as(api.token), options, (error) =>
      resolve(error?.code ?? 0),
    );
    return { call, ended: promise };
  };
  // Long before a test would be given up by itself, in 15 s.
  expect(await test({ deadline: Date.now() + 2_000 }).ended).toBe(status.DEADLINE_EXCEEDED);
  const before = sockets.length;
  const { call, ended } = test({});
  await expect.poll(() => sockets.length).toBeGreaterThan(before);
  call.cancel();
  expect(await ended).toBe(status.CANCELLED);
  await expect.poll(() => sockets.every(({ readableEnded, destroyed }) => readableEnded || destroyed)).toBe(true);
});

test("a watched run is told until its end, and a stream ends when the server stops", async () => {
  const api = await startGrpc();
  const { client, token } = api;
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const { body } = await api.call("POST", "/v1/integrations", integration());
  const run = await ask(client, client.startRun, { id: body.id }, as(token));
  const watch = () => client.watchRun({ id: run.id }, as(token));
  const seen: (readonly [RunStatus, bigint])[] = [];
  const first = watch();
  await once(first, "data");
  const counts = { in: 7, out: 7, filtered: 0, failed: 0, byDestination: {} };
  await api.store.runs.finish(run.id, { status: "success", error: null, counts });
  for await (const { status: told, recordsIn } of first) seen.push([told, recordsIn]);
  expect(seen).toEqual([[RunStatus.RUN_STATUS_SUCCESS, 7n]]);

  const next = await ask(client, client.startRun, { id: body.id }, as(token));
  const watched = client.watchRun({ id: next.id }, as(token));
  await once(watched, "data");
  const failed = once(watched, "error");
  await api.stop();
  expect(await failed).toMatchObject([{ code: status.UNAVAILABLE }]);
});

test("a caller has a hundred streams open on a node, and another caller its own", async () => {
  const api = await startGrpc();
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const { body } = await api.call("POST", "/v1/integrations", integration());
  const run = await ask(api.client, api.client.startRun, { id: body.id }, as(api.token));
  const { key } = await withKey(api, { role: "viewer" });
  const watch = (client: ControlServiceClient, token: string) => {
    const call = client.watchRun({ id: run.id }, as(token));
    // Whoever is cancelled is told so.
    call.on("error", () => {});
    return call;
  };
  const open = Array.from({ length: 100 }, () => watch(api.client, key));
  await Promise.all(open.map((call) => once(call, "data")));
  // Its connection has as many calls as it may.
  const other = new ControlServiceClient(api.address, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
  });
  onTestFinished(() => other.close());
  const answer = (call: ReturnType<typeof watch>) =>
    new Promise((resolve) => call.once("error", resolve).once("data", () => resolve("watched")));
  expect(await answer(watch(other, key))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect(await answer(watch(other, api.token))).toBe("watched");
  open[0]!.cancel();
  await expect.poll(() => answer(watch(other, key)), { timeout: 60_000 }).toBe("watched");
});

test("a stream ends when its key is revoked, and others go on", async () => {
  const api = await startGrpc();
  const { client } = api;
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const { body } = await api.call("POST", "/v1/integrations", integration());
  const run = await ask(client, client.startRun, { id: body.id }, as(api.token));
  const { id: keyId, key } = await withKey(api, { role: "viewer" });
  const watched = client.watchRun({ id: run.id }, as(key));
  const others = client.watchRun({ id: run.id }, as(api.token));
  await Promise.all([once(watched, "data"), once(others, "data")]);
  const failed = once(watched, "error");
  expect(await api.call("DELETE", `/v1/api-keys/${keyId}`)).toMatchObject({ status: 204 });
  expect(await failed).toMatchObject([{ code: status.UNAUTHENTICATED }]);
  const counts = { in: 1, out: 1, filtered: 0, failed: 0, byDestination: {} };
  await api.store.runs.finish(run.id, { status: "success", error: null, counts });
  for await (const { recordsIn } of others) expect(recordsIn).toBe(1n);
});

test("versions of an integration, and the nodes, are told as by REST", async () => {
  const api = await startGrpc();
  const { client, token } = api;
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const { body: made } = await api.call("POST", "/v1/integrations", integration());
  await api.call("PUT", `/v1/integrations/${made.id}/disable`);
  const page = { id: made.id, limit: undefined, cursor: undefined };
  const { items } = await ask(client, client.listIntegrationVersions, page, as(token));
  expect(items).toMatchObject([
    { version: 2, name: "copy", enabled: false, createdBy: "data folder" },
    { version: 1, name: "copy", enabled: true },
  ]);
  const version = await ask(client, client.getIntegrationVersion, { id: made.id, version: 1 }, as(token));
  const spec = integration({ enabled: true });
  expect(version).toMatchObject({ version: 1, enabled: true, definition: { $case: "spec", value: spec } });
  const missing = await failureOf(ask(client, client.getIntegrationVersion, { id: made.id, version: 3 }, as(token)));
  expect(missing).toMatchObject({ code: status.NOT_FOUND });
  expect(await ask(client, client.listNodes, {}, as(token))).toMatchObject({ items: [] });
});
