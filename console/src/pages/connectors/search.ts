import { oneOf, type Search, text } from "../../lib/search.ts";

/** What the URL of the connectors' page holds. */
export interface ConnectorsSearch {
  tab?: "types" | undefined;
  /** The type that is shown. */
  type?: string | undefined;
  /** Of the connectors. */
  search?: string | undefined;
  sort?: (typeof sorts)[number] | undefined;
}

const sorts = ["name", "-name", "updated_at", "-updated_at"] as const;

export const connectorsSearch = (search: Search): ConnectorsSearch => ({
  tab: oneOf(search.tab, ["types"]),
  type: text(search.type),
  search: text(search.search),
  sort: oneOf(search.sort, sorts),
});

/** What the URL of the form of a new connector holds: its type. */
export const newConnectorSearch = (search: Search): { type?: string | undefined } => ({ type: text(search.type) });
