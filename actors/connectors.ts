import type { Destination, DestinationOptions, Source, SourceOptions } from "../connectors/sdk/index.ts";
import type { Lookups } from "../runtime/ports/lookups.ts";

/**
 * Opens connectors by name for the actors: looked up in the store, secrets unsealed, references resolved. Rejects with a
 * ConnectorError or SluiceError that names the setting at fault. Closing the source or destination closes its connector.
 */
export interface Connectors {
  source(connector: string, options: SourceOptions): Promise<Source>;
  destination(
    connector: string,
    options: DestinationOptions,
  ): Promise<{ readonly destination: Destination; readonly type: string }>;
  readonly lookups: Lookups;
}
