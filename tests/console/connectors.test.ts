import { expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";

const { node, visit } = consoleTests();

test("a connector is tested with a sample record, tells its streams, and is removed when nothing uses it", async () => {
  const { api } = node();
  const template = { id: "{{ index }}", note: "<img src=x onerror=alert(1)>" };
  const id = await api.connector("shop", "generator", { count: 10, template });
  await api.connector("broken", "postgres", {
    host: "127.0.0.1",
    port: 9,
    database: "none",
    user: "none",
    password: "not shown",
  });
  const page = await visit({ path: "/connectors" });
  await page.getByRole("row", { name: /shop/ }).waitFor();
  await expectAccessible(page);
  await shoot(page, "connectors");
  await page.getByRole("columnheader", { name: "Connector" }).getByRole("button").click();
  await expect.poll(() => page.getByRole("row").nth(1).textContent()).toContain("broken");
  await page.getByLabel("Search by name").fill("SHO");
  await expect.poll(() => page.getByRole("row").count()).toBe(2);
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ search: "SHO", sort: "name" });
  await page.getByLabel("Search by name").fill("");

  await page.getByRole("row", { name: /broken/ }).click();
  await page.getByRole("button", { name: "Test" }).click();
  await page.getByText("failed after").waitFor();
  await page.getByText("UNAVAILABLE", { exact: true }).waitFor();
  expect(await page.content()).not.toContain("not shown");
  await shoot(page, "connector-failed");

  await page.goto(`/connectors/${id}`);
  await page.getByRole("button", { name: "Test" }).click();
  await page.getByText("it answered in").waitFor();
  // Markup in a record is text.
  await page.getByRole("region", { name: "Sample record" }).getByText("<img src=x onerror=alert(1)>").waitFor();
  await page.getByRole("button", { name: "Discover streams" }).click();
  await page.getByRole("row", { name: /records/ }).waitFor();
  await expectAccessible(page);
  await shoot(page, "connector");

  const integration = await api.integration({
    name: "uses-it",
    source: { connector: "shop", stream: "records" },
    destination: { connector: "broken", stream: "t" },
    enabled: false,
  });
  await page.getByRole("button", { name: "Remove" }).click();
  const dialog = page.getByRole("dialog", { name: "Remove shop?" });
  await dialog.getByRole("button", { name: "Remove" }).click();
  await dialog.getByRole("alert").waitFor();
  await api.call("DELETE", `/v1/integrations/${integration}`);
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.getByText("shop is removed").waitFor();
  await expect.poll(() => new URL(page.url()).pathname).toBe("/connectors");
  await expect.poll(() => page.getByRole("row", { name: /shop/ }).count()).toBe(0);
});

test("the registry shows each type with its versions, what it can, and the schema of its config", async () => {
  const page = await visit({ path: "/connectors?tab=types" });
  await page.getByRole("row", { name: /postgres/ }).waitFor();
  await expectAccessible(page);
  await shoot(page, "connector-types");
  await page.getByRole("row", { name: /blackhole/ }).click();
  await page.getByRole("region", { name: "Config of blackhole" }).waitFor();
  expect(new URL(page.url()).search).toBe("?tab=types&type=blackhole");
  await expectAccessible(page);
});

test("a key is made, shown once, used and revoked, all of which the audit log tells", async () => {
  const page = await visit({ path: "/settings" });
  await page
    .getByRole("row", { name: /data folder/ })
    .getByText("yours")
    .waitFor();
  expect(await page.getByRole("button", { name: "Revoke data folder" }).count()).toBe(0);
  await page.getByRole("button", { name: "New key" }).click();
  const dialog = page.getByRole("dialog", { name: "New key" });
  await dialog.getByLabel("Name").fill("dashboard");
  await dialog.getByLabel("Team").fill("Not A Team");
  await dialog.getByRole("button", { name: "Make the key" }).click();
  await dialog.getByRole("alert").waitFor();
  await expectAccessible(page);
  await shoot(page, "new-key");
  await dialog.getByLabel("Team").fill("");
  await dialog.getByRole("button", { name: "Make the key" }).click();
  const shown = page.getByRole("dialog", { name: "The key dashboard" });
  const key = (await shown.getByRole("code").textContent()) as string;
  await shown.getByRole("button", { name: "I have kept it" }).click();
  await page.getByRole("row", { name: /dashboard/ }).waitFor();
  expect(await page.content()).not.toContain(key);
  await expectAccessible(page);
  await shoot(page, "settings-keys");

  // A viewer sees no button that would be refused.
  const viewer = await visit({ path: "/settings", key });
  await viewer.getByRole("heading", { name: "What you may" }).waitFor();
  expect(await viewer.getByRole("tab").allTextContents()).toEqual(["Roles", "Nodes"]);
  await expectAccessible(viewer);
  await shoot(viewer, "settings-roles");
  await viewer.goto("/connectors");
  await viewer.getByRole("row", { name: /broken/ }).click();
  await viewer.getByRole("region", { name: "Config" }).last().waitFor();
  const buttons = viewer.getByRole("main").getByRole("button");
  expect(await buttons.evaluateAll((all) => all.filter((each) => !each.ariaLabel?.startsWith("Copy")).length)).toBe(0);

  await page.getByRole("button", { name: "Revoke dashboard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("dashboard is revoked").waitFor();
  await page.getByRole("row", { name: /dashboard.*revoked/ }).waitFor();
  await expect
    .poll(async () => {
      await viewer.reload();
      return viewer.getByRole("heading", { name: "Sign in to sluice" }).isVisible();
    })
    .toBe(true);

  await page.getByRole("tab", { name: "Audit log" }).click();
  const changes = page.getByRole("grid", { name: "Changes" }).getByRole("row", { name: /dashboard/ });
  await changes.filter({ hasText: "api key revoked" }).click();
  await page
    .getByRole("dialog")
    .getByText(/revoked_?at/i)
    .first()
    .waitFor();
  await shoot(page, "settings-audit-entry");
  await page.getByRole("button", { name: "All of dashboard" }).click();
  await expect.poll(() => new URL(page.url()).searchParams.has("resource")).toBe(true);
  await expect.poll(() => changes.count()).toBe(2);
  await expectAccessible(page);
  await shoot(page, "settings-audit");
});

test("the nodes are shown as each says of itself", async () => {
  const page = await visit({ path: "/settings?tab=nodes" });
  await page.getByRole("row", { name: /ready/ }).waitFor();
  await page.getByText("Durability:").waitFor();
  await expectAccessible(page);
  await shoot(page, "settings-nodes");
});
