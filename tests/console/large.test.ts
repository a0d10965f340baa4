import type { Locator, Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { consoleTests } from "../support/browser.ts";
import { insertRuns } from "../support/history.ts";
import { watchRows } from "../support/watch-rows.ts";

const runs = 1_000_000;

const { node, visit } = consoleTests();

let id = "";
beforeAll(async () => {
  const { api } = node();
  await api.connector("few", "generator", { count: 1 });
  await api.connector("warehouse", "blackhole", {});
  id = await api.integration({
    name: "orders",
    source: { connector: "few", stream: "orders" },
    destination: { connector: "warehouse", stream: "orders" },
  });
  await insertRuns(node().databaseUrl(), id, runs);
  // Ten seconds of a quiet machine.
}, 600_000);

test("a million runs are scrolled by wheel and by keys, each in its place, and only those in sight are in the page", async ({
  annotate,
}) => {
  const begun = performance.now();
  const page = await visit({ path: `/integrations/${id}?tab=runs` });
  const grid = page.getByRole("grid", { name: "Runs" });
  await row(grid, 0).waitFor();
  await annotate(`the list of ${runs} runs was there after ${Math.round(performance.now() - begun)} ms`);
  const watch = await watchRows(page, "Runs", "Version");

  await grid.hover();
  await expect
    .poll(
      async () => {
        await page.mouse.wheel(0, 600);
        return (await watch()).last;
      },
      { interval: 10, timeout: 180_000 },
    )
    .toBeGreaterThan(2_000);

  await lastRow(grid).focus();
  await page.keyboard.press("PageUp");
  await page.keyboard.press("ArrowUp");
  await expect
    .poll(
      async () => {
        await page.keyboard.press("End");
        return (await watch()).last;
      },
      { interval: 10, timeout: 180_000 },
    )
    .toBeGreaterThan(4_000);
  await page.keyboard.press("Home");
  await expect.poll(() => page.evaluate("document.activeElement.dataset.index")).toBe("0");

  const { misplaced, seen, mostRows, longestTaskMs } = await watch();
  await annotate(`longest task while it was scrolled: ${longestTaskMs} ms`);
  // The n-th newest run is of version n.
  expect(misplaced).toEqual([]);
  expect(seen).toBeGreaterThan(2_000);
  expect(mostRows).toBeLessThan(120);

  await page.getByRole("button", { name: "Started" }).click();
  await row(grid, 0).getByText(String(runs), { exact: true }).waitFor();
  await page.getByRole("button", { name: "Status" }).click();
  await page.getByRole("option", { name: "failed" }).click();
  await row(grid, 1)
    .getByText(String(runs - 10), { exact: true })
    .waitFor();
  await row(grid, 1).getByText("the destination said no").waitFor();
  await noneOf(page, `/integrations/${id}?tab=runs&trigger=schedule`, "No run is like this");
});

async function noneOf(page: Page, path: string, words: string): Promise<void> {
  await page.goto(path);
  await page.getByText(words).waitFor();
}

const row = (grid: Locator, index: number) => grid.locator(`[data-index="${index}"]`);
const lastRow = (grid: Locator) => grid.locator("[data-index]").last();
