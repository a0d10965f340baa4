import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openStore } from "../../adapters/postgres/index.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startToxiproxy } from "../support/toxiproxy.ts";
import { addIntegration, settlement } from "./fixtures.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeAll(() => {
  server = testServer();
});
afterAll(() => server.remove());

test("a commit and a read over connections that went silent are given up as UNAVAILABLE, and succeed once they are tried again", {
  timeout: 100_000,
}, async () => {
  const toxiproxy = await startToxiproxy(tempDir());
  onTestFinished(() => toxiproxy.stop());
  const proxy = await toxiproxy.proxy("store", await server.url());
  const store = await openStore({ url: proxy.url });
  onTestFinished(() => store.close());
  const { id } = await addIntegration(store);
  const commit = () => store.checkpoints.commit([settlement(id)]);
  await commit();
  await store.ping();
  const silence = await proxy.add({ type: "timeout", attributes: { timeout: 0 } });
  // As far as the system knows, the connections are alive.
  const results = await Promise.allSettled([commit(), store.ping()]);
  expect(results).toMatchObject([
    { status: "rejected", reason: { code: "UNAVAILABLE" } },
    { status: "rejected", reason: { code: "UNAVAILABLE" } },
  ]);
  await silence.remove();
  await commit();
  await store.ping();
});

// The first commit may take too long as well, on a machine that is slow.
test("a commit that the server is slow with is given twice the time with each try", { retry: 5 }, async () => {
  const url = await server.url();
  const store = await openStore({ url, flushTimeoutMs: 250 });
  onTestFinished(() => store.close());
  const { id } = await addIntegration(store);
  const commit = () => store.checkpoints.commit([settlement(id)]);
  await commit();
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  onTestFinished(() => other.end());
  await other.query("begin; select from sluice.checkpoint_owners for update");
  const took: number[] = [];
  for (let n = 0; n < 3; n++) {
    const start = performance.now();
    await expect(commit()).rejects.toMatchObject({ code: "TIMEOUT" });
    took.push(performance.now() - start);
  }
  expect(took.map((ms, n) => ms >= 250 * 2 ** n - 10)).toEqual([true, true, true]);
  await other.query("rollback");
  await commit();
});
