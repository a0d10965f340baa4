import { loadavg } from "node:os";
import type { Browser } from "playwright-core";
import { buildConsole, firstLoadKb } from "../../scripts/console.mjs";
import { insertDeadLetters, insertRuns } from "../../tests/support/history.ts";
import { watchRows } from "../../tests/support/watch-rows.ts";
import { BenchNode } from "../node.ts";
import type { BenchOptions } from "../options.ts";
import { filterAndMap, template } from "../pipeline.ts";
import { median, percentile, report } from "../report.ts";
import { type Vitals, vitalsOf, withBrowser, withPage } from "../vitals.ts";

const integrations = 20;
const deadLetters = 100_000;
/** Scrolled to by the wheel. */
const scrolledRows = 3_000;
const pagesRead = 200;
/** Over how long the last of them are spread, less than the rows are. */
const spreadMs = 79_000_000;

/**
 * The console in Chromium beside the node, signed in, with nothing cached: what each page takes to show, and a list of a
 * million runs (`--records`) opened and scrolled. `load`: of the machine, over the last minute.
 */
export async function run({ records = 1_000_000, runs = 5, only }: BenchOptions): Promise<void> {
  await buildConsole(process.execPath);
  const wanted = (name: string) => only === undefined || only === name;
  await BenchNode.with((node) =>
    withBrowser(async (browser) => {
      const ids = await furnish(node);
      if (wanted("first-load")) report({ scenario: "console", name: "first-load", gzipped_kb: firstLoadKb() });
      for (const [name, { path, shows }] of Object.entries(pagesOf(ids))) {
        if (!wanted(name)) continue;
        const all: Vitals[] = [];
        for (let i = 0; i < runs; i++) all.push(await withPage(browser, node, (page) => vitalsOf(page, path, shows)));
        const fields = Object.keys(all[0] as Vitals) as (keyof Vitals)[];
        const medians = fields.map((field) => [field, median(all, (one) => one[field])[field]]);
        report({ scenario: "console", name, runs, ...Object.fromEntries(medians), load: loadavg()[0] });
      }
      const lists: Record<string, () => Promise<object>> = {
        runs: async () => {
          await insertRuns(node.databaseUrl, ids.history, records);
          const api = `/v1/integrations/${ids.history}/runs`;
          const opened = await scroll(browser, node, {
            path: `/integrations/${ids.history}?tab=runs`,
            label: "Runs",
            column: "Version",
          });
          return { rows: records, ...opened, ...(await pages(node, api)) };
        },
        "dead-letters": async () => {
          await insertDeadLetters(node.databaseUrl, ids.history, deadLetters);
          const api = `/v1/integrations/${ids.history}/dead-letter`;
          const opened = await scroll(browser, node, {
            path: `/integrations/${ids.history}/dead-letters?view=records`,
            label: "Dead letters",
            column: "Record",
          });
          return { rows: deadLetters, ...opened, ...(await pages(node, api)) };
        },
      };
      for (const [name, measured] of Object.entries(lists)) {
        if (wanted(name)) report({ scenario: "console", name, ...(await measured()), load: loadavg()[0] });
      }
    }),
  );
}

/** Integrations, of which one has just run, and one is for `insertRuns`. */
async function furnish(node: BenchNode) {
  const connector = await node.connector("generator", "generator", { template, count: 1_000 });
  await node.connector("blackhole", "blackhole", {});
  const source = { connector: "generator", stream: "s" };
  const destination = { connector: "blackhole", stream: "s" };
  const make = (name: string) => node.integration({ name, source, destination, ...filterAndMap });
  for (let i = 0; i < integrations; i++) await make(`orders-${i}`);
  const [integration, history] = [await make("with-a-run"), await make("with-a-history")];
  const { id: run } = await node.ended(await node.begin(integration));
  return { integration, run, connector, history };
}

interface ShownPage {
  readonly path: string;
  /** A selector of what it is there for. */
  readonly shows: string;
}

function pagesOf({ integration, run, connector }: Awaited<ReturnType<typeof furnish>>): Record<string, ShownPage> {
  return {
    overview: { path: "/", shows: '[role="grid"] [data-index="0"]' },
    integration: { path: `/integrations/${integration}`, shows: ".react-flow__node" },
    mapping: { path: `/integrations/${integration}/mapping`, shows: ".cm-editor" },
    run: { path: `/runs/${run}`, shows: "h1" },
    "dead-letters-of-all": { path: "/dead-letters", shows: "h1" },
    follow: { path: "/follow", shows: "h1" },
    connectors: { path: "/connectors", shows: '[role="grid"] [data-index="0"]' },
    "new-integration": { path: "/new", shows: "h1" },
    connector: { path: `/connectors/${connector}`, shows: "h1" },
    settings: { path: "/settings", shows: '[role="grid"] [data-index="0"]' },
  };
}

/** A list opened, and scrolled by the wheel. */
async function scroll(
  browser: Browser,
  node: BenchNode,
  { path, label, column }: { readonly path: string; readonly label: string; readonly column: string },
): Promise<object> {
  return await withPage(browser, node, async (page) => {
    const begun = performance.now();
    await page.goto(path, { waitUntil: "commit" });
    const table = page.getByRole("grid", { name: label });
    await table.locator('[data-index="0"]').waitFor();
    const open_ms = performance.now() - begun;
    const watch = await watchRows(page, label, column);
    await table.hover();
    const scrolled = performance.now();
    while ((await watch()).last < scrolledRows) await page.mouse.wheel(0, 600);
    const seconds = (performance.now() - scrolled) / 1000;
    const { misplaced, mostRows, longestTaskMs } = await watch();
    if (misplaced.length > 0) throw new Error(`rows are not in their places: ${misplaced.slice(0, 3)}`);
    return { open_ms, scrolled_rows: scrolledRows, seconds, longest_task_ms: longestTaskMs, most_rows: mostRows };
  });
}

/** What the API takes for a page of 100, from anywhere in a list of what `tests/support/history.ts` makes. */
async function pages(node: BenchNode, path: string): Promise<object> {
  const times: number[] = [];
  for (let i = 0; i < pagesRead; i++) {
    // As next_cursor of the page before: the id that it ended with.
    const id = Buffer.alloc(16);
    id.writeUIntBE(Date.now() - Math.round((i / pagesRead) * spreadMs), 0, 6);
    const begun = performance.now();
    const { items } = await node.call<{ items: unknown[] }>(
      "GET",
      `${path}?limit=100&cursor=${id.toString("base64url")}`,
    );
    times.push(performance.now() - begun);
    if (items.length !== 100) throw new Error(`a page of ${items.length}`);
  }
  return {
    api_p50_ms: percentile(times, 0.5),
    api_p95_ms: percentile(times, 0.95),
    api_slowest_ms: Math.max(...times),
  };
}
