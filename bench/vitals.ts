import { type Browser, chromium, type Page } from "playwright-core";
import { findChromium } from "../tests/support/chromium.ts";
import type { BenchNode } from "./node.ts";

const quiet = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-sync",
];

/** What a person notices of a page. Times in milliseconds since the page was asked for. */
export interface Vitals {
  readonly first_contentful_paint_ms: number;
  readonly largest_contentful_paint_ms: number;
  /** Until what `shows` names was there. */
  readonly content_ms: number;
  /** How much moved under the eyes: Google's measure, 0 is nothing, 0.1 and less is good. */
  readonly layout_shift: number;
  /** The slowest of a few keys, from the press to the next frame; 0: below 16 ms. */
  readonly interaction_ms: number;
  /** Sent by the node before it was quiet, compressed as the browser took it (brotli). */
  readonly bytes: number;
}

export async function withBrowser<T>(use: (browser: Browser) => Promise<T>): Promise<T> {
  const browser = await chromium.launch({ executablePath: findChromium(), args: quiet, chromiumSandbox: false });
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
}

/** A page of the console in a profile of its own: nothing is cached. Signed in. */
export async function withPage<T>(browser: Browser, node: BenchNode, use: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext({ baseURL: node.url, viewport: { width: 1440, height: 900 } });
  try {
    await context.addInitScript((key) => sessionStorage.setItem("sluice.key", key), node.token);
    await context.addInitScript(observer);
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

const observer = `
globalThis.vitals = { lcp: 0, shift: 0, interaction: 0 };
const observe = (type, take, options) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...options });
observe("largest-contentful-paint", ({ startTime }) => { vitals.lcp = startTime; });
observe("layout-shift", ({ value, hadRecentInput }) => { if (!hadRecentInput) vitals.shift += value; });
observe("event", ({ duration, interactionId }) => {
  if (interactionId) vitals.interaction = Math.max(vitals.interaction, duration);
}, { durationThreshold: 16 });
`;

/** Loads a page until what the selector `shows` names is there and nothing more is asked for. */
export async function vitalsOf(page: Page, path: string, shows: string): Promise<Vitals> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  const begun = performance.now();
  await page.goto(path, { waitUntil: "commit" });
  await page.locator(shows).first().waitFor();
  const content_ms = performance.now() - begun;
  // The stream of events stays open: quiet is when nothing has been drawn anew for a second.
  await page.waitForTimeout(1000);
  const loaded = bytes;
  // Largest means: until somebody touches something.
  const [fcp, lcp] = await page.evaluate<[number, number]>(
    "[performance.getEntriesByName('first-contentful-paint')[0].startTime, vitals.lcp]",
  );
  for (const key of ["?", "Escape", "Tab", "Tab"]) {
    await page.keyboard.press(key);
    await page.waitForTimeout(250);
  }
  const { shift, interaction } = await page.evaluate<{ shift: number; interaction: number }>("vitals");
  return {
    first_contentful_paint_ms: fcp,
    largest_contentful_paint_ms: lcp,
    content_ms,
    layout_shift: shift,
    interaction_ms: interaction,
    bytes: loaded,
  };
}
