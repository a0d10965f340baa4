import type { LogService } from "../runtime/ports/log.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import type { Store } from "../runtime/ports/store.ts";
import type { Metrics } from "../runtime/ports/telemetry.ts";

export interface UnknownLogsOptions {
  readonly store: Pick<Store, "integrations">;
  readonly logs: Pick<LogService, "all" | "remove">;
  readonly metrics: Pick<Metrics, "lossFound">;
  readonly logger: Logger;
}

/**
 * Logs of integrations that the store does not have. Where one was deleted, its logs go; where the store never heard of
 * it, it was restored from an earlier state, or belongs to somebody else: the logs are left alone, and told of once.
 */
export class UnknownLogs {
  readonly #options: UnknownLogsOptions;
  readonly #told = new Set<string>();

  constructor(options: UnknownLogsOptions) {
    this.#options = options;
  }

  /** `removable` resolves when nothing of an integration is in hand here. Throws while a server is away. */
  async look(removable: (integrationId: string) => Promise<unknown>): Promise<void> {
    const { store, logs, metrics, logger } = this.#options;
    const there = await logs.all();
    // In this order: an integration is there before its logs.
    const known = new Set((await store.integrations.all()).map(({ id }) => id));
    const unknown = there.filter((id) => !known.has(id));
    if (unknown.length === 0) return;
    const removed = new Set(await store.integrations.removed(unknown));
    for (const id of unknown) {
      if (removed.has(id)) {
        await removable(id);
        await logs.remove(id);
      } else if (!this.#told.has(id)) {
        this.#told.add(id);
        metrics.lossFound(id, "integration_forgotten");
        const reason =
          "nats-server has logs of an integration that Postgres does not know and nobody deleted: it was restored from an earlier state, or the logs are another installation's. They are left as they are";
        logger.error({ integration: id, kind: "integration_forgotten", reason }, "something was lost");
      }
    }
  }
}
