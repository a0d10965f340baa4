import { expect, onTestFinished, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";
import { serve } from "../support/http-server.ts";

const { node, visit } = consoleTests({ env: { SLUICE_ALLOW_ADDRESSES: "127.0.0.1" } });

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

test("a connector is made by the form of its type, and edited without its secret being typed again", async () => {
  const { api } = node();
  const server = await serve(({ headers }) =>
    headers.authorization === "Bearer sesame" ? { body: [{ id: 1 }] } : { status: 401, body: { error: "who?" } },
  );
  onTestFinished(() => server.close());
  const page = await visit({ path: "/connectors" });
  await page.getByRole("link", { name: "New connector" }).click();
  await page.getByRole("radio", { name: "HTTP API" }).check({ force: true });
  await page.getByLabel("Name").fill("shop-api");
  await page.getByLabel("Base URL").fill(server.url);
  const auth = page.getByRole("group", { name: "Auth" });
  await page.locator("summary").filter({ hasText: "Auth" }).click();
  // The form asks for what the choice asks for, and for nothing else.
  await auth.getByRole("button", { name: /Type/ }).click();
  await page.getByRole("option", { name: "basic" }).click();
  await auth.getByLabel("Username").fill("ada");
  await auth.getByRole("button", { name: /Type/ }).click();
  await page.getByRole("option", { name: "bearer" }).click();
  expect(await auth.getByLabel("Username").count()).toBe(0);
  await auth.getByLabel("Token", { exact: true }).fill("open up");
  await page.locator("summary").filter({ hasText: "Streams" }).click();
  const streams = page.getByRole("group", { name: "Streams" });
  await streams.getByLabel("Streams: new name").fill("orders");
  await streams.getByRole("button", { name: "Add" }).first().click();
  await streams.getByRole("group", { name: "orders" }).getByLabel("Path", { exact: true }).fill("/orders");
  await expectAccessible(page);
  await shoot(page, "connector-new");
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("It is saved, but it could not be reached as it is:").waitFor();
  await expectAccessible(page);
  await shoot(page, "connector-new-unreached");
  await auth.getByLabel("Token", { exact: true }).fill("sesame");
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("shop-api is saved, and it answers").waitFor();
  await page.getByRole("heading", { name: "shop-api", level: 1 }).waitFor();
  const { items } = await api.call<{ items: { id: string; config: object }[] }>("GET", "/v1/connectors?name=shop-api");
  expect(items).toMatchObject([
    {
      config: {
        base_url: server.url,
        auth: { type: "bearer", token: "***" },
        streams: { orders: { path: "/orders" } },
      },
    },
  ]);

  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByPlaceholder("It is kept; type another one to replace it").waitFor();
  await page.getByLabel("Concurrency").fill("many");
  await page.getByRole("button", { name: "Save and test" }).click();
  await expect
    .poll(() => page.getByLabel("Concurrency").and(page.locator(":focus")).getAttribute("aria-invalid"))
    .toBe("true");
  await page.getByLabel("Concurrency").fill("2");
  await expectAccessible(page);
  await shoot(page, "connector-edit");
  await page.getByRole("button", { name: "Save and test" }).click();
  // The page that edits is left only once it is saved; the words of the first time may still stand there.
  await page.getByRole("heading", { name: "shop-api", level: 1, exact: true }).waitFor();
  expect(server.asked.at(-1)?.headers.authorization).toBe("Bearer sesame");
  expect(await api.call("GET", `/v1/connectors/${items[0]?.id}`)).toMatchObject({ config: { concurrency: 2 } });
});

test("of two who edit the same connector the second one sees what the first changed, and decides", async () => {
  const { api } = node();
  const id = await api.connector("shared", "blackhole", { latency: "1ms" });
  const path = `/connectors/${id}/edit`;
  const [ada, grace] = [await visit({ path }), await visit({ path })];
  const keep = async () => (await api.call<{ config: { keep?: number } }>("GET", `/v1/connectors/${id}`)).config.keep;
  await ada.getByLabel("Keep").fill("5");
  await grace.getByLabel("Keep").fill("6");
  await grace.getByRole("button", { name: "Save and test" }).click();
  await grace.getByText("shared is saved, and it answers").waitFor();
  await ada.getByRole("button", { name: "Save and test" }).click();
  const dialog = ada.getByRole("dialog", { name: "Somebody else changed it" });
  await dialog.getByText("Version 2 was saved while you edited version 1.").waitFor();
  await expect.poll(() => dialog.getByRole("textbox").textContent()).toMatch(/"keep": 6.*"keep": 5/);
  await expectAccessible(ada);
  await shoot(ada, "connector-conflict");
  expect(await keep()).toBe(6);
  await dialog.getByRole("button", { name: "Take theirs, drop mine" }).click();
  expect(await ada.getByLabel("Keep").inputValue()).toBe("6");
  await ada.getByLabel("Keep").fill("7");
  await ada.getByRole("button", { name: "Save and test" }).click();
  await ada.getByText("shared is saved, and it answers").waitFor();
  expect(await keep()).toBe(7);
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
  await viewer.goto("/connectors/new");
  await viewer.getByText("Your role may not make connectors").waitFor();
  await viewer.goto("/connectors");
  await viewer.getByRole("row", { name: /broken/ }).click();
  await viewer.getByRole("region", { name: "Config" }).last().waitFor();
  const buttons = viewer.getByRole("main").getByRole("button");
  expect(await buttons.evaluateAll((all) => all.filter((each) => !each.ariaLabel?.startsWith("Copy")).length)).toBe(0);
  expect(await viewer.getByRole("link", { name: /New connector|Edit/ }).count()).toBe(0);

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

test("who clicks on a tab sees no outline around its panel, and who goes there by the keyboard does", async () => {
  const page = await visit({ path: "/settings" });
  await page.getByRole("tab", { name: "Roles" }).click();
  const panel = page.getByRole("tabpanel", { name: "Roles" });
  await panel.getByRole("heading", { name: "What you may" }).waitFor();
  const outline = () => panel.evaluate("getComputedStyle(document.activeElement).outlineStyle");
  await panel.click();
  expect(await outline()).toBe("none");
  await page.getByRole("tab", { name: "Roles" }).click();
  await page.keyboard.press("Tab");
  await expect.poll(outline).toBe("solid");
});

test("the nodes are shown as each says of itself", async () => {
  const page = await visit({ path: "/settings?tab=nodes" });
  await page.getByRole("row", { name: /ready/ }).waitFor();
  await page.getByText("Durability:").waitFor();
  await expectAccessible(page);
  await shoot(page, "settings-nodes");
});
