import type { JsonObject } from "../../connectors/sdk/index.ts";

/** What of a connector makes its instance. */
export interface ConnectorSnapshot {
  readonly id: string;
  readonly type: string;
  /** The config without its secrets. */
  readonly config: JsonObject;
  /** The secrets, sealed by adapters/secrets; opaque to the store. */
  readonly sealed: Uint8Array | null;
}

/** What a connector's type has to be told of. The store adds it in the transaction of the change itself. */
export interface ConnectorEvent {
  /** In the order of the changes. */
  readonly id: number;
  readonly event: "created" | "updated" | "deleted";
  /** As it was after the change; as it was at last, where it was deleted. */
  readonly connector: ConnectorSnapshot;
  /** Of an update: what it was before. */
  readonly previous: { readonly config: JsonObject; readonly sealed: Uint8Array | null } | null;
  readonly createdAt: Date;
  /** Tries so far, this one not counted. */
  readonly attempts: number;
}

export interface ConnectorEventStore {
  /**
   * The oldest of each connector that is due, `limit` connectors at most: nobody else gets them for `leaseMs`. One that
   * is neither done nor put off by then comes again.
   */
  take(limit: number, leaseMs: number): Promise<readonly ConnectorEvent[]>;
  done(id: number): Promise<void>;
  /** It comes again, and all that follow it of its connector wait. */
  putOff(id: number, delayMs: number): Promise<void>;
  /** What is sealed in those that wait, by the event and its connector. */
  sealed(): Promise<readonly { readonly id: number; readonly connectorId: string; readonly sealed: Uint8Array }[]>;
  /** False where it is not the same any more. */
  reseal(id: number, before: Uint8Array, after: Uint8Array): Promise<boolean>;
}
