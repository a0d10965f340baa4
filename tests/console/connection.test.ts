import { expect, test } from "vitest";
import { freePort } from "../../adapters/embedded/ports.ts";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";

// Its address stays the same when it starts again.
const { node, visit } = consoleTests({ env: { SLUICE_HTTP_PORT: String(await freePort()) } });

test("a node that goes away is told of, and once it is back every page goes on without being loaded anew", async () => {
  const { api } = node();
  await api.connector("stream", "generator", { rate: 20 });
  await api.connector("nowhere", "blackhole", {});
  const way = (name: string) => ({
    name,
    source: { connector: "stream", stream: "records" },
    destination: { connector: "nowhere", stream: "records" },
  });
  const id = await api.integration(way("before"));
  const run = await api.run(id);
  const [overview, detail] = [await visit(), await visit({ path: `/integrations/${id}` })];
  const pages = [overview, detail];
  for (const page of pages) {
    await page.getByText("live", { exact: true }).waitFor();
    await page.evaluate("globalThis.loadedOnce = true");
  }
  await detail.getByRole("link", { name: "under way" }).waitFor();

  expect(await node().stop()).toBe(0);
  for (const page of pages) {
    await page.getByText("offline", { exact: true }).waitFor();
    await page.getByText("What you see may be out of date").waitFor();
  }
  // What was there stays, and what is asked for says that nobody answers.
  await overview.getByRole("row", { name: /before/ }).waitFor();
  await expectAccessible(overview);
  await shoot(overview, "lost");
  await detail.getByRole("tab", { name: "Runs" }).click();
  await detail.getByRole("heading", { name: "No answer" }).waitFor();
  await expectAccessible(detail);
  await shoot(detail, "lost-tab");

  await node().start();
  for (const page of pages) {
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText("What you see may be out of date").waitFor({ state: "hidden" });
  }
  await detail.getByRole("grid", { name: "Runs" }).getByText("running").waitFor();
  await api.integration(way("after"));
  await overview.getByRole("row", { name: /after/ }).waitFor();
  await api.request("POST", `/v1/runs/${run}/cancel`);
  await detail.getByRole("grid", { name: "Runs" }).getByText("cancelled").waitFor();
  for (const page of pages) expect(await page.evaluate("globalThis.loadedOnce")).toBe(true);
});
