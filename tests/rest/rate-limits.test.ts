import { expect, test } from "vitest";
import { requestLimits } from "../../cli/gateway-settings.ts";
import { RequestLimits } from "../../gateway/auth/index.ts";
import { startApi } from "./support.ts";

/** On a clock that stands still. */
async function api(perMinute: number, refusedPerMinute = 0) {
  const started = await startApi({ limits: new RequestLimits({ perMinute, refusedPerMinute, now: () => 0 }) });
  const make = (body: object, key = started.token) =>
    started.call("POST", "/v1/api-keys", { name: "k", role: "admin", ...body }, { authorization: `Bearer ${key}` });
  const get = (key: string, url = "/v1/connectors") =>
    started.call("GET", url, undefined, { authorization: `Bearer ${key}` });
  return { ...started, make, get };
}

test("a key has its requests a minute, and then 429 with when to come again, while others are served", async () => {
  const { make, get, token, call } = await api(100);
  const { body: few } = await make({ rate_limit: 2 });
  const { body: usual } = await make({});
  expect([few.rate_limit, usual.rate_limit]).toEqual([2, null]);
  expect((await get(few.key)).headers).toMatchObject({
    "ratelimit-policy": '"requests";q=2;w=60',
    ratelimit: '"requests";r=1;t=60',
  });
  expect((await get(few.key)).headers.ratelimit).toBe('"requests";r=0;t=60');
  const refused = await get(few.key);
  expect(refused).toMatchObject({ status: 429, body: { code: "RATE_LIMITED", errors: [] } });
  expect(refused.headers).toMatchObject({
    "retry-after": "60",
    "content-type": "application/problem+json",
    "ratelimit-policy": '"requests";q=2;w=60',
    ratelimit: '"requests";r=0;t=60',
  });
  expect((await get(usual.key)).headers["ratelimit-policy"]).toBe('"requests";q=100;w=60');
  // The token of the data folder has no limit, and probes need none.
  expect((await get(token)).headers.ratelimit).toBeUndefined();
  expect((await get(few.key, "/healthz")).status).toBe(200);
  expect((await call("GET", `/v1/api-keys/${few.id}`)).body.rate_limit).toBe(2);
});

test("nobody makes a key with a higher limit than its own", async () => {
  const { make, token } = await api(100);
  const refusal = { errors: [{ path: "rate_limit", message: expect.any(String) }] };
  const { body: bound } = await make({ rate_limit: 50 });
  for (const rate_limit of [51, 0]) expect((await make({ rate_limit }, bound.key)).body).toMatchObject(refusal);
  expect((await make({ rate_limit: 20 }, bound.key)).body.rate_limit).toBe(20);
  // Left out, it is the maker's.
  expect((await make({}, bound.key)).body.rate_limit).toBe(50);
  const { body: team } = await make({ owner: "sales" });
  expect((await make({ rate_limit: 0 }, team.key)).body).toMatchObject(refusal);
  expect((await make({}, team.key)).body.rate_limit).toBeNull();
  for (const rate_limit of [-1, 1.5, "9", 1_000_001]) {
    expect((await make({ rate_limit }, token)).body).toMatchObject(refusal);
  }
});

test("requests without a valid token are counted by address, and do not shut out those with one", async () => {
  const { get, token, app } = await api(100, 3);
  for (const _ of [1, 2, 3]) expect((await get("slc_wrong")).status).toBe(401);
  expect(await get("slc_wrong")).toMatchObject({
    status: 429,
    headers: { "retry-after": "60", ratelimit: '"requests";r=0;t=60' },
  });
  expect((await app.inject({ url: "/v1/connectors" })).statusCode).toBe(429);
  expect((await get(token)).status).toBe(200);
  expect((await app.inject({ url: "/v1/connectors", remoteAddress: "10.1.2.3" })).statusCode).toBe(401);
});

test("a webhook that is refused for its address is told when to come again, as any other request", async () => {
  const { app } = await api(100, 2);
  const post = (name: string) => app.inject({ method: "POST", url: `/v1/hooks/${name}`, payload: "{}" });
  for (const name of ["none", "other"]) expect((await post(name)).statusCode).toBe(404);
  const refused = await post("third");
  expect(refused.statusCode).toBe(429);
  expect(refused.headers).toMatchObject({
    "retry-after": "60",
    "ratelimit-policy": '"requests";q=2;w=60',
    ratelimit: '"requests";r=0;t=60',
  });
});

test("limits are set by name, and what is none is refused", () => {
  expect(requestLimits({})).toEqual({ perMinute: 6_000, refusedPerMinute: 600 });
  expect(requestLimits({ SLUICE_RATE_LIMIT: "0", SLUICE_RATE_LIMIT_ANONYMOUS: "5" })).toEqual({
    perMinute: 0,
    refusedPerMinute: 5,
  });
  expect(() => requestLimits({ SLUICE_RATE_LIMIT: "many" })).toThrow(/SLUICE_RATE_LIMIT is "many"/);
});
