import { randomUUIDv7 } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { Page } from "playwright-core";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";

const { node, visit } = consoleTests();

const template = { id: "{{ index }}", name: "{{ word }}", status: "{{ pick active idle }}", amount: "{{ int 1 100 }}" };

beforeAll(async () => {
  const { api, files } = node();
  writeFileSync(join(files, "people.ndjson"), '{"id":1,"name":"Ada"}\n{"id":2,"name":"Bob"}\n');
  await api.connector("files", "file", { path: files, format: "ndjson" });
  await api.connector("stream", "generator", { rate: 200, template });
  await api.connector("few", "generator", { count: 40, template });
  await api.connector("fast", "generator", { rate: 5_000, template });
  await api.connector("warehouse", "blackhole", {});
  await api.connector("crm", "blackhole", { latency: "1500ms" });
});

let made = 0;
/** From generated records to the warehouse. */
async function integration(change: object = {}): Promise<{ id: string; name: string }> {
  const name = `orders-${++made}`;
  const id = await node().api.integration({
    name,
    source: { connector: "few", stream: "orders" },
    destination: { connector: "warehouse", stream: "orders" },
    ...change,
  });
  return { id, name };
}

/** Cancelled with the test. */
async function running(id: string): Promise<string> {
  const run = await node().api.run(id);
  onTestFinished(async () => {
    await node().api.request("POST", `/v1/runs/${run}/cancel`);
  });
  return run;
}

const steps = {
  mapping_spec: [{ source: "$", destination: "*" }],
  pipeline_spec: {
    steps: [
      { id: "active", type: "filter", where: "$.status == 'active'" },
      { id: "shape", type: "map" },
    ],
  },
};

test("the graph shows each edge's rate, credit and queue as they change, and names the bottleneck", async () => {
  const { id, name } = await integration({
    ...steps,
    source: { connector: "fast", stream: "orders" },
    destination: undefined,
    destinations: [
      { id: "warehouse", connector: "warehouse", stream: "orders" },
      { id: "crm", connector: "crm", stream: "orders" },
    ],
    metadata: { owner: "sales", description: "<img src=x onerror=alert(1)> is text" },
  });
  const page = await visit({ path: `/integrations/${id}` });
  await page.getByRole("heading", { name, level: 1 }).waitFor();
  await page.getByText("Nothing moves at the moment.").waitFor();
  await page.getByText("<img src=x onerror=alert(1)> is text").waitFor();
  await page.getByText("owner sales").waitFor();

  await page.getByRole("button", { name: "Run now" }).click();
  await page.getByText(`A run of ${name} is under way`).waitFor();
  onTestFinished(async () => {
    const { items } = await node().api.call<{ items: { id: string }[] }>("GET", `/v1/integrations/${id}/runs`);
    for (const run of items) await node().api.request("POST", `/v1/runs/${run.id}/cancel`);
  });
  await page.getByText(/^Bottleneck: .* → crm\./).waitFor();
  await expect.poll(() => page.locator(".react-flow__node").count()).toBeGreaterThanOrEqual(6);
  await expect.poll(() => page.locator(".react-flow__edge-path[data-state=bottleneck]").count()).toBe(1);
  await page.getByRole("link", { name: "under way" }).waitFor();
  await expectAccessible(page);
  await shoot(page, "integration-now");

  await page.getByRole("button", { name: "As a table" }).click();
  const edges = page.getByRole("table", { name: "Edges of the graph" }).getByRole("row");
  await edges.filter({ hasText: "crm (destination)" }).getByText("bottleneck").waitFor();
  await edges.filter({ hasText: "warehouse (destination)" }).first().waitFor();
  expect(new URL(page.url()).search).toBe("?graph=table");
  await expectAccessible(page);
  await shoot(page, "integration-now-table");
});

test("a run cannot be begun twice, and an integration that is disabled is enabled first", async () => {
  const { id, name } = await integration({ source: { connector: "stream", stream: "orders" } });
  await running(id);
  const page = await visit({ path: `/integrations/${id}` });
  await page
    .getByRole("button", { name: "Run now", disabled: true })
    .and(page.getByTitle("A run is under way"))
    .waitFor();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByText("No schedule fires and no run starts").waitFor();
  await expectAccessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
  await page.getByText(`${name} is disabled`).waitFor();
  await page.getByRole("button", { name: "Run now" }).and(page.getByTitle("It is disabled: enable it first")).waitFor();
  await page.getByRole("button", { name: "Enable" }).click();
  await page.getByText(`${name} is enabled`).waitFor();
});

