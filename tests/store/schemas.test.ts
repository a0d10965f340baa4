import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import type { Drift, StreamKey } from "../../runtime/ports/store.ts";
import { addIntegration, addRun, newStore, uuidV7 } from "./fixtures.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let store: PostgresStore;
beforeAll(async () => {
  server = testServer();
  store = await newStore(server);
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const schema = (type: string) => ({ type: "object", properties: { id: { type } } });

async function newStream(): Promise<StreamKey> {
  const { id } = await addIntegration(store);
  return { integrationId: id, connector: "shop", stream: "customers" };
}

test("versions of a stream's schema count up from 1, and the last one added is the current one", async () => {
  const stream = await newStream();
  expect(await store.schemas.current(stream)).toBeNull();
  expect(await store.schemas.add(stream, schema("integer"))).toBe(1);
  expect(await store.schemas.add(stream, schema("string"))).toBe(2);
  expect(await store.schemas.current(stream)).toMatchObject({ stream, version: 2, schema: schema("string") });
  expect((await store.schemas.list(stream.integrationId)).map(({ version }) => version)).toEqual([2, 1]);
});

test("a schema equal to the current one is no new version", async () => {
  const stream = await newStream();
  expect(await store.schemas.add(stream, schema("integer"))).toBe(1);
  expect(await store.schemas.add(stream, schema("integer"))).toBe(1);
});

test("versions added at the same time are numbered in turn", async () => {
  const stream = await newStream();
  const types = ["integer", "string", "boolean", "number"];
  const versions = await Promise.all(types.map((type) => store.schemas.add(stream, schema(type))));
  expect(versions.toSorted()).toEqual([1, 2, 3, 4]);
});

test("each integration and each stream has versions of its own", async () => {
  const [one, other] = [await newStream(), await newStream()];
  await store.schemas.add(one, schema("integer"));
  expect(await store.schemas.current(other)).toBeNull();
  expect(await store.schemas.current({ ...one, stream: "orders" })).toBeNull();
});

test("schemas go with their integration, and none is added to one that is gone", async () => {
  const stream = await newStream();
  await store.schemas.add(stream, schema("integer"));
  await store.integrations.remove(stream.integrationId);
  expect(await store.schemas.list(stream.integrationId)).toEqual([]);
  expect(await store.schemas.add(stream, schema("string"))).toBeNull();
});

test("drift is kept once a run, whatever the names of its fields", async () => {
  const integration = await addIntegration(store);
  const stream = { integrationId: integration.id, connector: "shop", stream: "customers" };
  const [run, next] = [await addRun(store, integration), await addRun(store, integration)];
  const drift: Drift[] = [
    { kind: "new_field", path: "nul\u0000 and \ud800", expected: null, found: "string" },
    { kind: "changed_type", path: `long.${"x".repeat(20_000)}`, expected: "integer", found: "string" },
  ];
  await store.schemas.recordDrift(run.id, { stream, version: 1 }, drift);
  await store.schemas.recordDrift(run.id, { stream, version: 1 }, drift);
  await store.schemas.recordDrift(next.id, { stream, version: 2 }, drift.slice(0, 1));
  const kept = await store.schemas.drift(run.id);
  expect(kept.map(({ path }) => path).toSorted()).toEqual(drift.map(({ path }) => path).toSorted());
  expect(kept[0]).toMatchObject({ connector: "shop", stream: "customers", version: 1, seenAt: expect.any(Date) });
  expect(await store.schemas.drift(next.id)).toHaveLength(1);
  expect(await store.schemas.drift(uuidV7())).toEqual([]);
});
