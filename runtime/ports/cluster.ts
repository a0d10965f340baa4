import type { Json } from "../../connectors/sdk/index.ts";

/** The nodes that are alive, and small messages between them. */
export interface Cluster {
  readonly nodeId: string;
  /** Ids of the live nodes, this one included, sorted. Another array whenever they change. */
  members(): readonly string[];
  /** Calls `listener` after each change of members; returns how to stop that. */
  onChange(listener: (members: readonly string[]) => void): () => void;
  /** Tells all nodes, this one included, at most once: who is away does not hear it. */
  publish(subject: string, message: Json): void;
  /** Calls `listener` with each message on `subject`; returns how to stop that. */
  subscribe(subject: string, listener: (message: Json) => void): () => void;
  /** Leaves at once, so that the others need not wait to take over. */
  close(): Promise<void>;
}
