import type { Destination, DestinationOptions, Source, SourceOptions } from "../connectors/sdk/index.ts";
import type { Lookups } from "../runtime/ports/lookups.ts";

export interface OpenedDestination {
  readonly destination: Destination;
  /** Name of the connector's type. */
  readonly type: string;
  /** As `Connector.provider` of the SDK: another one where the connector was changed. */
  readonly provider?: string | undefined;
}

/**
 * Opens connectors by name for the actors: looked up in the store, secrets unsealed, references resolved. Rejects with a
 * ConnectorError or SluiceError that names the setting at fault. Closing the source or destination closes its connector.
 */
export interface Connectors {
  source(connector: string, options: SourceOptions): Promise<Source>;
  destination(connector: string, options: DestinationOptions): Promise<OpenedDestination>;
  readonly lookups: Lookups;
  /** Those of a team alone: any other does not exist. Null: all of them. */
  of(owner: string | null): Connectors;
  /**
   * What each connector is made of at the moment, by its name: another text where its config is another, or what a
   * reference in it stands for. A destination is opened anew by itself, between two writes; what else runs with another
   * one is for the caller to open anew.
   */
  versions(): Promise<ReadonlyMap<string, string>>;
  /** The plugin that a connector runs in, for messages; undefined where it is none. Left out: there are no plugins. */
  plugin?(connector: string): Promise<string | undefined>;
}
