import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import { newStore } from "./fixtures.ts";
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

const id = "01940000-0000-7000-8000-000000000001";
const row = (config: object) => ({ id, name: "crm", type: "crm", config, sealed: null, owner: null }) as never;

test("each change of a connector is kept with it, taken in order and by one alone, until it is done", async () => {
  await store.connectors.create(row({ a: 1 }));
  await store.connectors.update(id, row({ a: 2 }));
  await store.connectors.remove(id);
  const take = () => store.connectorEvents.take(10, 60_000);
  const [created, ...others] = await take();
  expect(created).toMatchObject({ event: "created", connector: { id, config: { a: 1 } }, previous: null, attempts: 0 });
  expect(others).toEqual([]);
  expect(await take()).toEqual([]);
  await store.connectorEvents.putOff(created!.id, 0);
  expect(await take()).toMatchObject([{ id: created!.id, attempts: 1 }]);
  await store.connectorEvents.done(created!.id);
  const [updated] = await take();
  expect(updated).toMatchObject({ event: "updated", connector: { config: { a: 2 } }, previous: { config: { a: 1 } } });
  await store.connectorEvents.done(updated!.id);
  const [deleted] = await take();
  expect(deleted).toMatchObject({ event: "deleted", connector: { id, type: "crm", config: { a: 2 } } });
  await store.connectorEvents.done(deleted!.id);
  expect(await take()).toEqual([]);
});

test("a change that is not made leaves nothing to be told", async () => {
  const failing = store.transaction(async (tx) => {
    await tx.connectors.create(row({}));
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await store.connectorEvents.take(10, 1)).toEqual([]);
});
