import { hash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore, type PostgresStore } from "../../adapters/postgres/index.ts";
import type { JsonObject } from "../../connectors/sdk/index.ts";
import { addIntegration, settlement } from "./fixtures.ts";
import { sql } from "./sql.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let store: PostgresStore;
let url: string;
beforeAll(async () => {
  server = testServer();
  url = await server.url();
  store = await openStore({ url });
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const key = (n: number) => hash("sha256", String(n), "hex");

async function integration(window?: string): Promise<string> {
  const spec: JsonObject = window ? { delivery: { idempotency: { window } } } : {};
  return (await addIntegration(store, { spec })).id;
}

const commit = (id: string, destination: string, numbers: readonly number[]) =>
  store.checkpoints.commit([settlement(id, { processed: [{ destination, keys: numbers.map(key) }] })]);

const seen = (id: string, destination: string, numbers: readonly number[], windowMs = hourMs) =>
  store.checkpoints.processed(id, destination, numbers.map(key), windowMs);

/** As if the keys had been committed so long ago. */
const age = (id: string, ms: number) =>
  sql(url, "update sluice.processed_events set seen_at = now() - $2 * interval '1 ms' where integration_id = $1", [
    id,
    ms,
  ]);

test("keys are known by integration and destination once they are committed, also twice", async () => {
  const [one, other] = [await integration(), await integration()];
  await commit(one, "a", [1, 2, 2]);
  await commit(one, "a", [2, 3]);
  expect((await seen(one, "a", [1, 2, 3, 4])).toSorted()).toEqual([key(1), key(2), key(3)].toSorted());
  expect(await seen(one, "b", [1])).toEqual([]);
  expect(await seen(other, "a", [1])).toEqual([]);
});

test("a key is seen within the window only; committed again it is seen anew", async () => {
  const id = await integration();
  await commit(id, "a", [1]);
  await age(id, 2 * hourMs);
  expect(await seen(id, "a", [1])).toEqual([]);
  expect(await seen(id, "a", [1], 3 * hourMs)).toEqual([key(1)]);
  await commit(id, "a", [1]);
  expect(await seen(id, "a", [1])).toEqual([key(1)]);
});

test("a later owner's keys are kept, a stale one's are not", async () => {
  const id = await integration();
  await store.checkpoints.commit([settlement(id, { epoch: 5 })]);
  const { stale } = await commit(id, "a", [1]);
  expect(stale).toEqual([id]);
  expect(await seen(id, "a", [1])).toEqual([]);
});

test("keys past their window are forgotten: by whoever runs, and in maintenance, by each integration's window", async () => {
  const windows = ["250ms", "5s", "10m", "2h", "30d", undefined];
  const ids = await Promise.all(windows.map(integration));
  for (const id of ids) {
    await commit(id, "a", [1]);
    await age(id, hourMs);
  }
  const count = async () => {
    const rows = await sql<{ id: string }>(url, "select distinct integration_id as id from sluice.processed_events");
    const left = new Set(rows.map(({ id }) => id));
    return windows.filter((_, n) => left.has(ids[n] as string));
  };
  await store.checkpoints.forgetProcessed(ids[3] as string, "a", 2 * hourMs);
  expect(await count()).toEqual(windows);
  await store.maintain(new Date());
  expect(await count()).toEqual(["2h", "30d"]);
  await store.checkpoints.forgetProcessed(ids[3] as string, "a", hourMs / 2);
  expect(await count()).toEqual(["30d"]);
  // Those of an integration that is gone.
  await commit(ids[0] as string, "a", [2]);
  await store.integrations.remove(ids[0] as string);
  await store.maintain(new Date());
  expect(await count()).toEqual(["30d"]);
  await store.maintain(new Date(Date.now() + 31 * dayMs));
  expect(await count()).toEqual([]);
});
