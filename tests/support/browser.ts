import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { buildConsole } from "../../scripts/console.mjs";
import { findChromium } from "./chromium.ts";
import { sharedNode, type TestNode } from "./node.ts";

const quiet = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Generous: a loaded machine shows the same page, later. */
const patienceMs = 60_000;

const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 400, height: 800 } };

/** Where pictures of the pages go. */
const screenshots =
  process.env.SLUICE_SCREENSHOTS ?? fileURLToPath(new URL("../../console/screenshots", import.meta.url));

/** One node and one browser for all tests of a file. */
export function consoleTests({ env }: { readonly env?: NodeJS.ProcessEnv } = {}): {
  node: () => TestNode;
  visit: (options?: VisitOptions) => Promise<Page>;
} {
  const node = sharedNode(env);
  let browser: Browser | undefined;
  beforeAll(async () => {
    await buildConsole(process.execPath);
    browser = await chromium.launch({ executablePath: findChromium(), args: quiet, chromiumSandbox: false });
  });
  afterAll(() => browser?.close());
  return { node, visit: (options) => visit(browser as Browser, node(), options) };
}

interface VisitOptions {
  /** Where the console is reached; at the node itself where left out. */
  readonly url?: string;
  /** Path and search; "/" where left out. */
  readonly path?: string;
  /** Who is signed in: the data folder's token where left out, nobody where null. */
  readonly key?: string | null;
}

/**
 * A page of the console in a profile of its own, closed with the test. The test fails where the page throws, or breaks
 * its policy.
 */
async function visit(
  browser: Browser,
  node: TestNode,
  { url = node.url, path = "/", key = node.token }: VisitOptions = {},
): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ baseURL: url, viewport: sizes.desktop });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const failures: string[] = [];
  page.on("pageerror", (error) => failures.push(error.stack ?? error.message));
  page.on("console", (message) => {
    // The browser's own words for an answer that is no success are no failure of the page.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      failures.push(message.text());
  });
  onTestFinished(async ({ task }) => {
    if (task.result?.errors?.length)
      await page.screenshot({ path: join(folder(), `failed ${fileName(task.name)}.png`) });
    await context.close();
    expect(failures).toEqual([]);
  });
  if (key !== null) await context.addInitScript((given) => sessionStorage.setItem("sluice.key", given), key);
  await page.goto(path);
  return page;
}

/** Signs in by the form, as a person does. */
export async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Fails where axe finds something serious in what the page shows, in light and in dark. */
export async function expectAccessible(page: Page): Promise<void> {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe.source);
  for (const colorScheme of ["light", "dark"] as const) {
    await paint(page, colorScheme);
    const found = await page.evaluate(async () => {
      const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
      return violations.map(({ id, impact, help, nodes }) => ({
        id,
        impact,
        help,
        nodes: nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`),
      }));
    });
    expect({
      colorScheme,
      serious: found.filter(({ impact }) => impact === "serious" || impact === "critical"),
    }).toEqual({
      colorScheme,
      serious: [],
    });
  }
  await page.emulateMedia({ colorScheme: null });
}

/** Pictures of what the page shows: light and dark, desktop and phone. */
export async function shoot(page: Page, name: string): Promise<void> {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await paint(page, colorScheme);
      await page.screenshot({ path: join(folder(), `${name}-${size}-${colorScheme}.png`) });
    }
  }
  await page.setViewportSize(sizes.desktop);
  await page.emulateMedia({ colorScheme: null });
}

const fileName = (text: string): string => text.replaceAll(/[^\w ]/g, "").slice(0, 80);

/** Resolves once the page shows the scheme. */
async function paint(page: Page, colorScheme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await expect.poll(() => page.evaluate("document.documentElement.dataset.theme")).toBe(colorScheme);
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

function folder(): string {
  mkdirSync(screenshots, { recursive: true });
  return screenshots;
}
