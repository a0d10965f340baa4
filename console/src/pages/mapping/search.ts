import { type Search, text } from "../../lib/search.ts";

/** What the URL of the mapping editor holds. */
export interface MappingSearch {
  /** Id of the map step; left out: the first. */
  step?: string | undefined;
  /** Which record of the sample is shown, from 1. */
  record?: string | undefined;
}

export const mappingSearch = (search: Search): MappingSearch => ({
  step: text(search.step),
  record: text(search.record),
});
