import type { Page } from "playwright-core";

export interface Watched {
  /** The highest index that was shown. */
  readonly last: number;
  /** How many rows were shown. */
  readonly seen: number;
  /** Rows whose watched cell ends in another number than their index and one. */
  readonly misplaced: readonly string[];
  /** In the document at once. */
  readonly mostRows: number;
  /** For so long the page answered nobody; 0: never for 50 ms. */
  readonly longestTaskMs: number;
}

/** Runs in the page: what a table shows, looked at in each frame. */
const watcher = `(table, title) => {
  const seen = new Set();
  const watched = { last: 0, seen: 0, misplaced: [], mostRows: 0, longestTaskMs: 0 };
  const look = () => {
    const rows = table.querySelectorAll("[data-index]");
    for (const row of rows) {
      const index = Number(row.dataset.index);
      const text = row.querySelector('[data-title="' + title + '"]').textContent;
      if (Number(/\\d*$/.exec(text)[0]) !== index + 1) watched.misplaced.push(index + ": " + text);
      seen.add(index);
      watched.last = Math.max(watched.last, index);
    }
    watched.seen = seen.size;
    watched.mostRows = Math.max(watched.mostRows, rows.length);
    if (table.isConnected) requestAnimationFrame(look);
  };
  look();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) watched.longestTaskMs = Math.max(watched.longestTaskMs, duration);
  }).observe({ type: "longtask" });
  globalThis.watched = watched;
}`;

/**
 * Looks at the rows of the table of a name from now on. `column`: the title of the one that numbers the rows from one.
 * What the function gives is of all frames since.
 */
export async function watchRows(page: Page, label: string, column: string): Promise<() => Promise<Watched>> {
  // As a text: what runs in the page has other types than what runs here.
  const table = `document.querySelector('[role="grid"][aria-label="${label}"]')`;
  await page.evaluate(`(${watcher})(${table}, ${JSON.stringify(column)})`);
  return () => page.evaluate("globalThis.watched");
}
