import { expect, onTestFinished, test } from "vitest";
import { query } from "./records.ts";
import { createDatabase } from "./servers.ts";
import { tempDir } from "./temp-dir.ts";
import { findToxiproxy, startToxiproxy } from "./toxiproxy.ts";

test("without Go the error says what needs it and how to get it", async () => {
  const finding = findToxiproxy({ cache: tempDir(), env: { PATH: "/nowhere" } });
  await expect(finding).rejects.toThrow(
    /^toxiproxy 2\.5\.0 cannot be built: Go is not on PATH\. .*https:\/\/go\.dev\/dl/,
  );
});

test("a proxy passes all, nothing while it is disabled, and late what it is told to delay", async () => {
  const toxiproxy = await startToxiproxy(tempDir());
  onTestFinished(() => toxiproxy.stop());
  const proxy = await toxiproxy.proxy("store", await createDatabase());
  const ask = async () => (await query(proxy.url, "SELECT 1 AS one")).rows;
  expect(await ask()).toEqual([{ one: 1 }]);
  await proxy.disable();
  await expect(ask()).rejects.toThrow(/ECONNREFUSED/);
  await proxy.enable();
  expect(await ask()).toEqual([{ one: 1 }]);
  const late = await proxy.add({ type: "latency", attributes: { latency: 200 } });
  const start = performance.now();
  expect(await ask()).toEqual([{ one: 1 }]);
  // To the server and back.
  expect(performance.now() - start).toBeGreaterThan(390);
  await late.remove();
  const resets = await proxy.add({ type: "reset_peer", attributes: { timeout: 0 } });
  await expect(ask()).rejects.toThrow(/ECONNRESET|terminated/);
  await resets.remove();
  expect(await ask()).toEqual([{ one: 1 }]);
});
