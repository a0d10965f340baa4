import { expect, test } from "vitest";
import { fileConnector, integration, startApi } from "./support.ts";

test("a request with an Idempotency-Key is made once, and answered as it was the first time", async () => {
  const api = await startApi();
  const headers = { "idempotency-key": "order-1" };
  const made = await api.call("POST", "/v1/connectors", fileConnector(api), headers);
  expect(made).toMatchObject({ status: 201, headers: { etag: '"1"' } });
  expect(made.headers).not.toHaveProperty("idempotent-replayed");
  const again = await api.call("POST", "/v1/connectors", fileConnector(api), headers);
  expect(again).toMatchObject({ status: 201, headers: { "idempotent-replayed": "true", etag: '"1"' } });
  expect([again.body, again.headers.location]).toEqual([made.body, `/v1/connectors/${made.body.id}`]);
  expect((await api.call("GET", "/v1/connectors")).body.items).toHaveLength(1);

  const other = await api.call("POST", "/v1/connectors", fileConnector(api, "another"), headers);
  expect(other).toMatchObject({ status: 422, body: { code: "BUSINESS_RULE" } });
  const elsewhere = await api.call("POST", "/v1/integrations", integration(), headers);
  expect(elsewhere.status).toBe(422);
  // Another caller's key of the same name is another one.
  const { body } = await api.call("POST", "/v1/api-keys", { name: "b", role: "editor" });
  const theirs = { ...headers, authorization: `Bearer ${body.key}` };
  expect((await api.call("POST", "/v1/connectors", fileConnector(api, "another"), theirs)).status).toBe(201);
  for (const key of ["", "a b", "x".repeat(256), "ü"])
    expect((await api.call("POST", "/v1/connectors", {}, { "idempotency-key": key })).status).toBe(400);
});

test("of many at once one is made, and what was refused may come again under the same key", async () => {
  const api = await startApi();
  const headers = { "idempotency-key": "k" };
  const refused = await api.call("POST", "/v1/integrations", integration(), headers);
  expect(refused.status).toBe(400);
  await api.call("POST", "/v1/connectors", fileConnector(api));
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => api.call("POST", "/v1/integrations", integration(), headers)),
  );
  const statuses = new Set(answers.map(({ status }) => status));
  expect(statuses.difference(new Set([201, 409]))).toEqual(new Set());
  expect((await api.call("POST", "/v1/integrations", integration(), headers)).status).toBe(201);
  expect((await api.call("GET", "/v1/integrations")).body.items).toHaveLength(1);
});

test("what is shown once is not kept for a second time", async () => {
  const api = await startApi();
  const call = () => api.call("POST", "/v1/api-keys", { name: "a", role: "viewer" }, { "idempotency-key": "k" });
  const { body } = await call();
  expect(await call()).toMatchObject({ status: 409, body: { detail: expect.stringContaining("shown once") } });
  expect(
    (await api.call("GET", "/v1/api-keys")).body.items.filter(({ name }: { name: string }) => name === "a"),
  ).toHaveLength(1);
  const { id } = (await api.call("GET", "/v1/api-keys")).body.items.at(-1);
  expect(JSON.stringify(await api.store.idempotency.begin(id, "k", Buffer.alloc(32)))).not.toContain(body.key);
});
