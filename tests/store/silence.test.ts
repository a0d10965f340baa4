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
