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
