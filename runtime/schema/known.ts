import type { JsonObject, JsonSchema } from "../../connectors/sdk/index.ts";

/** What is known of the records at a place in the pipeline. */
export interface Known {
  readonly samples: readonly JsonObject[];
  /** Null: nothing but the samples. */
  readonly schema: JsonSchema | null;
  /** Where each field was written, by path in the integration; none where it came from the source. */
  readonly writtenBy: ReadonlyMap<string, string>;
  /** The samples are few of many, chosen by a route or taken out of arrays: what they lack may come all the same. */
  readonly partial?: boolean;
}

export const nothing: Known = { samples: [], schema: null, writtenBy: new Map() };