test("what breaks is listed where an integration cannot be enabled", async () => {
  const { id, name } = await integration({
    enabled: false,
    source: { connector: "files", stream: "people.ndjson" },
    mapping_spec: [
      { source: "$.id", destination: "id" },
      { source: "$.nmae", destination: "name" },
    ],
  });
  const page = await visit({ path: `/integrations/${id}` });
  await page.getByRole("button", { name: "Enable" }).click();
  const dialog = page.getByRole("dialog", { name: `${name} cannot be enabled` });
  await dialog.getByText("mapping_spec[1].source").waitFor();
  await dialog.getByText("did you mean $.name?").waitFor();
  await expectAccessible(page);
  await shoot(page, "integration-refused");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await page.getByText("disabled", { exact: true }).waitFor();
});

test("runs are filtered by the URL, opened by the keyboard, and thousands of them stay a page", async () => {
  const { id } = await integration();
  await node().api.runAndWait(id);
  await insertRuns(id, 1_500);
  const page = await visit({ path: `/integrations/${id}?tab=runs` });
  const rows = page.getByRole("grid", { name: "Runs" }).locator("[data-index]");
  await rows.first().getByText("success").waitFor();
  await expectAccessible(page);
  await shoot(page, "integration-runs");

  // End leads to the last row that is there, near which more come: the whole history without holding it.
  await expect
    .poll(
      async () => {
        await rows.last().focus();
        await page.keyboard.press("End");
        return Number(await rows.last().getAttribute("data-index"));
      },
      { timeout: 180_000 },
    )
    .toBe(1_500);
  expect(await rows.count()).toBeLessThan(120);

  await page.getByRole("button", { name: "Status" }).click();
  await page.getByRole("option", { name: "failed" }).click();
  await expect.poll(() => new URL(page.url()).searchParams.get("status")).toBe("failed");
  await rows.first().getByText("the destination said no").waitFor();
  await page.reload();
  await rows.first().getByText("the destination said no").waitFor();
  await page.goto(`/integrations/${id}?tab=runs&status=cancelled`);
  await page.getByText("No run is like this").waitFor();
  await shoot(page, "integration-runs-none");
  await page.getByRole("button", { name: "Show all runs" }).click();
  await rows.first().getByText("success").waitFor();
  await rows.first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /^Run of / }).waitFor();
});

/** Older than all others: one of each ten failed. */
async function insertRuns(integrationId: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: node().databaseUrl() });
  await client.connect();
  try {
    const before = Date.now() - 600_000;
    const ids = Array.from({ length: count }, (_, at) => idOf(before - (count - at) * 1_000));
    await client.query(
      `INSERT INTO sluice.pipeline_runs
         (id, integration_id, integration_version, trigger, status, started_at, finished_at, records_in, records_out,
          records_filtered, records_failed, error)
       SELECT id, $2, 1, 'manual', CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'success' END,
         now() - ($3::int - n + 600) * interval '1 second', now() - ($3::int - n + 600) * interval '1 second', 100, 90, 10, 0,
         CASE WHEN n % 10 = 0 THEN '{"code":"FORBIDDEN","message":"the destination said no"}'::jsonb END
       FROM unnest($1::uuid[]) WITH ORDINALITY AS given(id, n)`,
      [ids, integrationId, count],
    );
  } finally {
    await client.end();
  }
}

