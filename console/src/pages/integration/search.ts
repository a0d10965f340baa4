import { oneOf, type Search, text } from "../../lib/search.ts";

export const integrationTabs = ["now", "runs", "ledger", "versions", "schedule", "configuration"] as const;
export const runStatuses = ["running", "success", "partial", "failed", "cancelled"] as const;
export const runTriggers = ["manual", "schedule", "webhook", "event", "invoke"] as const;

/** What the URL of an integration's page holds. */
export interface IntegrationSearch {
  tab?: (typeof integrationTabs)[number] | undefined;
  graph?: "picture" | "table" | undefined;
  /** Of runs. */
  status?: (typeof runStatuses)[number] | undefined;
  trigger?: (typeof runTriggers)[number] | undefined;
  since?: string | undefined;
  until?: string | undefined;
  sort?: "started_at" | "-started_at" | undefined;
  /** Versions that are compared. */
  from?: string | undefined;
  to?: string | undefined;
}

export const integrationSearch = (search: Search): IntegrationSearch => ({
  tab: oneOf(search.tab, integrationTabs),
  graph: oneOf(search.graph, ["picture", "table"]),
  status: oneOf(search.status, runStatuses),
  trigger: oneOf(search.trigger, runTriggers),
  since: text(search.since),
  until: text(search.until),
  sort: oneOf(search.sort, ["started_at", "-started_at"]),
  from: text(search.from),
  to: text(search.to),
});
