import type { Json } from "../../connectors/sdk/index.ts";

/** The nodes that share the work, and small messages between them. */
export interface Cluster {
  readonly nodeId: string;
  /** Ids of the live nodes, this one among them. */
  members(): readonly string[];
  /** Called after each change of the members. The function returned ends it. */
  onChange(callback: (members: readonly string[]) => void): () => void;
  /** To every node, this one included. May be lost: what matters is in the store, and looked at from time to time. */
  publish(subject: string, message: Json): void;
  subscribe(subject: string, callback: (message: Json) => void): () => void;
  /** Leaves at once, so that others need not wait for a lease to end. */
  close(): Promise<void>;
}