/** A UUIDv7 of a moment. */
function idOf(at: number): string {
  const time = at.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}${randomUUIDv7().slice(13)}`;
}

test("the ledger of the latest run shows what each step took and gave, and that it adds up", async () => {
  const { id } = await integration(steps);
  const page = await visit({ path: `/integrations/${id}?tab=ledger` });
  await page.getByText("There is no ledger yet").waitFor();
  await node().api.runAndWait(id);
  const lines = page.getByRole("region", { name: "Counts by step" }).getByRole("row");
  await lines.filter({ hasText: "source" }).getByText("40").first().waitFor();
  await lines.filter({ hasText: "active" }).getByText("balanced").waitFor();
  await expectAccessible(page);
  await shoot(page, "integration-ledger");
});

test("versions show who made them and what each changed, and any two are compared by the URL", async () => {
  const { id } = await integration();
  const { api } = node();
  const body = await api.call<Record<string, unknown>>("GET", `/v1/integrations/${id}`);
  await api.call("PUT", `/v1/integrations/${id}`, { ...body, delivery: { batch: { records: 7 } } });
  await api.call("PUT", `/v1/integrations/${id}`, { ...body, delivery: { batch: { records: 11 } } });
  const page = await visit({ path: `/integrations/${id}?tab=versions` });
  const difference = page.getByRole("textbox", { name: "What version 3 changed of version 2" });
  await difference.waitFor();
  await expect.poll(() => difference.textContent()).toMatch(/"records": 7.*"records": 11/);
  await expectAccessible(page);
  await shoot(page, "integration-versions");
  await page.goto(`/integrations/${id}?tab=versions&from=1&to=2`);
  await expect
    .poll(() => page.getByRole("textbox", { name: "What version 2 changed of version 1" }).textContent())
    .toMatch(/"records": 7/);
});

test("a schedule shows its next fires by its own clock", async () => {
  const trigger = { type: "schedule", cron: "30 9 * * 1-5", timezone: "Europe/Berlin", overlap: "queue" };
  const { id } = await integration({ trigger });
  const page = await visit({ path: `/integrations/${id}?tab=schedule` });
  await expect.poll(() => page.getByRole("listitem").filter({ hasText: "9:30:00" }).count()).toBe(10);
  await page.getByText("opens the run when the one before has ended").waitFor();
  await expectAccessible(page);
  await shoot(page, "integration-schedule");
});

const save = "Save as a new version";
const editor = (page: Page) => page.getByRole("textbox", { name: "Configuration" });

const state = new Set(
  "id version status health health_reason circuits durability created_at updated_at next_fire_at".split(" "),
);

/** Writes another configuration in the place of the one that is saved. */
async function edit(page: Page, change: (config: Record<string, unknown>) => unknown): Promise<void> {
  const { pathname } = new URL(page.url());
  const current = await node().api.call<Record<string, unknown>>("GET", `/v1${pathname}`);
  const config = Object.fromEntries(Object.entries(current).filter(([name]) => !state.has(name)));
  const changed = change(config);
  await write(page, typeof changed === "string" ? changed : JSON.stringify(changed, null, 2));
}

async function write(page: Page, text: string): Promise<void> {
  await editor(page).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

test("what is wrong with a configuration stands at its place, and a right one is saved as a version", async () => {
  const { id } = await integration(steps);
  const page = await visit({ path: `/integrations/${id}?tab=configuration` });
  await editor(page).waitFor();
  await page.getByRole("button", { name: save }).and(page.getByTitle("Nothing is changed")).waitFor();
  await write(page, '{ "name": ');
  await page
    .getByRole("button", { name: save })
    .and(page.getByTitle(/^This is no JSON yet/))
    .waitFor();
  await edit(page, (config) => ({ ...config, destination: { connector: "warehouse", stram: "orders" } }));
  await page.getByText("destination.stram").first().waitFor();
  await page.locator(".cm-lintRange-error").first().waitFor();
  await expect.poll(() => page.locator(".cm-lintRange-error").allTextContents()).toContain('"stram"');
  await expectAccessible(page);
  await shoot(page, "integration-configuration-wrong");
  await page.getByRole("button", { name: save }).click();
  await page.getByRole("alert").getByText("destination.stram").waitFor();

  // As a file of the command line has it.
  await edit(page, (config) =>
    stringify({ connectors: [], integrations: [{ ...config, delivery: { batch: { records: 9 } } }] }),
  );
  await page.getByRole("button", { name: "Turn it into JSON" }).click();
  await page.getByRole("button", { name: save }).click();
  await page.getByText("Saved as version 2").waitFor();
  expect(await node().api.call("GET", `/v1/integrations/${id}`)).toMatchObject({
    version: 2,
    delivery: { batch: { records: 9 } },
  });
  await expectAccessible(page);
  await shoot(page, "integration-configuration");
  // Where not all tabs fit, the one that is shown is in sight.
  await page.setViewportSize({ width: 400, height: 800 });
  const [row, tab] = [page.getByRole("tablist"), page.getByRole("tab", { name: "Configuration" })];
  const right = async (each: typeof row) => each.evaluate((element) => element.getBoundingClientRect().right);
  await expect.poll(async () => (await right(tab)) <= (await right(row)) + 1).toBe(true);
});

test("a number with more digits than a double keeps them in the editor", async () => {
  const exact = '"value":12345678901234567890';
  const { id } = await integration({ mapping_spec: [{ value: "EXACT", destination: "big" }] });
  const stored = await node().api.text(`/v1/integrations/${id}`);
  const given = stored.text.replace('"value":"EXACT"', exact);
  await fetch(`${node().url}/v1/integrations/${id}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${node().token}`, "content-type": "application/json" },
    body: given,
  });
  const page = await visit({ path: `/integrations/${id}?tab=configuration` });
  await expect.poll(() => editor(page).textContent()).toContain("12345678901234567890");
  const text = (await editor(page).locator(".cm-line").allTextContents()).join("\n");
  await write(page, text.replace('"big"', '"large"'));
  await page.getByRole("button", { name: save }).click();
  await page.getByText("Saved as version 3").waitFor();
  const { text: saved } = await node().api.text(`/v1/integrations/${id}`);
  expect(saved).toContain(exact);
  expect(saved).toContain('"large"');
});

test("of two who edit the same integration the second one sees what the first changed, and decides", async () => {
  const { id } = await integration();
  const { key } = await node().api.call<{ key: string }>("POST", "/v1/api-keys", { name: "Grace", role: "editor" });
  const path = `/integrations/${id}?tab=configuration`;
  const [ada, grace] = [await visit({ path }), await visit({ path, key })];
  for (const page of [ada, grace]) await editor(page).waitFor();
  const records = async () =>
    (await node().api.call<{ delivery: { batch: object } }>("GET", `/v1/integrations/${id}`)).delivery.batch;

  await edit(ada, (config) => ({ ...config, delivery: { batch: { records: 5 } } }));
  await edit(grace, (config) => ({ ...config, delivery: { batch: { records: 6 } } }));
  await grace.getByRole("button", { name: save }).click();
  await grace.getByText("Saved as version 2").waitFor();
  // Nobody loaded the page anew: that somebody else saved is told at once.
  await ada.getByText("Somebody changed it while you edit version 1: it is at version 2.").waitFor();
  await ada.getByRole("button", { name: save }).click();
  const dialog = ada.getByRole("dialog", { name: "Somebody else changed it" });
  await dialog.getByText("Grace saved version 2 while you edited version 1").waitFor();
  await expect.poll(() => dialog.getByRole("textbox").textContent()).toMatch(/"records": 6/);
  await dialog.getByRole("tab", { name: "What mine would change of theirs" }).click();
  await expect.poll(() => dialog.getByRole("textbox").textContent()).toMatch(/"records": 6.*"records": 5/);
  await expectAccessible(ada);
  await shoot(ada, "integration-conflict");
  expect(await records()).toEqual({ records: 6 });
  await dialog.getByRole("button", { name: "Put mine over theirs" }).click();
  await ada.getByText("Saved as version 3").waitFor();
  expect(await records()).toEqual({ records: 5 });

  // Who has nothing unsaved goes on with what the other one saved.
  await expect.poll(() => editor(grace).textContent()).toMatch(/"records": 5/);
  await edit(grace, (config) => ({ ...config, delivery: { batch: { records: 8 } } }));
  await edit(ada, (config) => ({ ...config, delivery: { batch: { records: 7 } } }));
  await ada.getByRole("button", { name: save }).click();
  await ada.getByText("Saved as version 4").waitFor();
  await grace.getByRole("button", { name: "Look at what changed" }).click();
  await grace.getByRole("button", { name: "Take theirs, drop mine" }).click();
  await expect.poll(() => editor(grace).textContent()).toMatch(/"records": 7/);
  expect(await records()).toEqual({ records: 7 });
});

test("what is not saved is not left without a word", async () => {
  const { id } = await integration();
  const page = await visit({ path: `/integrations/${id}?tab=configuration` });
  await editor(page).waitFor();
  await edit(page, (config) => ({ ...config, delivery: { batch: { records: 5 } } }));
  await page.getByRole("tab", { name: "Runs" }).click();
  await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: "Cancel" }).click();
  await expect.poll(() => editor(page).textContent()).toMatch(/"records": 5/);
  await page.getByRole("tab", { name: "Runs" }).click();
  await page.getByRole("button", { name: "Leave", exact: true }).click();
  await page.getByText("It has not run yet").waitFor();
});

test("a viewer sees the whole page and no button that would be refused", async () => {
  const { key } = await node().api.call<{ key: string }>("POST", "/v1/api-keys", { name: "looker", role: "viewer" });
  const { id, name } = await integration();
  const page = await visit({ path: `/integrations/${id}`, key });
  await page.getByRole("heading", { name, level: 1 }).waitFor();
  await page.getByText("Nothing moves at the moment.").waitFor();
  for (const button of ["Run now", "Disable", "Enable"]) {
    expect(await page.getByRole("button", { name: button }).count()).toBe(0);
  }
  await page.getByRole("tab", { name: "Configuration" }).click();
  await editor(page).waitFor();
  expect(await page.getByRole("button", { name: save }).count()).toBe(0);
  expect(await editor(page).getAttribute("aria-readonly")).toBe("true");
});

test("an integration that is not there says so", async () => {
  const page = await visit({ path: `/integrations/${randomUUIDv7()}` });
  await page.getByRole("heading", { name: "Not found" }).waitFor();
  await expectAccessible(page);
  await shoot(page, "integration-missing");
});
