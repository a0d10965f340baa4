import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "../../adapters/postgres/index.ts";
import { addIntegration, newStore, settlement, uuidV7 } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let url: string;
let store: PostgresStore;
beforeAll(async () => {
  server = testServer();
  url = await server.url();
  store = await newStore(server, { url });
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const settled = (to: number) => [{ consumer: "steps", settled: [1, to], state: null, progress: null }];

test("nothing is committed to a store that has forgotten commits, until its owner begins anew", async () => {
  const [forgotten, kept] = await Promise.all([addIntegration(store), addIntegration(store)]);
  const commit = (to: number) =>
    store.checkpoints.commit([forgotten, kept].map(({ id }) => settlement(id, { checkpoints: settled(to) })));
  for (const to of [1, 2, 3]) expect(await commit(to)).toEqual({ stale: [] });
  // As a backup that was made after the first of them.
  await sql(url, "update sluice.checkpoint_owners set commits = 1 where integration_id = $1", [forgotten.id]);
  expect(await commit(4)).toEqual({ stale: [], behind: [forgotten.id] });
  expect(await store.checkpoints.load(forgotten.id)).toEqual(settled(3));
  expect(await store.checkpoints.load(kept.id)).toEqual(settled(4));
  expect(await commit(5)).toEqual({ stale: [] });
  expect(await store.checkpoints.load(forgotten.id)).toEqual(settled(5));
});

test("a store that has forgotten that anything was committed is found out as well", async () => {
  const { id } = await addIntegration(store);
  await store.checkpoints.commit([settlement(id)]);
  await sql(url, "delete from sluice.checkpoint_owners where integration_id = $1", [id]);
  expect(await store.checkpoints.commit([settlement(id)])).toEqual({ stale: [], behind: [id] });
});

test("the logs that an integration's commits were made beside are kept until others are named", async () => {
  const { id } = await addIntegration(store);
  expect(await store.checkpoints.owner(id)).toBeNull();
  await store.checkpoints.commit([settlement(id, { epoch: 3 })]);
  expect(await store.checkpoints.owner(id)).toEqual({ epoch: 3, logs: null, ends: null });
  const logs = { ingest: Date.now() * 1000, deliver: Date.now() * 1000 + 1 };
  await store.checkpoints.commit([settlement(id, { epoch: 4, logs })]);
  await store.checkpoints.commit([settlement(id, { epoch: 5 })]);
  expect(await store.checkpoints.owner(id)).toEqual({ epoch: 5, logs, ends: null });
});

test("how far the logs reached is kept, whatever a commit knows of it, until other logs are named", async () => {
  const { id } = await addIntegration(store);
  const at = (ingest: number, deliver: number) => ({ ingest, deliver });
  const endsAfter = async (more: Partial<Parameters<typeof settlement>[1]>) => {
    await store.checkpoints.commit([settlement(id, more)]);
    return (await store.checkpoints.owner(id))?.ends;
  };
  expect(await endsAfter({ logs: at(1, 1), ends: at(7, 8) })).toEqual(at(7, 8));
  expect(await endsAfter({ ends: at(9, 4) })).toEqual(at(9, 8));
  expect(await endsAfter({})).toEqual(at(9, 8));
  expect(await endsAfter({ logs: at(2, 1), ends: at(3, 3) })).toEqual(at(3, 3));
});

test("an integration that was removed is told from one that was never there", async () => {
  const [removed, there, never] = [await addIntegration(store), await addIntegration(store), uuidV7()];
  await store.integrations.remove(removed.id);
  expect(await store.integrations.removed([removed.id, there.id, never])).toEqual([removed.id]);
});
