import type { Json } from "../../connectors/sdk/index.ts";

/** The nodes that are alive, and small messages between them. */
export interface Cluster {
  readonly nodeId: string;
  /** Ids of the live nodes that have not left, sorted, this one included. Another array whenever they change. */
  members(): readonly string[];
  /** Calls `listener` after each change of members; returns how to stop that. */
  onChange(listener: (members: readonly string[]) => void): () => void;
  /** Tells all nodes, this one included, at most once: who is away does not hear it. */
  publish(subject: string, message: Json): void;
  /** Calls `listener` with each message on `subject`; returns how to stop that. */
  subscribe(subject: string, listener: (message: Json) => void): () => void;
  /**
   * Asks each of the other live nodes, those that leave too. Undefined stands for one that did not answer within
   * `timeoutMs`; who has died or does not know the subject is left out.
   */
  ask(subject: string, message: Json, timeoutMs: number): Promise<readonly (Json | undefined)[]>;
  /** Answers what others ask on `subject`; returns how to stop that. */
  answer(subject: string, answer: (message: Json) => Promise<Json>): () => void;
  /** No longer a member: the others take over at once. It still beats and answers, since it has things in hand. */
  leave(): void;
  /** Gone at once, whether it left before or not. */
  close(): Promise<void>;
}
