import type { IntegrationRow, RunRow, RunTrigger, Store } from "../../runtime/ports/store.ts";

/** What the services ask of the node that runs integrations. */
export interface Runner {
  /**
   * Opens a run in the store of whoever asks and starts it; resolves when its row stands in the store, not when it ends.
   * Throws SluiceError: CONFLICT while a run of the integration is under way, NOT_FOUND, or UNAVAILABLE while draining.
   */
  start(integrationId: string, trigger: RunTrigger, store: Store): Promise<RunRow>;
  /** Tells whoever carries a run out that it is to end, as the store says. */
  cancel(run: Pick<RunRow, "id" | "integrationId">): void;
  /** Integrations were created, updated, enabled, disabled or removed: take the change up. Returns once it is noted. */
  changed(integrationIds: readonly string[]): void;
  /** Calls `listener` when integrations were changed, on this node at once, and on others as soon as it is heard here. */
  onChanged(listener: () => void): void;
  /** Nodes that are alive, this one among them. */
  nodes(): number;
  readonly durability: Durability;
  /** When the integration fires next by its schedule, `after` a time other than now, or null. */
  nextFire(integration: Pick<IntegrationRow, "spec" | "enabled">, after?: Date): Date | null;
}

/** What of a log outlives a loss of power once it is confirmed. */
export interface Durability {
  /**
   * `synced`: the embedded server has it on the disk. `replicated`: most of the servers that keep the copies have it.
   * `server`: a server of its own settings has it.
   */
  readonly tier: "synced" | "replicated" | "server";
  readonly copies: number;
}

/** One part of readiness: null when it is ready, else the reason why not. */
export interface Readiness {
  check(): Promise<{ readonly [part: string]: string | null }>;
}

/** The metrics in Prometheus' text format. */
export interface MetricsText {
  readonly contentType: string;
  render(): Promise<string>;
}
