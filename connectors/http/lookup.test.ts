import { expect, test } from "vitest";
import { connect, serveHere } from "../../tests/support/http-server.ts";
import type { Json } from "../sdk/index.ts";

const signal = new AbortController().signal;

test("each request is answered by itself: what is found, null for 404 and for nothing", async () => {
  const server = await serveHere(({ method, path, query, headers, body }) => {
    if (path === "/api/users/1") return { body: { id: 1, q: query.getAll("q"), tenant: headers["x-tenant"] ?? null } };
    if (path === "/api/search") return { body: { method, got: JSON.parse(body) as Json } };
    if (path === "/api/empty") return { status: 204 };
    if (path === "/api/text") return { headers: { "content-type": "text/plain" }, body: "EUR" };
    if (path === "/api/big") return { body: '{"n":90071992547409931}' };
    if (path === "/api/bad") return { status: 422, body: { detail: "no such field" } };
    if (path === "/api/busy") return { status: 429, headers: { "retry-after": "3" }, body: "" };
    if (path === "/api/page") return { headers: { "content-type": "text/html" }, body: "<html>" };
    return { status: 404, body: { message: "no" } };
  });
  const connector = connect({ base_url: `${server.url}/api` });
  const { answers, failed = [] } = await connector.lookup!(
    [
      { path: "/users/1", query: { q: ["a b", 2], none: null }, headers: { "X-Tenant": "t" } },
      { path: "/users/2" },
      { method: "POST", path: "/search", body: { name: "x", n: 1 } },
      { path: "/empty" },
      { path: "/text" },
      { path: "/big" },
      { path: "/bad" },
      { path: "/busy" },
      { path: "/page" },
      { path: "/users/../admin" },
      { path: "/x", other: 1 },
      { method: "DELETE", path: "/x" },
      "x",
    ],
    signal,
  );
  expect(answers.slice(0, 5)).toEqual([
    { id: 1, q: ["a b", "2"], tenant: "t" },
    null,
    { method: "POST", got: { name: "x", n: 1 } },
    null,
    "EUR",
  ]);
  expect(JSON.stringify(answers[5])).toBe('{"n":90071992547409931}');
  expect(answers.slice(6)).toEqual(new Array(7).fill(null));
  expect(failed.map(({ index, code }) => [index, code]).sort(([a], [b]) => Number(a) - Number(b))).toEqual([
    [6, "BUSINESS_RULE"],
    [7, "RATE_LIMITED"],
    [8, "VALIDATION_ERROR"],
    [9, "VALIDATION_ERROR"],
    [10, "VALIDATION_ERROR"],
    [11, "VALIDATION_ERROR"],
    [12, "VALIDATION_ERROR"],
  ]);
  expect(failed.find(({ index }) => index === 7)?.retryAfterMs).toBe(3000);
  expect(server.asked.some(({ path }) => path.includes("admin"))).toBe(false);
});

test("a server that answers with a page alone is at fault, and no request", async () => {
  const server = await serveHere(() => ({ headers: { "content-type": "text/html" }, body: "<html><title>Log in" }));
  const connector = connect({ base_url: server.url });
  await expect(connector.lookup!([{ path: "/1" }, { path: "/2" }], signal)).rejects.toMatchObject({
    code: "UNAVAILABLE",
    fault: "destination",
    path: "config.base_url",
    message: expect.stringContaining('an HTML page with the title "Log in"'),
  });
});

test("a body goes to no other origin, by a redirect either", async () => {
  const other = await serveHere(({ method, body }) => ({ body: { method, body } }));
  const server = await serveHere(({ path, method, body, headers }) => {
    if (path === "/there") return { body: { method, body, type: headers["content-type"] ?? null } };
    const [, status, where] = path.split("/");
    return { status: Number(status), headers: { location: where === "out" ? `${other.url}/x` : "/there" } };
  });
  const connector = connect({ base_url: server.url, auth: { type: "bearer", token: "secret-token" } });
  const ask = async (path: string) => {
    const { answers, failed } = await connector.lookup!([{ method: "POST", path, body: { q: 1 } }], signal);
    return failed?.[0]?.message ?? answers[0];
  };
  const kept = { method: "POST", body: '{"q":1}', type: "application/json" };
  const dropped = { method: "GET", body: "", type: null };
  expect([await ask("/307/in"), await ask("/308/in")]).toEqual([kept, kept]);
  expect([await ask("/301/in"), await ask("/302/in"), await ask("/303/in")]).toEqual([dropped, dropped, dropped]);
  for (const status of [307, 308]) {
    await expect(ask(`/${status}/out`)).rejects.toMatchObject({
      fault: "destination",
      path: "config.base_url",
      message: expect.stringContaining(`leads to ${other.url}, which is not the origin of base_url and gets no body`),
    });
  }
  expect(other.asked).toEqual([]);
  expect(await ask("/303/out")).toEqual({ method: "GET", body: "" });
  expect(JSON.stringify(other.asked)).not.toMatch(/secret-token|content-type/);
});

test("what is the far side's fault answers none, and an abort ends the call", async () => {
  const server = await serveHere(() => ({ status: 403, body: "" }));
  await expect(
    connect({ base_url: server.url }).lookup!([{ path: "/a" }, { path: "/b" }], signal),
  ).rejects.toMatchObject({
    code: "FORBIDDEN",
    fault: "destination",
  });
  const silent = await serveHere(() => undefined);
  const ends = new AbortController();
  const asking = connect({ base_url: silent.url }).lookup!([{ path: "/a" }], ends.signal);
  setImmediate(() => ends.abort(new Error("enough")));
  await expect(asking).rejects.toThrow("enough");
});
