import { oneOf, type Search, text } from "../../lib/search.ts";

const kinds = ["record_id", "key", "dead_letter"] as const;

/** What the URL of the page holds. */
export interface FollowSearch {
  integration?: string | undefined;
  record?: string | undefined;
  by?: (typeof kinds)[number] | undefined;
  /** Only what came at this time or earlier. */
  until?: string | undefined;
}

export const followSearch = (search: Search): FollowSearch => ({
  integration: text(search.integration),
  record: text(search.record),
  by: oneOf(search.by, kinds),
  until: text(search.until),
});
