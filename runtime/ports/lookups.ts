import type { CallLimit, Correlation, Json, LookupResult } from "../../connectors/sdk/index.ts";

/** What `enrich` steps ask. */
export interface Lookups {
  /**
   * Opens a connector by name, for one step of one run; does not connect. Rejects with a SluiceError or ConnectorError
   * that names the setting at fault. The caller closes it.
   */
  open(connector: string): Promise<Lookup>;
  /** Those of a team alone. Left out where there are no teams. */
  of?(owner: string | null): Lookups;
}

export interface Lookup {
  /** Name of the connector's type. */
  readonly connectorType: string;
  /** As `Connector.provider` of the SDK. */
  readonly provider?: string | undefined;
  /** As `capabilities.lookup.escaped` of the SDK. */
  readonly escaped?: readonly string[];
  /** As `capabilities.lookup.timesRequests` of the SDK. */
  readonly timesRequests?: boolean | undefined;
  /**
   * A text with its references looked up, which belong to the connector from then on: that one stands for something
   * else makes it another one. Rejects with a SluiceError that names the reference that resolves to nothing.
   */
  resolve(text: string): Promise<string>;
  /** As `Connector.lookup` of the SDK. */
  lookup(
    requests: readonly Json[],
    signal: AbortSignal,
    correlation?: Correlation,
    limit?: CallLimit,
    timeoutMs?: number,
  ): Promise<LookupResult>;
  close(): Promise<void>;
}
