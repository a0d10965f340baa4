import { oneOf, type Search } from "../../lib/search.ts";

/** What the URL of a run's page holds. */
export interface RunSearch {
  tab?: "counters" | "errors" | "ledger" | "drift" | undefined;
  plot?: "rate" | "total" | undefined;
}

export const runSearch = (search: Search): RunSearch => ({
  tab: oneOf(search.tab, ["counters", "errors", "ledger", "drift"]),
  plot: oneOf(search.plot, ["rate", "total"]),
});
