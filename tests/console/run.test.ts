import { beforeAll, expect, onTestFinished, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";

const { node, visit } = consoleTests({ env: { SLUICE_TRACE_URL: "http://127.0.0.1:16686/trace/{trace_id}" } });

const template = { id: "{{ index }}", name: "{{ word }}", status: "{{ pick active idle }}" };
const ends = {
  source: { connector: "few", stream: "orders" },
  destination: { connector: "warehouse", stream: "orders" },
};

beforeAll(async () => {
  const { api } = node();
  await api.connector("few", "generator", { count: 40, template });
  await api.connector("stream", "generator", { rate: 100, template });
  await api.connector("warehouse", "blackhole", {});
});

test("a run shows its counts, its errors by fingerprint with a way to the dead letters, its request and its trace", async () => {
  const { api } = node();
  const integrationId = await api.integration({
    ...ends,
    name: "names",
    mapping_spec: [
      { source: "$.id", destination: "id" },
      { source: "$.name", destination: "name", cast: "integer", when: "$.status == 'active'" },
    ],
  });
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const { id } = await api.call<{ id: string }>("POST", `/v1/integrations/${integrationId}/run`, undefined, {
    "x-request-id": "asked-by-hand",
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  });
  const { records_failed: failed, records_out: out } = await api.ended(id);
  expect(failed).toBeGreaterThan(0);
  const page = await visit({ path: `/runs/${id}` });
  await page.getByRole("heading", { name: "Run of names" }).waitFor();
  await page.getByText("partial", { exact: true }).waitFor();
  await page.getByTitle("asked-by-hand", { exact: true }).waitFor();
  const trace = page.getByRole("link", { name: "Trace" });
  expect(await trace.getAttribute("href")).toBe(`http://127.0.0.1:16686/trace/${traceId}`);
  const destination = page
    .getByRole("table", { name: "By destination" })
    .getByRole("row")
    .filter({ hasText: "warehouse" });
  expect(await destination.getByRole("cell").first().textContent()).toBe(String(out));
  await expectAccessible(page);
  await shoot(page, "run-counters");

  await page.getByRole("tab", { name: `Errors (${failed})` }).click();
  const group = page.getByRole("grid", { name: "Errors of this run" }).locator("[data-index]");
  await expect.poll(() => group.count()).toBe(1);
  const letters = group.getByRole("link", { name: String(failed) });
  expect(await letters.getAttribute("href")).toMatch(
    new RegExp(`^/integrations/${integrationId}/dead-letters\\?run_id=${id}&fingerprint=\\w+&resolved=all$`),
  );
  expect(new URL(page.url()).search).toBe("?tab=errors");
  await expectAccessible(page);
  await shoot(page, "run-errors");

  await page.getByRole("tab", { name: "Ledger" }).click();
  await page.getByRole("region", { name: "Counts by destination" }).getByText("balanced").waitFor();
  await shoot(page, "run-ledger");
  await page.getByRole("link", { name: "Runs" }).click();
  await page.getByRole("grid", { name: "Runs" }).getByText("partial").waitFor();
});

test("a run that is under way is live, and is cancelled from its page", async () => {
  const { api } = node();
  const integrationId = await api.integration({
    ...ends,
    name: "endless",
    source: { connector: "stream", stream: "orders" },
  });
  const id = await api.run(integrationId);
  onTestFinished(async () => {
    await api.request("POST", `/v1/runs/${id}/cancel`);
  });
  const page = await visit({ path: `/runs/${id}?plot=total` });
  const counted = async () => {
    const figure = page.locator("dl > div").filter({ has: page.getByText("Out", { exact: true }) });
    return Number((await figure.locator("dd").textContent())?.replaceAll(",", ""));
  };
  await expect.poll(counted).toBeGreaterThan(0);
  const before = await counted();
  await expect.poll(counted).toBeGreaterThan(before);
  await page.getByRole("img", { name: /^Records in all over time/ }).waitFor();
  await shoot(page, "run-running");
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await page.getByText("cancelled", { exact: true }).waitFor();
  expect(await page.getByRole("button", { name: "Cancel", exact: true }).count()).toBe(0);
});

test("a run that failed says why", async () => {
  const { api } = node();
  await api.connector("nowhere", "file", { path: node().files, format: "ndjson" });
  const integrationId = await api.integration({
    ...ends,
    name: "broken",
    source: { connector: "nowhere", stream: "gone.ndjson" },
  });
  const { id, error } = await api.runAndWait(integrationId);
  const page = await visit({ path: `/runs/${id}` });
  await page
    .getByRole("alert")
    .filter({ hasText: error?.message ?? "" })
    .waitFor();
  await page
    .getByText("There is nothing to draw yet")
    .or(page.getByRole("img", { name: /over time/ }))
    .first()
    .waitFor();
  await page.getByRole("tab", { name: "Errors" }).click();
  await page.getByText("No record failed in this run").waitFor();
  await expectAccessible(page);
  await shoot(page, "run-failed");
});
