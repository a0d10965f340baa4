import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import { addIntegration, newStore, uuidV7 } from "./fixtures.ts";
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

test("of several that change a state of the same revision one is taken; the others are told", async () => {
  const { id: integrationId } = await addIntegration(store);
  const key = { integrationId, destination: "crm" };
  const before = await store.quotas.read(key);
  expect(before).toEqual({ state: null, revision: 0, now: expect.closeTo(Date.now(), -4) });
  const states = Array.from({ length: 8 }, (_, n) => ({ n }));
  for (let revision = 0; revision < 3; revision++) {
    const written = await Promise.all(states.map((state) => store.quotas.write(key, state, revision)));
    const taken = written.filter((each) => each !== null);
    expect(taken).toMatchObject([{ revision: revision + 1, now: expect.closeTo(Date.now(), -4) }]);
    const { state, revision: now } = await store.quotas.read(key);
    expect(now).toBe(revision + 1);
    expect(state).toEqual(states[written.findIndex((each) => each !== null)]);
  }
  expect(await store.quotas.read({ integrationId, destination: "other" })).toMatchObject({ state: null, revision: 0 });
});

test("a state goes with its integration, and none comes of one that is gone", async () => {
  const { id: integrationId } = await addIntegration(store);
  const key = { integrationId, destination: "crm" };
  await store.quotas.write(key, { n: 1 }, 0);
  await store.integrations.remove(integrationId);
  expect(await store.quotas.read(key)).toMatchObject({ state: null });
  expect(await store.quotas.write(key, { n: 1 }, 0)).toBeNull();
  expect(await store.quotas.write({ integrationId: uuidV7(), destination: "crm" }, { n: 1 }, 0)).toBeNull();
});
