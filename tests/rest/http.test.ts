import { once } from "node:events";
import { statSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { startApi } from "./support.ts";

const problem = (code: string) => ({
  code,
  detail: expect.any(String),
  errors: expect.any(Array),
  request_id: expect.any(String),
});

test("without a token of ours everything but healthz and readyz is refused", async () => {
  const { app, token } = await startApi();
  for (const url of ["/v1/connectors", "/metrics", "/openapi.json", "/v1/nothing"]) {
    for (const authorization of [undefined, `Bearer ${token}x`, `Basic ${token}`, "Bearer", token]) {
      const answer = await app.inject({ url, headers: authorization === undefined ? {} : { authorization } });
      expect([url, authorization, answer.statusCode]).toEqual([url, authorization, 401]);
      expect(answer.headers["www-authenticate"]).toMatch(/^Bearer/);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(answer.json()).toMatchObject(problem("UNAUTHORIZED"));
    }
  }
  for (const url of ["/healthz", "/readyz"]) expect((await app.inject({ url })).statusCode).toBe(200);
});

test("the token file is its owner's alone, and the same token is found again", async () => {
  const { dataDir, token, call } = await startApi();
  expect(statSync(path.join(dataDir, "token")).mode & 0o777).toBe(0o600);
  expect(token).toMatch(/^slc_[\w-]{43}$/);
  expect((await call("GET", "/v1/connectors")).status).toBe(200);
});

test("readyz answers 503 with the reason of each part that is not ready", async () => {
  const { call, parts } = await startApi();
  expect(await call("GET", "/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
  parts.postgres = "connection refused";
  expect(await call("GET", "/readyz")).toMatchObject({
    status: 503,
    body: {
      status: "not_ready",
      parts: { nats: { ready: true, reason: null }, postgres: { ready: false, reason: "connection refused" } },
    },
  });
});

test("every refusal is a problem document", async () => {
  const { call } = await startApi();
  const refusals: [string, string, unknown, Record<string, string>, number, string][] = [
    ["GET", "/v1/nothing", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/", undefined, {}, 404, "NOT_FOUND"],
    ["PATCH", "/v1/connectors", undefined, {}, 405, "VALIDATION_ERROR"],
    ["DELETE", "/v1/integrations/no-uuid/runs", undefined, {}, 405, "VALIDATION_ERROR"],
    ["POST", "/metrics", undefined, {}, 405, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors/%zz", undefined, {}, 400, "VALIDATION_ERROR"],
    ["GET", "/v1/connectors/no-uuid", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/connectors/018f0000-0000-7000-8000-000000000000", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/integrations/no-uuid/runs", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/runs/no-uuid", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/dead-letter/no-uuid", undefined, {}, 404, "NOT_FOUND"],
    ["GET", "/v1/connector-types/nothing", undefined, {}, 404, "NOT_FOUND"],
    ["POST", "/v1/connectors", "{bad", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "[]", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "null", {}, 400, "VALIDATION_ERROR"],
    ["POST", "/v1/connectors", "a=b", { "content-type": "text/plain" }, 415, "VALIDATION_ERROR"],
    ["POST", "/v1/integrations/x/run", "a=b", { "content-type": "text/plain" }, 415, "VALIDATION_ERROR"],
    ["POST", "/v1/apply", " ".repeat(9 * 1024 * 1024), {}, 413, "VALIDATION_ERROR"],
  ];
  for (const [method, url, body, headers, status, code] of refusals) {
    const answer = await call(method, url, body, headers);
    expect([method, url, answer.status]).toEqual([method, url, status]);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ ...problem(code), status });
    expect(answer.headers["x-request-id"]).toBe(answer.body.request_id);
  }
});

test("answers are for nobody's cache, frame or guess", async () => {
  const { call } = await startApi();
  for (const url of ["/v1/connectors", "/v1/nothing", "/healthz", "/metrics"]) {
    expect((await call("GET", url)).headers).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
    });
  }
});

test("a method that a path does not know is answered with those that it does", async () => {
  const { call } = await startApi();
  const allowed = async (method: string, url: string) => (await call(method, url)).headers.allow;
  expect(await allowed("DELETE", "/v1/connectors")).toBe("GET, HEAD, POST");
  expect(await allowed("POST", "/v1/dead-letter/018f0000-0000-7000-8000-000000000000")).toBe("GET, HEAD, PATCH");
  expect(await allowed("PUT", "/healthz")).toBe("GET, HEAD");
  expect(await allowed("GET", "/v1/nothing")).toBeUndefined();
});

test("a body that is not UTF-8 is refused", async () => {
  const { app, token } = await startApi();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await app.inject({
    method: "POST",
    url: "/v1/connectors",
    headers,
    payload: Buffer.from([0x22, 0xff, 0x22]),
  });
  expect(answer.statusCode).toBe(400);
  expect(answer.json().detail).toContain("not UTF-8");
});

test("what is no HTTP is answered with a problem document, too", async () => {
  const { app } = await startApi();
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as { port: number };
  const socket = connect(port, "127.0.0.1");
  socket.end("nonsense\r\n\r\n");
  const [head, body] = (await text(socket)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request/);
  const answer = JSON.parse(body!);
  expect(answer).toMatchObject(problem("VALIDATION_ERROR"));
  expect(head).toContain(`\r\nX-Request-ID: ${answer.request_id}`);
});

test("whoever does not read an answer is cut off, and a handler may take longer than that", async () => {
  const { app, token } = await startApi({ patience: { answerTimeout: 2_000 } });
  app.get("/slow", async () => delay(3_500, { late: true }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as { port: number };
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  const [served] = (await once(app.server, "connection")) as [Socket];
  const closed = once(served, "close");
  socket.pause();
  // As many as fit into no buffers on the way.
  socket.write("GET /docs HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200));
  await closed;
  socket.destroy();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const get = async (path: string) => {
    const asked = request({ host: "127.0.0.1", port, path, agent, headers: { authorization: `Bearer ${token}` } });
    const [answer] = (await once(asked.end(), "response")) as [IncomingMessage];
    return [answer.statusCode, JSON.parse(await text(answer))];
  };
  // On one connection, after an answer that was read.
  expect(await get("/healthz")).toEqual([200, { status: "ok" }]);
  expect(await get("/slow")).toEqual([200, { late: true }]);
  expect(await get("/healthz")).toEqual([200, { status: "ok" }]);
}, 120_000);

test("a request's id is echoed, or made where it has none that can be logged", async () => {
  const { call } = await startApi();
  const id = async (given: Record<string, string>) =>
    (await call("GET", "/healthz", undefined, given)).headers["x-request-id"];
  expect(await id({ "x-request-id": "abc-1.2:3" })).toBe("abc-1.2:3");
  expect(await id({})).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  for (const odd of ["a b", "a\u0001b", "x".repeat(200), '"{}']) {
    expect(await id({ "x-request-id": odd })).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  }
});

test("parameters of a list are checked, unknown ones named", async () => {
  const { call } = await startApi();
  const errors = async (query: string) => (await call("GET", `/v1/connectors?${query}`)).body.errors;
  expect(await errors("limit=0")).toEqual([{ path: "limit", message: "must be at least 1" }]);
  expect(await errors("limit=1001")).toEqual([{ path: "limit", message: "must be at most 1000" }]);
  expect(await errors("limit=ten")).toEqual([{ path: "limit", message: "must be an integer, not a string" }]);
  expect(await errors("limit=1&limit=2")).toEqual([{ path: "limit", message: "must be an integer, not an array" }]);
  expect(await errors("limt=1")).toEqual([{ path: "limt", message: 'unknown field "limt"; did you mean "limit"?' }]);
  expect(await errors("cursor=nonsense")).toMatchObject([{ path: "cursor" }]);
});

test("the OpenAPI describes every operation that there is, each once", async () => {
  const { call } = await startApi();
  const { body } = await call("GET", "/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  const operations = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
    (path) => Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(operations).size).toBe(operations.length);
  for (const [path, methods] of Object.entries(body.paths as Record<string, object>)) {
    for (const [method, operation] of Object.entries(methods)) {
      // Has no end; tests/live has it.
      if (JSON.stringify(operation).includes("text/event-stream")) continue;
      const url = path.replaceAll(/\{\w+\}/g, "none");
      const { body: answer } = await call(
        method.toUpperCase(),
        url,
        method === "post" || method === "put" ? {} : undefined,
      );
      expect(answer.detail ?? "").not.toContain(`there is no ${method.toUpperCase()}`);
    }
  }
  expect(body.paths["/v1/connectors"].post.requestBody.content["application/json"].schema.required).toEqual([
    "name",
    "type",
  ]);
});
