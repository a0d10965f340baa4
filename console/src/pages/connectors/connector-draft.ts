import type { JsonObject } from "../../api/types.ts";

/** What is put in for a connector. */
export interface ConnectorDraft {
  readonly name: string;
  readonly config: JsonObject;
}
