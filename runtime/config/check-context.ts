import type { ConnectorType } from "../../connectors/sdk/index.ts";
import type { FieldError } from "../errors/index.ts";
import type { Validator } from "../ports/connectors.ts";

/** What a check knows of the world around an integration. */
export interface CheckContext {
  readonly validator: Validator;
  /** By name; null where the connector exists and its type is not known. */
  readonly connectors: ReadonlyMap<string, ConnectorType | null>;
  /** Whether a connector that is not named above does not exist; otherwise it is only a warning. */
  readonly allConnectorsKnown: boolean;
  /** What is wrong with a cron expression, or undefined. */
  readonly checkCron: (cron: string) => string | undefined;
}

/** Paths are relative to what was checked. */
export interface Findings {
  readonly errors: readonly FieldError[];
  /** What works but is most likely not meant. */
  readonly warnings: readonly FieldError[];
}
