import { oneOf, type Search, text } from "../../lib/search.ts";

/** What the URL of the connectors' page holds. */
export interface ConnectorsSearch {
  tab?: "types" | undefined;
  /** The type that is shown. */
  type?: string | undefined;
}

export const connectorsSearch = (search: Search): ConnectorsSearch => ({
  tab: oneOf(search.tab, ["types"]),
  type: text(search.type),
});
