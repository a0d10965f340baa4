import { expect, test } from "vitest";
import { consoleTests, expectAccessible, shoot } from "../support/browser.ts";
import { cuttable } from "../support/cuttable.ts";

const { node, visit } = consoleTests();

/** One that works, one whose records fail, one whose destination is away, one that is not enabled. */
async function fleet(): Promise<Record<"orders" | "partly" | "away" | "off", string>> {
  const { api } = node();
  const source = { rate: 40, template: { id: "{{ index }}", amount: "{{ int 2 100 }}" } };
  await api.connector("shop", "generator", source);
  await api.connector("few", "generator", { ...source, count: 20 });
  await api.connector("warehouse", "blackhole", {});
  await api.connector("refusing", "blackhole", { fail: { ratio: 1, code: "FORBIDDEN" } });
  const make = (name: string, connector: string, destination: string, more: object = {}) =>
    api.integration({
      name,
      source: { connector, stream: "orders" },
      destination: { connector: destination, stream: "orders" },
      ...more,
    });
  const failing = { mapping_spec: [{ source: "$.amount", destination: "paid", cast: "boolean" }] };
  return {
    orders: await make("orders-to-warehouse", "shop", "warehouse"),
    partly: await make("orders-to-crm", "few", "warehouse", failing),
    away: await make("orders-to-partner", "shop", "refusing"),
    off: await make("orders-of-last-year", "few", "warehouse", { enabled: false }),
  };
}

test("the overview shows what needs attention first, is live, and keeps its filter in the URL", async () => {
  const { api } = node();
  const empty = await visit();
  await empty.getByText("There are no integrations yet").waitFor();
  await expectAccessible(empty);
  await shoot(empty, "overview-empty");

  const ids = await fleet();
  await api.runAndWait(ids.partly);
  const page = await visit();
  const rows = page.getByRole("grid", { name: "Integrations" }).getByRole("row");
  const row = (name: string) => rows.filter({ hasText: name });
  await row("orders-to-crm").getByText("partial").waitFor();

  // Begun while the page is open: what comes of it is seen without loading it again.
  await api.run(ids.orders);
  await api.run(ids.away);
  await row("orders-to-warehouse").getByText("running").waitFor();
  await row("orders-to-partner").getByText("circuit open", { exact: true }).waitFor();
  await expect
    .poll(async () => Number(await row("orders-to-warehouse").getByRole("gridcell").nth(2).textContent()))
    .toBeGreaterThan(0);
  await expect.poll(() => row("orders-to-crm").getByRole("gridcell").nth(6).textContent()).toBe("20");
  await expect
    .poll(async () =>
      (await rows.allTextContents()).slice(1).map((text) => /orders-[a-z-]+/.exec(text)?.[0].slice(0, 13)),
    )
    .toEqual(["orders-to-par", "orders-to-crm", "orders-to-war", "orders-of-las"]);
  await page.getByText("live", { exact: true }).waitFor();
  await expectAccessible(page);
  await shoot(page, "overview");

  await page.getByRole("link", { name: "disabled" }).click();
  await expect.poll(() => rows.count()).toBe(2);
  expect(new URL(page.url()).search).toBe("?enabled=false");
  await page.getByRole("button", { name: "State" }).click();
  await page.getByRole("option", { name: "All" }).click();
  await page.keyboard.press("Escape");
  await page.locator("body").press("/");
  await page.keyboard.type("warehouse");
  await expect.poll(() => rows.count()).toBe(2);
  expect(new URL(page.url()).search).toBe("?search=warehouse");
  await page.reload();
  await row("orders-to-warehouse").waitFor();
  expect(await rows.count()).toBe(2);
  await api.call("DELETE", `/v1/integrations/${ids.off}`);
});

test("a connection that is lost is shown, and what happened meanwhile once it is back", async () => {
  const { api, url: direct } = node();
  const line = await cuttable(Number(new URL(direct).port));
  const page = await visit({ url: line.url, path: "/?search=later" });
  await page.getByText("No integration is like this").waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  line.cut();
  await page.getByText("offline", { exact: true }).waitFor();
  await api.connector("later", "generator", { count: 1 });
  await api.connector("nowhere", "blackhole", {});
  const id = await api.integration({
    name: "later",
    source: { connector: "later", stream: "records" },
    destination: { connector: "nowhere", stream: "records" },
  });
  line.mend();
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByRole("row", { name: /later/ }).waitFor();
  await api.call("DELETE", `/v1/integrations/${id}`);
  await page.getByText("No integration is like this").waitFor();
});

test("a tab that nobody sees keeps no connection, and is live again as soon as it is seen", async () => {
  const page = await visit();
  await page.getByText("live", { exact: true }).waitFor();
  const see = (isSeen: boolean) =>
    page.evaluate(
      `Object.defineProperty(document, "hidden", { value: ${!isSeen}, configurable: true }),
       document.dispatchEvent(new Event("visibilitychange"))`,
    );
  const ofEvents = (request: { url(): string }) => request.url().endsWith("/v1/events");
  const ended = page.waitForEvent("requestfailed", { predicate: ofEvents, timeout: 60_000 });
  await see(false);
  await ended;
  const begun = page.waitForRequest(ofEvents, { timeout: 60_000 });
  await see(true);
  await begun;
  await page.getByText("live", { exact: true }).waitFor();
});

test("keys lead through the page, and are told of", async () => {
  const page = await visit();
  const grid = page.getByRole("grid", { name: "Integrations" });
  await grid.waitFor();
  await page.locator("body").press("?");
  const help = page.getByRole("dialog", { name: "Keys" });
  await help.waitFor();
  await expectAccessible(page);
  await shoot(page, "keys");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });

  const rows = grid.locator("[data-index]");
  await rows.first().focus();
  await page.keyboard.press("End");
  await expect.poll(() => page.evaluate("document.activeElement.dataset.index")).toBe(String((await rows.count()) - 1));
  await page.keyboard.press("Home");
  await expect.poll(() => page.evaluate("document.activeElement.dataset.index")).toBe("0");
});

test("on a phone the pages' menu folds, and nothing is wider than the window", async () => {
  const page = await visit();
  await page.setViewportSize({ width: 400, height: 800 });
  const grid = page.getByRole("grid", { name: "Integrations" });
  await grid.waitFor();
  const width = await page.evaluate("document.documentElement.scrollWidth");
  expect(width).toBe(400);
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("button", { name: "Menu", expanded: false }).waitFor();
});
