import { expect, test } from "vitest";
import { corsOrigins } from "../../cli/gateway-settings.ts";
import { startApi } from "./support.ts";

const asked = (origin: string) => ({ origin, "access-control-request-method": "POST" });
const corsHeaders = (headers: object) => Object.keys(headers).filter((name) => name.startsWith("access-control-allow"));

test("no other origin may call unless it is named", async () => {
  const { app, call } = await startApi();
  const preflight = await app.inject({ method: "OPTIONS", url: "/v1/connectors", headers: asked("https://a.example") });
  expect(preflight.statusCode).toBe(401);
  expect(corsHeaders(preflight.headers)).toEqual([]);
  const answer = await call("GET", "/v1/connectors", undefined, { origin: "https://a.example" });
  expect([answer.status, corsHeaders(answer.headers)]).toEqual([200, []]);
});

test("a named origin may call and read what it needs, without a token for the preflight request alone", async () => {
  const { app, call } = await startApi({ corsOrigins: ["https://a.example"] });
  const preflight = await app.inject({ method: "OPTIONS", url: "/v1/connectors", headers: asked("https://a.example") });
  expect(preflight.statusCode).toBe(204);
  expect(preflight.headers).toMatchObject({
    "access-control-allow-origin": "https://a.example",
    "access-control-allow-methods": expect.stringContaining("PATCH"),
    "access-control-allow-headers": expect.stringContaining("Authorization"),
    vary: expect.stringContaining("Origin"),
    "x-request-id": expect.any(String),
  });
  expect(preflight.headers["access-control-allow-credentials"]).toBeUndefined();
  const answer = await call("GET", "/v1/connectors", undefined, { origin: "https://a.example" });
  expect(answer.headers).toMatchObject({
    "access-control-allow-origin": "https://a.example",
    "access-control-expose-headers": expect.stringContaining("Retry-After"),
  });
  // An answer that says why is readable, too.
  const refused = await app.inject({ url: "/v1/connectors", headers: { origin: "https://a.example" } });
  expect(refused).toMatchObject({ statusCode: 401, headers: { "access-control-allow-origin": "https://a.example" } });
  for (const origin of ["https://a.example.evil.com", "http://a.example", "https://A.example", "null"]) {
    const other = await app.inject({ method: "OPTIONS", url: "/v1/connectors", headers: asked(origin) });
    expect([origin, other.headers["access-control-allow-origin"]]).toEqual([origin, undefined]);
  }
});

test("whether a hook takes CloudEvents is answered beside it, and only of a hook that exists", async () => {
  const { app, call } = await startApi({ corsOrigins: ["https://a.example"] });
  await call("POST", "/v1/connectors", { name: "hole", type: "blackhole" });
  const hook = {
    name: "hook",
    trigger: { type: "webhook", auth: { scheme: "none" } },
    destination: { connector: "hole", stream: "x" },
  };
  expect((await call("POST", "/v1/integrations", hook)).status).toBe(201);
  const ask = (name: string, headers: Record<string, string>) =>
    app.inject({ method: "OPTIONS", url: `/v1/hooks/${name}`, headers });
  const handshake = { "webhook-request-origin": "events.example" };
  expect(await ask("hook", handshake)).toMatchObject({
    statusCode: 200,
    headers: { "webhook-allowed-origin": "events.example", allow: "POST, GET, OPTIONS" },
  });
  expect((await ask("none", handshake)).statusCode).toBe(404);
  const { statusCode, headers } = await ask("hook", asked("https://a.example"));
  expect(statusCode).toBe(200);
  expect(headers).toMatchObject({
    "access-control-allow-origin": "https://a.example",
    "access-control-allow-methods": expect.stringContaining("POST"),
  });
});

test("origins are named one by one", () => {
  expect(corsOrigins({})).toEqual([]);
  const SLUICE_CORS_ORIGINS = "https://a.example, http://localhost:5173";
  expect(corsOrigins({ SLUICE_CORS_ORIGINS })).toEqual(["https://a.example", "http://localhost:5173"]);
  for (const odd of ["*", "null", "a.example", "https://a.example/", "https://a.example/x"]) {
    expect(() => corsOrigins({ SLUICE_CORS_ORIGINS: odd })).toThrow(`SLUICE_CORS_ORIGINS: "${odd}"`);
  }
});
